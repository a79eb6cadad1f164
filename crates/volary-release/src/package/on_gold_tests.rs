use rand::RngExt as _;
use volary_core::seed::stream;

use super::*;
use crate::key::ReleaseKey;
use crate::optout::OptOuts;
use crate::pseudonym::{Linking, Pseudonyms};

/// 400 subjects, half of them faint. Three people are nearly always right; five mostly say `No`, whatever is shown,
/// and oftener where it is faint.
fn world(folder: &Path) -> (Votes, Vec<Gold>) {
    let mut rng = stream(11, "on gold");
    let mut csv = String::from("classification_id,workflow_id,subject_id,volunteer,task,kind,answer\n");
    let (mut gold, mut table) = (Vec::new(), String::from("subject_id,faint,mag\n"));
    let mut id = 0;
    for subject in 0..400 {
        let (truth, is_faint) = (if rng.random::<f64>() < 0.6 { "Yes" } else { "No" }, subject % 2 == 0);
        for who in 0..8_u64 {
            let p_right = match who {
                0..3 => 0.95,
                _ if truth == "No" => 0.9,
                _ if is_faint => 0.25,
                _ => 0.45,
            };
            let other = if truth == "Yes" { "No" } else { "Yes" };
            let answer = if rng.random::<f64>() < p_right { truth } else { other };
            csv.push_str(&format!("{id},7,s{subject:03},v{who:016x},T0,single,{answer}\n"));
            id += 1;
        }
        gold.push(Gold {
            workflow: None,
            task: None,
            subject: format!("s{subject:03}"),
            answer: truth.to_owned(),
        });
        table.push_str(&format!("s{subject:03},{},{}\n", if is_faint { "yes" } else { "no" }, subject));
    }
    std::fs::write(folder.join("votes.csv"), csv).unwrap();
    std::fs::write(folder.join("subjects.csv"), table).unwrap();
    let key = ReleaseKey::of_bytes(&[7; 32]).unwrap();
    let pseudonyms = Pseudonyms::new(&key, "p", "1", &Linking::None).unwrap();
    let path = folder.join("votes.csv");
    (Votes::read(&path, &OptOuts::default(), &pseudonyms, &Progress::default()).unwrap(), gold)
}

fn accuracy(of: &Value) -> f64 {
    of["accuracy"].as_f64().unwrap_or_else(|| panic!("{of:#}"))
}

#[test]
fn whose_votes_belong_together_is_worth_something_and_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (votes, gold) = world(folder.path());
    let counts = votes.counts();
    let (table, by) = (folder.path().join("subjects.csv"), ["faint".to_owned(), "mag".to_owned()]);
    let sliced = Some((table.as_path(), &by[..]));
    let known = Known::of(&votes, &counts, &gold, sliced, &Progress::default()).unwrap();
    let who = |vote: &Vote| vote.who.volunteer().map(|who| who as u32);
    let majority =
        Beside { before: Some(known.by_majority(&counts)), after: Some(known.by_majority(&counts)) };
    let dawid_skene = Beside {
        before: known.by_dawid_skene(&votes, &who),
        after: known.by_dawid_skene(&votes, &|_| None),
    };
    let report = known.report(&majority, &dawid_skene);
    assert_eq!(report["before"]["n"], 400);
    let plain = accuracy(&report["before"]);
    let [linked, unlinked] = ["before", "after"].map(|when| accuracy(&report["dawid_skene"][when]));
    assert!(linked > plain + 0.1 && linked > 0.93, "{report:#}");
    // One voter, somebody, is what the majority is of.
    assert!(unlinked < linked - 0.05, "{report:#}");
    let slice = |words: &str| {
        let all = report["slices"].as_array().unwrap();
        all.iter().find(|s| s["slice"] == words).unwrap_or_else(|| panic!("{words}: {report:#}")).clone()
    };
    let (faint, bright) = (slice("faint = yes"), slice("faint = no"));
    assert_eq!((&faint["n"], &bright["n"]), (&json!(200), &json!(200)));
    assert!(accuracy(&faint["majority"]["before"]) < accuracy(&bright["majority"]["before"]) - 0.1);
    assert_eq!(report["slices"].as_array().unwrap().len(), 2 + N_BINS);
    let log_loss = report["dawid_skene"]["before"]["log_loss"].as_f64().unwrap();
    assert!(log_loss.is_finite() && log_loss < report["before"]["log_loss"].as_f64().unwrap());
}

/// By hand: 5 of 7 for the truth, of two answers, is (5 + ½) / (7 + 1); a tie is no answer.
#[test]
fn the_majority_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = String::from("classification_id,workflow_id,subject_id,volunteer,task,kind,answer\n");
    let said = [("a", "Yes", 5), ("a", "No", 2), ("b", "Yes", 3), ("b", "No", 3)];
    let mut who = 0_u64;
    for (subject, answer, n) in said {
        for _ in 0..n {
            who += 1;
            csv.push_str(&format!("{who},7,{subject},v{who:016x},T0,single,{answer}\n"));
        }
    }
    let path = folder.path().join("votes.csv");
    std::fs::write(&path, csv).unwrap();
    let key = ReleaseKey::of_bytes(&[7; 32]).unwrap();
    let pseudonyms = Pseudonyms::new(&key, "p", "1", &Linking::None).unwrap();
    let votes = Votes::read(&path, &OptOuts::default(), &pseudonyms, &Progress::default()).unwrap();
    let of = |subject: &str, answer: &str| Gold {
        workflow: None,
        task: None,
        subject: subject.to_owned(),
        answer: answer.to_owned(),
    };
    let (counts, gold) = (votes.counts(), [of("a", "Yes"), of("b", "Yes"), of("nowhere", "Yes")]);
    let known = Known::of(&votes, &counts, &gold, None, &Progress::default()).unwrap();
    let judged: Vec<Met> = known.by_majority(&counts).into_values().collect();
    assert_eq!(judged.len(), 2);
    assert!(judged[0].is_right && !judged[1].is_right);
    assert!((judged[0].log_loss + (5.5_f64 / 8.0).ln()).abs() < 1e-12);
    assert!((judged[1].log_loss + (3.5_f64 / 7.0).ln()).abs() < 1e-12);
    // Of two known answers nothing is told by slice, and of none nothing at all.
    let report = known.report(&Beside::default(), &Beside::default());
    assert_eq!((&report["before"], &report["dawid_skene"]["after"]), (&Value::Null, &Value::Null));
    assert!(known.by_dawid_skene(&votes, &|_| None).is_some());
    assert!(
        Known::of(&votes, &counts, &[], None, &Progress::default())
            .unwrap()
            .by_majority(&counts)
            .is_empty()
    );
}
