//! The API from outside, over a real store and real sockets.

mod choosing;
mod contract;
mod deeds;
mod hostile;
mod openapi;
mod outbox;
mod polling;
mod reads;
mod site;
mod stream;
mod votes;
mod webhooks;
