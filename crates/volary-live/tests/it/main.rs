//! The store and the engine from outside: sets of events, crashes, both databases.

mod crash;
mod databases;
mod history;
mod sets;
