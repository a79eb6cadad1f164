//! Packages from the outside: made, read by others, checked, attacked, broken. One test binary, a file an
//! idea.

#![expect(clippy::unwrap_used, reason = "a test that panics has found something")]

mod attack;
mod build;
mod checkers;
mod names;
mod noise;
mod support;
mod verify;
