//! What the tests share: a folder, a way to write exports, a way to run the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The binary under test.
pub(crate) const VOLARY: &str = env!("CARGO_BIN_EXE_volary");

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the shared data; `None`, with a word about it, where they are absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared/data").join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: {} is not here", found.display());
    None
}

/// What a run of the binary gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The `--json` record; the run must have succeeded.
    pub(crate) fn record(&self) -> Value {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).expect("the record is JSON")
    }

    /// Asserts that the run succeeded.
    pub(crate) fn is_done(&self) {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
    }

    /// Asserts one clear error: exit code 1, one line on standard error that holds `words`, no panic.
    pub(crate) fn fails_with(&self, words: &str) {
        assert_eq!(self.code, 1, "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.starts_with("error: ") && self.stderr.contains(words), "{}", self.stderr);
        assert_eq!(self.stderr.trim().lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.matches("(os error").count() < 2, "said twice: {}", self.stderr);
    }
}

/// A temporary folder to work in.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Runs `volary` here.
    pub(crate) fn volary(&self, arguments: &[&str]) -> Run {
        let output = Command::new(VOLARY).args(arguments).current_dir(self.folder.path()).output();
        let run = Run::of(&output.expect("the binary starts"));
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }

    /// Runs `volary … --json` and gives the record.
    pub(crate) fn record(&self, arguments: &[&str]) -> Value {
        self.volary(&[arguments, &["--json"]].concat()).record()
    }

    /// Names of all files here, folders walked through, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut out = Vec::new();
        walk(self.folder.path(), &mut |path| {
            let name = path.strip_prefix(self.folder.path()).expect("within");
            out.push(name.to_string_lossy().into_owned());
        });
        out.sort();
        out
    }

    /// The rows of a CSV file as name → cell.
    pub(crate) fn table(&self, name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        read_csv(&self.path(name))
    }
}

/// The rows of a CSV file as name → cell, by the `csv` crate, which is not ours.
pub(crate) fn read_csv(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// Calls `visit` for every file below a folder.
pub(crate) fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}

/// The header of an export.
pub(crate) const HEADER: &str = "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,\
workflow_version,created_at,gold_standard,expert,metadata,annotations,subject_data,subject_ids";

/// One row of an export, with sensible cells where a test does not care.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) version: String,
    pub(crate) created: String,
    pub(crate) metadata: String,
    pub(crate) annotations: String,
    pub(crate) subject: String,
}

impl Row {
    pub(crate) fn new(id: u64, user: &str, subject: &str, annotations: &Value) -> Self {
        Self {
            id: id.to_string(),
            user: user.to_owned(),
            version: "1.1".to_owned(),
            created: format!("2024-01-01 00:{:02}:{:02} UTC", id / 60 % 60, id % 60),
            metadata: json!({"live_project": true}).to_string(),
            annotations: annotations.to_string(),
            subject: subject.to_owned(),
        }
    }

    /// A row with one answer to T0.
    pub(crate) fn answer(id: u64, user: &str, subject: &str, answer: &str) -> Self {
        Self::new(id, user, subject, &json!([{"task": "T0", "task_label": "What?", "value": answer}]))
    }

    pub(crate) fn csv(&self) -> String {
        let cells = [
            &self.id,
            &self.user,
            "",
            "",
            "7",
            "Test",
            &self.version,
            &self.created,
            "",
            "",
            &self.metadata,
            &self.annotations,
            "{}",
            &self.subject,
        ];
        let quoted: Vec<String> =
            cells.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
        quoted.join(",")
    }
}

/// A whole export.
pub(crate) fn export(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(Row::csv).collect();
    format!("{HEADER}\n{}\n", lines.join("\n"))
}

/// Numbers between −1 and 1 that follow nothing.
pub(crate) fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3_037_000_493);
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}
