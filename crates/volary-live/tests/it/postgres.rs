//! A real PostgreSQL server for a test; the server's own tests (`volary-web`) use this file too.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use volary_live::store::Place;

/// A private PostgreSQL server in a temporary folder; stopped when dropped.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    bin: PathBuf,
    n_databases: AtomicU32,
}

impl Server {
    /// `None`, with a word about it, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let bin = server_programs()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Self { folder, bin, n_databases: AtomicU32::new(0) };
        let data = server.data();
        // PostgreSQL refuses to run as root, and its own user must be able to enter.
        run("chown", &["postgres", &server.folder.path().display().to_string()]);
        server.program("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8"]);
        // Alone on its socket: no port is opened, and tests side by side do not meet.
        server.start_again();
        Some(server)
    }

    /// Stops it as a power cut would, or a kill.
    pub(crate) fn stop(&self) {
        self.program("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }

    pub(crate) fn start_again(&self) {
        let options = format!("-k {} -c listen_addresses=''", self.folder.path().display());
        let log = self.folder.path().join("log").display().to_string();
        self.program("pg_ctl", &["-D", &self.data(), "-o", &options, "-l", &log, "-w", "start"]);
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let program = self.bin.join(name).display().to_string();
        let mut all = vec!["-u", "postgres", "--", &program];
        all.extend(arguments);
        run("runuser", &all);
    }

    /// A fresh database.
    pub(crate) fn database(&self) -> Place {
        let name = format!("volary{}", self.n_databases.fetch_add(1, Ordering::Relaxed));
        let socket = self.folder.path().display().to_string();
        self.program("createdb", &["-h", &socket, &name]);
        let host = socket.replace('/', "%2F");
        Place::parse(&format!("postgres://postgres@{host}/{name}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn server_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut found: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    if found.is_empty() {
        eprintln!("skipped: PostgreSQL is not installed (Debian: apt-get install postgresql)");
    }
    found.pop()
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
