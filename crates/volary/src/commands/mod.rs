//! One file per command. Each has `Args` (what `--help` shows, with examples) and `run`.

pub(crate) mod agreement;
pub(crate) mod alerts;
pub(crate) mod check;
pub(crate) mod consensus;
pub(crate) mod counts;
pub(crate) mod credit;
pub(crate) mod dedup;
pub(crate) mod demo;
pub(crate) mod extract;
pub(crate) mod flatten;
pub(crate) mod ingest;
pub(crate) mod init;
pub(crate) mod manifest;
pub(crate) mod marks;
pub(crate) mod rebuild;
pub(crate) mod reduce;
pub(crate) mod report;
pub(crate) mod retire;
pub(crate) mod run;
pub(crate) mod shapes;
pub(crate) mod simulate;
pub(crate) mod simulate_lightcurves;
pub(crate) mod talk;
