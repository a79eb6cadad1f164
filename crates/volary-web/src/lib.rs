//! The live store and the project over HTTP: votes and subjects in, consensus and alerts out, and the page.
//!
//! [`Server`] serves `/api/v1` over a [`volary_live::Live`], sends what the store's outbox holds to webhooks,
//! and polls a Panoptes-compatible API. It is set up by [`Settings`], whose defaults are safe on a laptop:
//! loopback only, a token for everything, nothing sent to anybody.
//!
//! From the outside in: [`server`] takes connections, `guard` decides who may come in, `routes` are the
//! resources, `outbox` and [`poll`] run beside them, [`jobs`] runs the project's steps; [`project`] is what the page shows beside the store, `page`
//! the page itself, `copy` writes it for a server that is not ours. Nothing here decides anything about votes: that is
//! `volary-live`'s. HTTP types do not leave this crate.

mod app;
mod bucket;
pub mod choosing;
mod copy;
mod extract;
mod guard;
pub mod jobs;
mod metrics;
mod outbox;
pub mod outgoing;
mod page;
mod paging;
pub mod poll;
mod problem;
pub mod project;
pub mod queue;
mod reply;
mod routes;
pub mod server;
pub mod settings;
pub mod signature;
pub mod strict_json;
pub mod tokens;
pub mod workflows;

pub use bucket::Rate;
pub use choosing::Choosing;
pub use copy::{Copied, CopyError, CopyParams, write_copy};
pub use jobs::Runner;
pub use outgoing::Target;
pub use page::{files as page_files, is_route as is_page_route};
pub use poll::Poll;
pub use project::Project;
pub use queue::Queue;
pub use routes::openapi_json;
pub use server::{ServeError, Server};
pub use settings::{Settings, Webhook};
pub use signature::Secret;
pub use tokens::{Role, Tokens};
pub use workflows::{Task, Workflow};
