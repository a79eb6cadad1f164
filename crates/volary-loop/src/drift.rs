//! Drift: whether what comes in, or what is said of it, is still what it was.
//!
//! [`psi`] compares a window with a reference over bins, with a limit that fits the sizes of both;
//! [`ks`] compares two samples without bins; [`adwin`] watches a stream one value at a time. [`watch`] runs
//! windows over several sources and says which one drifts: scores, embedding, metadata, votes or labels.
//! Label shift counts only on subjects that were drawn with known probability.
//!
//! It decides nothing: an alarm is evidence for a person, or for a rule that retrains.

pub mod adwin;
pub mod ks;
pub mod psi;
pub mod watch;

pub use adwin::Adwin;
pub use ks::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use psi::{Psi, Reference};
pub use watch::{Alarm, Source, Watch, WatchParams};
