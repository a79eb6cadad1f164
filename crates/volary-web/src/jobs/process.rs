//! The process of a job: what it writes, how it ends, and what follows from that.

use std::io::Read;
use std::panic::AssertUnwindSafe;
use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{JobState, Runner};
use crate::app::Shared;

/// How often it is looked at, and how often a page is told of it at most.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of a line that has no end.
const MOST_LINE_BYTES: usize = 8 << 10;

/// Follows a process on threads of their own until it has ended and, where it ended well, the project is read.
pub(super) fn follow(app: &Shared, id: String, mut child: Child, runner: Arc<dyn Runner>) {
    let out: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as _),
        child.stderr.take().map(|stream| Box::new(stream) as _),
    ];
    let listeners: Vec<_> = out
        .into_iter()
        .flatten()
        .map(|stream| {
            let (app, id, runner) = (Arc::clone(app), id.clone(), Arc::clone(&runner));
            thread::spawn(move || each_line(stream, |line| app.jobs.has_line(&id, line, &*runner)))
        })
        .collect();
    let app = Arc::clone(app);
    thread::spawn(move || {
        let status = loop {
            match child.try_wait() {
                Ok(None) => {
                    app.jobs.tell_news(&id);
                    thread::sleep(LOOK);
                }
                Ok(Some(status)) => break Some(status),
                Err(_) => break None,
            }
        };
        for listener in listeners {
            // One that panicked has written its last line.
            let _ = listener.join();
        }
        let (code, is_well) = (status.and_then(|s| s.code()), status.is_some_and(|s| s.success()));
        let ended_ms = app.now_ms();
        app.jobs.with(&id, true, |job| {
            job.stdin = None;
            (job.code, job.ended_ms) = (code, Some(ended_ms));
            job.state = match (is_well, job.state) {
                (true, _) => JobState::Reading,
                (false, JobState::Stopping) => JobState::Stopped,
                (false, _) => JobState::Failed,
            };
        });
        if is_well {
            // A server that ends reads nothing any more.
            let read = if *app.stop.borrow() { None } else { Some(read_anew(&app, &*runner)) };
            app.jobs.with(&id, true, |job| {
                job.state = JobState::Done;
                match read {
                    Some(Ok(changes)) => job.changes = changes,
                    Some(Err(why)) => job.problem = Some(why),
                    None => {}
                }
            });
        }
    });
}

/// The project as it is now in the place of the one before; what has changed.
fn read_anew(app: &Shared, runner: &dyn Runner) -> Result<Vec<super::Change>, String> {
    // A file that makes a reader panic must not leave a job that never ends.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| runner.read()));
    match read {
        Ok(read) => Ok(app.replace_project(read?)),
        Err(_) => {
            Err("the project could not be read anew; start the server again, and it will say why"
                .to_owned())
        }
    }
}

/// Lines, however they end; one that is very long comes in parts.
fn each_line(mut stream: impl Read, mut heard: impl FnMut(&str)) {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    let mut say = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            heard(&String::from_utf8_lossy(line));
            line.clear();
        }
    };
    loop {
        let n = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for byte in &buffer[..n] {
            if matches!(byte, b'\n' | b'\r') {
                say(&mut line);
            } else {
                line.push(*byte);
                if line.len() >= MOST_LINE_BYTES {
                    say(&mut line);
                }
            }
        }
    }
    say(&mut line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_they_like_and_none_is_lost() {
        let mut found = Vec::new();
        each_line("one\ntwo\r\nthree\rfour\n\nfive".as_bytes(), |line| found.push(line.to_owned()));
        assert_eq!(found, ["one", "two", "three", "four", "five"]);
        let long = "x".repeat(3 * MOST_LINE_BYTES + 5);
        let mut lengths = Vec::new();
        each_line(long.as_bytes(), |line| lengths.push(line.len()));
        assert_eq!(lengths, [MOST_LINE_BYTES, MOST_LINE_BYTES, MOST_LINE_BYTES, 5]);
    }
}
