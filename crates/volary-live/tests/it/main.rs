//! The store and the engine from outside: sets of events, crashes, power cuts, both databases.

mod crash;
mod databases;
mod faults;
mod history;
mod machine;
mod postgres;
mod power;
mod sets;
