//! The API from outside, over a real store and real sockets.

mod choosing;
mod contract;
mod deeds;
mod hostile;
mod jobs;
mod media;
mod openapi;
mod outbox;
mod panels;
mod people;
mod polling;
#[path = "../../../volary-live/tests/it/postgres.rs"]
mod postgres;
mod project;
mod reads;
mod site;
mod stream;
mod votes;
mod webhooks;
