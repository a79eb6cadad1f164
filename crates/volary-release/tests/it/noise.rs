//! Histograms with noise, in packages.

use volary_release::noise::{Ledger, Noise, QuestionBins};
use volary_release::settings::Settings;
use volary_release::tier::Tier;
use volary_release::verify::{Against, verify};

use crate::support::{Project, csv_rows, files, settings};

fn with_noise(version: &str) -> Settings {
    let mut settings = settings(Tier::A);
    settings.version = version.to_owned();
    settings.noise = Some(Noise {
        epsilon: 1.0,
        lifetime_epsilon: 2.0,
        votes: 20,
        from: Some("2023-11-01".to_owned()),
        to: Some("2024-07-31".to_owned()),
        activity: true,
        questions: vec![QuestionBins {
            workflow: "7".to_owned(),
            task: "T0".to_owned(),
            answers: vec!["Cat".to_owned(), "=dog()".to_owned()],
        }],
    });
    settings
}

fn questions_of<'a>(settings: &'a mut Settings, task: &str) -> &'a mut QuestionBins {
    let question = &mut settings.noise.as_mut().unwrap().questions[0];
    question.task = task.to_owned();
    question
}

#[test]
fn a_package_with_noise_holds_and_its_budget_is_kept() {
    let mut project = Project::new();
    let message = project.release(&project.path("none"), &with_noise("1")).unwrap_err().to_string();
    assert!(message.contains("name its ledger"), "{message}");
    project.inputs.noise_ledger = Some(project.path("noise.toml"));
    // A question that is not there costs nothing.
    let mut other = with_noise("1");
    questions_of(&mut other, "T9");
    let message = project.release(&project.path("none"), &other).unwrap_err().to_string();
    assert!(message.contains("the votes have no task \"T9\""), "{message}");
    assert!(!project.path("none").exists() && !project.path("noise.toml").exists());
    // An answer that nobody gave is told to the team and to nobody else.
    questions_of(&mut other, "T0").answers.push("Unicorn".to_owned());
    project.inputs.noise_ledger = Some(project.path("other.toml"));
    let built = project.release(&project.path("other"), &other).unwrap();
    assert!(
        built.warnings.iter().any(|w| w.contains("\"Unicorn\" of task \"T0\"")),
        "{:?}",
        built.warnings
    );
    assert!(!built.privacy.to_string().contains("Unicorn"));
    project.inputs.noise_ledger = Some(project.path("noise.toml"));
    let target = project.path("one");
    let built = project.release(&target, &with_noise("1")).unwrap();
    assert_eq!(built.privacy["noise"]["epsilon_of_all_versions"], 1.0);
    let verified = verify(&target, &Against::default(), &volary_ingest::Progress::default()).unwrap();
    assert!(verified.holds(), "{:?}", verified.findings);
    let rows = csv_rows(&target.join("data/histograms.csv"));
    assert_eq!(rows[0], ["histogram", "workflow_id", "task", "bin", "n_noisy", "half_width"]);
    assert_eq!(rows.len(), 1 + 40 + 2 + 5);
    let readme = std::fs::read_to_string(target.join("README.md")).unwrap();
    assert!(readme.contains("The other tables are exact"));
    // The same again is the same to the byte and costs nothing; the seed is nowhere.
    let again = project.path("again");
    project.release(&again, &with_noise("1")).unwrap();
    assert!(files(&target) == files(&again));
    let path = project.path("noise.toml");
    assert_eq!(Ledger::read(&path).unwrap().spent.len(), 1);
    let digest = &Ledger::read(&path).unwrap().spent[0].digest;
    assert!(!files(&target).values().any(|bytes| bytes.windows(64).any(|w| w == digest.as_bytes())));
    // The next version has noise of its own; the one after it is one too many.
    project.release(&project.path("two"), &with_noise("2")).unwrap();
    let column = |folder: &str| -> Vec<String> {
        csv_rows(&project.path(folder).join("data/histograms.csv"))
            .iter()
            .map(|r| r[4].clone())
            .collect()
    };
    assert_ne!(column("one"), column("two"));
    let message = project.release(&project.path("three"), &with_noise("3")).unwrap_err().to_string();
    assert!(
        message.contains("the budget of noise is spent") && !project.path("three").exists(),
        "{message}"
    );
}

/// OpenDP, which is not ours, says the same ε, and its noise has the same law.
#[test]
fn opendp_agrees() {
    let found = std::env::var_os("VOLARY_CHECKERS").map(|v| std::path::Path::new(&v).join("bin/python"));
    let Some(python) = found.filter(|p| p.exists()) else {
        eprintln!("skipped: VOLARY_CHECKERS names no virtual environment");
        return;
    };
    use volary_release::noise::sampler::{Ratio, Scale};
    let mut cases = Vec::new();
    for epsilon in [0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0] {
        for (votes, n) in [(1, 1), (1, 3), (10, 1), (10, 4), (100, 2)] {
            let scale = Scale::of(votes, n, Ratio::of(epsilon).unwrap()).unwrap();
            let chances: Vec<f64> = (0..8).map(|y| scale.chance(y)).collect();
            cases.push(serde_json::json!([
                votes,
                scale.t as f64 / scale.s as f64,
                scale.epsilon(votes),
                chances
            ]));
        }
    }
    assert_eq!(cases.len(), 50);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/noise.py");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.json");
    std::fs::write(&path, serde_json::Value::from(cases).to_string()).unwrap();
    let output = std::process::Command::new(python).arg(script).arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "ok", "{said}{}", String::from_utf8_lossy(&output.stderr));
}
