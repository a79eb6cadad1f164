//! Tests against real data, which lies beside the repository and not in it; without it they say so and
//! pass.

mod inputs;

use std::path::PathBuf;

/// The folder of shared data, if it is there.
fn shared_data() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no shared data at {}", folder.display());
    None
}
