//! How far long work is, as lines on standard error, for a server that shows them: where [`WANTED`] is set in the
//! environment and there is no terminal for a bar. A line says how many parts are done, of how many, and what is
//! under way; [`read`] takes it apart again.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// The variable of the environment.
pub(crate) const WANTED: &str = "VOLARY_PROGRESS_LINES";
/// What such a line begins with; nothing else that a command says does.
const BEGIN: &str = "@progress ";
/// How often it is said.
const EVERY: Duration = Duration::from_millis(500);

/// Whether somebody reads such lines.
pub(crate) fn are_wanted() -> bool {
    std::env::var_os(WANTED).is_some()
}

/// A bar on the terminal; where there is none, one that is told in lines for as long as it is there.
pub(crate) fn bar(n: u64) -> ProgressBar {
    if std::io::stderr().is_terminal() {
        return ProgressBar::new(n);
    }
    let bar = ProgressBar::with_draw_target(Some(n), ProgressDrawTarget::hidden());
    let watched = bar.downgrade();
    std::thread::spawn(move || {
        let mut last = String::new();
        loop {
            std::thread::sleep(EVERY);
            // Dropped, or done.
            let Some(bar) = watched.upgrade().filter(|bar| !bar.is_finished()) else { return };
            let now = line(bar.position(), bar.length().unwrap_or(0), &bar.message());
            if now != last {
                write(&now);
                last = now;
            }
        }
    });
    bar
}

/// Says it once.
pub(crate) fn say(n: u64, of: u64, what: &str) {
    write(&line(n, of, what));
}

fn write(line: &str) {
    // Who read them may have gone; the work goes on, or is told otherwise.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn line(n: u64, of: u64, what: &str) -> String {
    format!("{BEGIN}{n}/{of} {}", what.replace(['\n', '\r'], " "))
}

/// Parts that are done, of how many, and what is under way; nothing if it is another line.
pub(crate) fn read(line: &str) -> Option<(u64, u64, &str)> {
    let (count, what) = line.strip_prefix(BEGIN)?.split_once(' ')?;
    let (n, of) = count.split_once('/')?;
    Some((n.parse().ok()?, of.parse().ok()?, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_and_no_other_is_one() {
        assert_eq!(read(&line(3, 20, "epoch 1/2, loss 0.5")), Some((3, 20, "epoch 1/2, loss 0.5")));
        assert_eq!(read(&line(0, 0, "a\nb")), Some((0, 0, "a b")));
        for other in ["", "progress 1/2 x", "@progress", "@progress 1 2", "@progress a/b c"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
