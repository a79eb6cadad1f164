//! Who is named, and how: the draw of five, names made harmless, lists, and the text of a report.
//!
//! Pure functions over alerts, names and keys. Nothing here is sent to anybody, and nothing says who was
//! *not* drawn: that stays with the auditors.

pub mod draw;
pub mod list;
pub mod names;
pub mod tns;
