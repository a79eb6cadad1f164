//! What a package holds, and what it does not.

use std::collections::{BTreeMap, BTreeSet};

use volary_ingest::volunteer::key;
use volary_release::optout::OptOuts;
use volary_release::pseudonym::is_pseudonym;
use volary_release::tier::Tier;

use crate::support::{N_VOLUNTEERS, Project, consensus_of, csv_rows, files, name, settings};

#[test]
fn the_same_inputs_give_the_same_bytes_whatever_the_order_of_the_rows() {
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        let (one, two) = (Project::new(), Project::new());
        let text = std::fs::read_to_string(two.inputs.votes.as_ref().unwrap()).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let mut lines: Vec<&str> = rows.lines().collect();
        lines.reverse();
        std::fs::write(two.inputs.votes.as_ref().unwrap(), format!("{header}\n{}\n", lines.join("\n")))
            .unwrap();
        let (one, two) = (files(&one.package(tier)), files(&two.package(tier)));
        assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
        for (path, bytes) in &one {
            assert!(*bytes == two[path], "{path} differs in tier {tier:?}");
        }
    }
}

#[test]
fn an_example_for_other_checkers() {
    // Where somebody wants to look at a package, or let others' programs check it.
    let project = Project::new();
    for tier in [Tier::A, Tier::B, Tier::C] {
        let package = project.package(tier);
        if let Ok(target) = std::env::var("VOLARY_EXAMPLE") {
            let target = std::path::Path::new(&target).join(format!("{tier:?}"));
            for (path, bytes) in files(&package) {
                let path = target.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
}

#[test]
fn tier_a_has_no_volunteer_and_tier_b_links_nobody() {
    let project = Project::new();
    let a = files(&project.package(Tier::A));
    assert!(!a.keys().any(|f| f.contains("votes") || f.contains("volunteers")), "{:?}", a.keys());
    let votes = csv_rows(&project.package(Tier::B).join("data/votes.csv"));
    assert_eq!(votes[0], ["workflow_id", "task", "subject_id", "volunteer", "kind", "answer"]);
    let mut subjects: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &votes[1..] {
        assert!(is_pseudonym(&row[3]), "{row:?}");
        subjects.entry(&row[3]).or_default().insert(&row[2]);
    }
    assert!(subjects.values().all(|s| s.len() == 1));
}

#[test]
fn tier_c_shows_of_a_person_what_the_table_of_volunteers_says() {
    let project = Project::new();
    let package = project.package(Tier::C);
    let votes = csv_rows(&package.join("data/votes.csv"));
    let volunteers = csv_rows(&package.join("data/volunteers.csv"));
    assert_eq!(votes[0][6], "time");
    assert!(volunteers.len() > 20, "{}", volunteers.len());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut times: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in &votes[1..] {
        *seen.entry(&row[3]).or_default() += 1;
        times.entry(&row[3]).or_default().insert(&row[6]);
        assert!(row[6].is_empty() || row[6].len() <= 10);
    }
    let listed: BTreeMap<&str, &Vec<String>> =
        volunteers[1..].iter().map(|row| (row[0].as_str(), row)).collect();
    let mut by_activity: BTreeMap<usize, usize> = BTreeMap::new();
    for (pseudonym, n) in &seen {
        let Some(row) = listed.get(pseudonym) else {
            assert_eq!(*n, 1, "who is not in the table is not linked");
            assert_eq!(times[pseudonym], BTreeSet::from([""]));
            continue;
        };
        assert_eq!(row[1], format!("{n}+"), "no more votes than the table says");
        *by_activity.entry(*n).or_default() += 1;
    }
    assert!(by_activity.values().all(|n| *n >= 10), "{by_activity:?}");
    // Sessions of people who were not logged in are not linked.
    let anonymous = votes[1..].iter().filter(|r| r[3].starts_with('q')).count();
    assert_eq!(anonymous, 3);
}

#[test]
fn formulas_are_harmless_in_csv_and_exact_in_parquet() {
    let project = Project::new();
    let package = project.package(Tier::A);
    let gold = csv_rows(&package.join("data/gold.csv"));
    assert_eq!(gold[2], ["", "", "s0002", "'=dog()"]);
    for (path, bytes) in files(&package) {
        if path.ends_with(".csv") {
            for row in csv_rows(&package.join(&path)) {
                assert!(!row.iter().any(|c| c.starts_with(['=', '+', '@'])), "{path}: {row:?}");
            }
            assert!(!bytes.contains(&b'\r'));
        }
    }
    let votable = std::fs::read_to_string(package.join("data/gold.vot")).unwrap();
    assert!(votable.contains("<TD>=dog()</TD>"));
}

#[test]
fn what_few_gave_or_saw_does_not_leave() {
    let project = Project::new();
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        for (path, bytes) in files(&project.package(tier)) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("Ask Zaphod") && !text.contains("zaphod"), "{path} in {tier:?}");
        }
    }
    let counts = csv_rows(&project.path("package-A/data/counts.csv"));
    assert!(counts[1..].iter().all(|r| r[4].parse::<u32>().unwrap() >= 3));
}

#[test]
fn whoever_opted_out_might_never_have_voted() {
    let gone = [4, 9, 33];
    for tier in [Tier::A, Tier::B, Tier::C] {
        let mut project = Project::new();
        project.opt_out(gone.map(name).iter().map(String::as_str));
        // Agreement of the others was computed by somebody else; here it is the same in both worlds, and
        // theirs is not looked at.
        let with = files(&project.package(tier));
        // A list with nobody on it: that one was given is said in the package.
        let mut never = Project::without(&gone);
        OptOuts::default().write(&never.path("optouts.toml")).unwrap();
        never.inputs.optouts = Some(never.path("optouts.toml"));
        never.know_skill("");
        let without = files(&never.package(tier));
        for (path, bytes) in &with {
            assert!(*bytes == without[path], "{path} differs in tier {tier:?}");
        }
    }
}

/// Skill and gold have no votes in them any more: a run that knew of everybody must have made them.
#[test]
fn what_was_made_of_votes_before_stays_unless_its_run_knew_of_everybody() {
    let mut project = Project::new();
    project.opt_out([name(4).as_str()]);
    let attempt = |project: &Project, target: &str| {
        project.release(&project.path(target), &settings(Tier::A)).map_err(|e| e.to_string())
    };
    project.inputs.is_gold_of_experts = false;
    let refused = attempt(&project, "gold").unwrap_err();
    assert!(refused.contains("--gold ") && refused.contains("no record of a run"), "{refused}");
    project.inputs.is_gold_of_experts = true;
    attempt(&project, "all-known").unwrap();
    // A stamp of another list, or of one before somebody opted out.
    for stamp in ["0123456789abcdef0123456789abcdef", ""] {
        project.know_skill(stamp);
        let refused = attempt(&project, "skill").unwrap_err();
        assert!(
            refused.contains("--volunteers ") && refused.contains("`volary consensus` was not told")
        );
    }
    std::fs::remove_file(project.path("consensus.run.json")).unwrap();
    assert!(attempt(&project, "skill").unwrap_err().contains("no record of a run"));
    assert!(!project.path("skill").exists());
    project.inputs.volunteers = None;
    attempt(&project, "without-skill").unwrap();
}

#[test]
fn a_consensus_of_other_votes_is_refused_and_the_right_one_is_written() {
    let mut project = Project::new();
    let package = project.package(Tier::A);
    let counts = csv_rows(&package.join("data/counts.csv"));
    let text = consensus_of(&counts);
    project.inputs.consensus = Some(project.write("consensus.csv", &text));
    let target = project.path("with-consensus");
    project.release(&target, &settings(Tier::A)).unwrap();
    let consensus = csv_rows(&target.join("data/consensus.csv"));
    assert_eq!(consensus.len(), counts.len());
    assert!(!consensus[0].iter().any(|c| c == "user_name" || c == "weight"));
    // What one person typed must not leave with the zeros of the subjects on which nobody did.
    let zeros: String = counts[1..]
        .iter()
        .filter(|row| row[2] != "s0003")
        .map(|row| {
            format!(
                "{},{},{},Ask Zaphod,{},{},0,0.0,0.0,0.1,1.0,x\n",
                row[0], row[1], row[2], row[4], row[4]
            )
        })
        .collect();
    project.inputs.consensus = Some(project.write("zeros.csv", &format!("{text}{zeros}")));
    let target = project.path("with-zeros");
    project.release(&target, &settings(Tier::A)).unwrap();
    assert_eq!(csv_rows(&target.join("data/consensus.csv")), consensus);
    // A row twice, and people who did not see it.
    let twice = format!("{text}{}\n", text.lines().nth(1).unwrap());
    project.inputs.consensus = Some(project.write("twice.csv", &twice));
    let refused = project.release(&project.path("refused"), &settings(Tier::A)).unwrap_err().to_string();
    assert!(refused.contains("two rows of one answer"), "{refused}");
    let seen = text.replacen(
        &format!(",{},{},{},0.5,", counts[1][4], counts[1][4], counts[1][5]),
        &format!(",999,{},{},0.5,", counts[1][4], counts[1][5]),
        1,
    );
    project.inputs.consensus = Some(project.write("seen.csv", &seen));
    let refused = project.release(&project.path("refused"), &settings(Tier::A)).unwrap_err().to_string();
    assert!(refused.contains("seen by 999 there"), "{refused}");
    // One vote more, and it is of other votes.
    let other = text.replacen(&format!(",{},0.5,", counts[1][5]), ",99,0.5,", 1);
    project.inputs.consensus = Some(project.write("consensus.csv", &other));
    let refused = project.release(&project.path("refused"), &settings(Tier::A)).unwrap_err().to_string();
    assert!(refused.contains("is of other votes") && refused.contains("volary consensus"), "{refused}");
    assert!(!project.path("refused").exists());
}

#[test]
fn no_release_without_biases_nor_over_an_old_one() {
    let mut project = Project::new();
    let package = project.package(Tier::A);
    let again = project.release(&package, &settings(Tier::A)).unwrap_err().to_string();
    assert!(again.starts_with("there is something already"), "{again}");
    project.inputs.biases = None;
    let refused = project.release(&project.path("other"), &settings(Tier::A)).unwrap_err().to_string();
    assert!(refused.contains("biases.toml"), "{refused}");
    let left: Vec<String> =
        files(project.folder.path()).into_keys().filter(|f| f.contains(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A link to nowhere: nothing is there, and yet nothing can be put there. The package is made, and its last step fails.
#[cfg(unix)]
#[test]
fn where_the_last_step_fails_nothing_is_left() {
    let project = Project::new();
    let target = project.path("package");
    std::os::unix::fs::symlink(project.path("nowhere"), &target).unwrap();
    let before = entries(project.folder.path());
    let failed = project.release(&target, &settings(Tier::B)).unwrap_err().to_string();
    assert!(failed.contains("package"), "{failed}");
    assert_eq!(entries(project.folder.path()), before);
    std::fs::remove_file(&target).unwrap();
    project.release(&target, &settings(Tier::B)).unwrap();
}

fn entries(folder: &std::path::Path) -> BTreeSet<std::ffi::OsString> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// A package carries the policy that it was made under, and no other.
#[test]
fn what_the_policy_decided_is_what_is_done() {
    let mut project = Project::new();
    let decided =
        |text: &str| format!("version = \"3\"\n[release]\n{text}\n[data]\nembargo_months = 6\n");
    for (text, words) in [
        ("k = 20", "policy 3, [release]: it decided k = 20, and release.toml has 10"),
        ("line = \"main\"", "decided line = \"main\", and release.toml has none"),
        ("min_voluntiers = 50", "nothing of a release is called min_voluntiers"),
        ("[release.privacy]\nk = 50", "nothing of a release is called privacy"),
        ("tier = \"A\"", "decided tier = \"A\""),
        ("most_joined = 0", "decided most_joined = 0"),
    ] {
        project.inputs.policy = Some(project.write("policy.toml", &decided(text)));
        let refused = project.release(&project.path("no"), &settings(Tier::B)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    project.inputs.policy =
        Some(project.write("policy.toml", "version = \"3\"\nrelease = \"tier A\"\n"));
    let refused = project.release(&project.path("no"), &settings(Tier::B)).unwrap_err().to_string();
    assert!(refused.contains("is no table"), "{refused}");
    project.inputs.policy =
        Some(project.write("policy.toml", &decided("k = 10\ntier = \"B\"\nmin_volunteers = 3")));
    let package = project.package(Tier::B);
    let policy = std::fs::read_to_string(package.join("policy.json")).unwrap();
    assert!(policy.contains("embargo_months"), "{policy}");
}

#[test]
fn shapes_of_enough_people_leave_and_no_single_stroke() {
    let mut project = Project::new();
    project.inputs.votes = None;
    let shapes = "workflow_id,task,subject_id,frame,tool,tool_label,shape,cluster,n_seen,n_volunteers,n_marks,fraction,fraction_low,fraction_high,x_px,x_px_sd,points_px,union_px\n\
        7,T0,s1,0,0,=Nose,circle,0,9,5,5,0.55,0.3,0.8,12.5,0.5,\"[[1,2]]\",\"[[3,4]]\"\n\
        7,T0,s1,0,,,circle,1,9,2,2,0.22,0.1,0.5,1.5,0.5,,\n";
    project.inputs.shapes = Some(project.write("shapes.csv", shapes));
    let package = project.package(Tier::C);
    let rows = csv_rows(&package.join("data/shapes.csv"));
    assert_eq!(rows.len(), 2, "what two people drew does not leave");
    let cell = |name: &str| &rows[1][rows[0].iter().position(|c| c == name).unwrap()];
    assert_eq!([cell("tool_label"), cell("x_px"), cell("points_px")], ["'=Nose", "12.5", "[[1,2]]"]);
    assert!(!rows[0].iter().any(|c| c.contains("union") || c == "n_marks"));
    let against = volary_release::verify::Against::default();
    let progress = volary_ingest::Progress::default();
    let verified = volary_release::verify::verify(&package, &against, &progress).unwrap();
    assert!(verified.holds(), "{:#?}", verified.findings);
    // Whoever opted out must be shown not to be among those who drew.
    let volunteer = key("ann").0;
    let members = |who: &str| format!("volunteer,shape\n{who},circle\n");
    project.opt_out(["ann"]);
    let attempt =
        |project: &Project, name: &str| project.release(&project.path(name), &settings(Tier::A));
    // A table of members is no witness for shapes of an earlier day: their own record is.
    let refused = attempt(&project, "none").unwrap_err().to_string();
    assert!(
        refused.contains("--shapes") && refused.contains("no record of a run beside it"),
        "{refused}"
    );
    let list = OptOuts::read(project.inputs.optouts.as_deref().unwrap()).unwrap();
    project.know("shapes", "shapes.csv", &list.stamp().unwrap());
    assert!(attempt(&project, "one").unwrap_err().to_string().contains("table of their members"));
    project.inputs.shapes_members = Some(project.write("members.csv", &members(&volunteer)));
    assert!(attempt(&project, "two").unwrap_err().to_string().starts_with("1 marks are of people"));
    project.inputs.shapes_members = Some(project.write("members.csv", &members("v0")));
    attempt(&project, "three").unwrap();
    // Whoever drew and did not vote has no pseudonym: that one of them left is seen by what the shapes lost.
    project.inputs.previous = Some(package.clone());
    let mut next = settings(Tier::A);
    next.version = "1.1".to_owned();
    project.inputs.shapes = Some(project.write("fewer.csv", &shapes.replace(",9,5,5,", ",8,5,5,")));
    project.know("shapes", "fewer.csv", &list.stamp().unwrap());
    let refused = project.release(&project.path("five"), &next).unwrap_err().to_string();
    assert!(refused.contains("difference of versions") && refused.contains("found 1 of 1"), "{refused}");
    project.inputs.shapes = Some(project.write("shapes.csv", shapes));
    project.know("shapes", "shapes.csv", &list.stamp().unwrap());
    project.release(&project.path("six"), &next).unwrap();
    project.inputs.previous = None;
    project.inputs.shapes = None;
    assert!(attempt(&project, "four").unwrap_err().to_string().starts_with("nothing to release"));
}

#[test]
fn a_project_of_nobody_and_of_one() {
    let project = Project::without(&(0..N_VOLUNTEERS).collect::<Vec<_>>());
    let header =
        "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer\n";
    std::fs::write(project.inputs.votes.as_ref().unwrap(), header).unwrap();
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        project.package(tier);
    }
    let counts = csv_rows(&project.path("package-A/data/counts.csv"));
    assert_eq!(counts.len(), 1);
}
