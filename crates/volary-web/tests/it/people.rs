//! Votes and those who cast them: what is told of groups, to whom of single people, and that nobody has a name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{QuestionKind, VotesBuilder};
use volary_crowd::interval::{jeffreys, wilson};
use volary_crowd::polls::polls;
use volary_crowd::retire::{Ending, Rule, StudyParams, study};
use volary_crowd::skill::dawid_skene::{DawidSkene, Variant};
use volary_crowd::skill::model::{Extras, Model, Pick, model_consensus};
use volary_crowd::skill::weighted::Weighted;
use volary_crowd::{FractionParams, Repeats, Weights, counted, fraction, volunteers};
use volary_web::Project;
use volary_web::project::{Electorate, ElectorateParts, ModelUse, RunFile, SkillMethod, Standing};

use crate::project::{N, noise, site};
use crate::site::Site;

const N_ACCOUNTS: usize = 60;
const N_SESSIONS: usize = 15;
const WEEK_MS: i64 = 7 * 86_400_000;

/// Somebody's name; those from [`N_ACCOUNTS`] on have no account.
fn name(at: usize) -> String {
    if at < N_ACCOUNTS { format!("zaphod-{at:02}") } else { format!("session-{at:02}") }
}

/// Votes of people of different skill and diligence on all subjects, over ten weeks; what is known of them.
pub(crate) fn parts() -> ElectorateParts {
    let mut next = noise(5);
    let (mut builder, mut truth) = (VotesBuilder::default(), Truth::default());
    let mut id = 0;
    for subject in 0..N {
        let is_yes = subject % 3 != 0;
        if subject < 150 {
            truth.add("T0", &format!("s{subject}"), if is_yes { "yes" } else { "no" });
        }
        let mut seen = BTreeSet::new();
        for _ in 0..9 {
            // A few do most.
            let u = next();
            let who = ((u * u * u) * (N_ACCOUNTS + N_SESSIONS) as f64) as usize;
            if !seen.insert(who) {
                continue;
            }
            let skill = if who % 4 == 3 { 0.35 } else { 0.9 };
            let at_ms = (subject as i64 * 10 / N as i64) * WEEK_MS + (next() * 8e7) as i64;
            id += 1;
            let c = builder.classification(
                "1",
                &format!("s{subject}"),
                &name(who),
                Some(at_ms),
                &id.to_string(),
            );
            let says_yes = (next() < skill) == is_yes;
            let answer = (next() > 0.03).then_some(if says_yes { "yes" } else { "no" });
            builder.vote(c, "T0", QuestionKind::Single, answer);
            let ticked: Vec<&str> = ["ring", "disk"]
                .into_iter()
                .filter(|_| (next() < skill) == (subject % 2 == 0))
                .collect();
            for one in &ticked {
                builder.vote(c, "T1", QuestionKind::Multiple, Some(one));
            }
            if ticked.is_empty() {
                builder.vote(c, "T1", QuestionKind::Multiple, None);
            }
        }
    }
    let votes = builder.finish();
    let people = votes
        .volunteers
        .iter()
        .map(|name| Standing {
            is_anonymous: name.starts_with("session"),
            is_out: name == "zaphod-01" || name == "zaphod-02",
        })
        .collect();
    let method = |name: &str, model: Model| SkillMethod { name: name.to_owned(), model };
    ElectorateParts {
        votes,
        people,
        repeats: Repeats::First,
        params: FractionParams::default(),
        truth: Some(truth),
        gold: None,
        methods: vec![
            method("dawid-skene", Model::DawidSkene(DawidSkene::new(Variant::Shrunk))),
            method("wawa", Model::Weighted(Weighted::default())),
        ],
    }
}

pub(crate) fn electorate(parts: ElectorateParts) -> Electorate {
    Electorate::new(parts)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn near(a: &Value, b: f64) {
    assert!((number(a) - b).abs() < 1e-12, "{a} {b}");
}

#[test]
fn the_course_of_a_consensus_ends_at_the_consensus() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ElectorateParts { votes, people, .. } = parts();
    let (counts, params) = (counted(&votes, Repeats::First), FractionParams::default());
    let plain = fraction(&votes, &counts, None, &params).expect("counted");
    // Weights of bands of ten people or more, made here by hand.
    let rows = volunteers(&votes, &counts, &params).expect("counted").rows;
    let own: Vec<f64> = rows.iter().map(|r| r.agreement_shrunk.expect("fitted")).collect();
    let mut accounts: Vec<usize> = (0..own.len()).filter(|at| !people[*at].is_anonymous).collect();
    let rest: Vec<usize> = (0..own.len()).filter(|at| people[*at].is_anonymous).collect();
    accounts.sort_by(|a, b| own[*a].total_cmp(&own[*b]).then(a.cmp(b)));
    let mut bands: Vec<Vec<usize>> = accounts.chunks(10).map(<[usize]>::to_vec).collect();
    if bands.len() > 1 && bands.last().is_some_and(|band| band.len() < 10) {
        let last = bands.pop().expect("there");
        bands.last_mut().expect("there").extend(last);
    }
    bands.push(rest);
    let mut weight = vec![0.0; own.len()];
    for band in &bands {
        let mean = band.iter().map(|at| own[*at]).sum::<f64>() / band.len() as f64;
        band.iter().for_each(|at| weight[*at] = mean.max(0.01));
    }
    let per_classification = votes.volunteer.iter().map(|v| weight[*v as usize]).collect();
    let weighted =
        fraction(&votes, &counts, Some(&Weights { per_classification }), &params).expect("counted");
    let mut n_apart = 0;
    for subject in [0, 7, 150, 299] {
        let said = site.get(&format!("/project/subjects/s{subject}/votes"), &site.read).is(200).json();
        let questions = said["questions"].as_array().expect("questions");
        assert_eq!(questions.len(), 2);
        for (index, question) in questions.iter().enumerate() {
            let place =
                votes.subjects.iter().position(|s| *s == format!("s{subject}")).expect("there") as u32;
            let item = plain.find(index as u32, place).expect("seen");
            let other = weighted.find(index as u32, place).expect("seen");
            let steps = question["steps"].as_array().expect("steps");
            let last = steps.last().expect("one");
            assert_eq!(last["n"].as_u64(), Some(u64::from(item.n_seen)));
            assert_eq!(question["is_multiple"], index == 1);
            let times: Vec<&str> = steps.iter().map(|s| s["at"].as_str().expect("a time")).collect();
            assert!(times.is_sorted());
            for (at, answer) in question["answers"].as_array().expect("answers").iter().enumerate() {
                let answers = &votes.questions[index].answers;
                let share = |of: &volary_crowd::Consensus, item: &volary_crowd::Item| {
                    let all = of.answers_of(item).to_vec();
                    *all.iter()
                        .find(|s| answers[s.answer as usize] == answer.as_str().expect("text"))
                        .expect("given")
                };
                let (raw, weighed) = (share(&plain, item), share(&weighted, other));
                assert_eq!(last["n_votes"][at].as_u64(), Some(u64::from(raw.n_votes)));
                near(&last["share"][at][0], raw.fraction);
                near(&last["share"][at][1], raw.interval.low);
                near(&last["share"][at][2], raw.interval.high);
                near(&last["weighted"][at][0], weighed.fraction);
                assert!((number(&last["weighted"][at][1]) - weighed.interval.low).abs() < 1e-9);
                n_apart += usize::from((raw.fraction - weighed.fraction).abs() > 1e-3);
            }
        }
    }
    assert!(n_apart > 0, "weights change nothing here");
}

#[test]
fn a_rule_retires_where_the_command_says() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ElectorateParts { votes, .. } = parts();
    let polls = polls(&votes, &counted(&votes, Repeats::First));
    let mut n_retired = 0;
    for text in [
        "count:5",
        "agree:4:0.8",
        "first:3",
        "beta:0.9",
        "beta:0.9:fitted",
        "positive:3:0.6:yes",
        "swap:0.95",
    ] {
        let rule = Rule::parse(text).expect("a rule");
        for subject in [0, 7, 151] {
            let path = format!("/project/subjects/s{subject}/votes?rule={text}");
            let said = site.get(&path, &site.read).is(200).json();
            for poll in &polls {
                let question = &said["questions"][poll.question as usize];
                let none = vec![None; poll.subjects.len()];
                let rules = std::slice::from_ref(&rule);
                let found =
                    study(poll, votes.volunteers.len(), (&none, &none), rules, &StudyParams::default())
                        .expect("fits");
                let about = poll
                    .about
                    .map(|a| votes.questions[poll.question as usize].answers[a as usize].clone());
                let shown = question["rules"].as_array().expect("rules");
                let shown = shown.iter().find(|r| r["about"].as_str() == about.as_deref());
                let place =
                    votes.subjects.iter().position(|s| *s == format!("s{subject}")).expect("there")
                        as u32;
                let stopped =
                    found.rules[0].subjects.iter().find(|s| poll.subjects[s.subject as usize] == place);
                let (Some(shown), Some(stopped), true) = (shown, stopped, found.has_answer(0)) else {
                    continue;
                };
                let at = (stopped.ending == Ending::Rule).then_some(u64::from(stopped.n_taken));
                assert_eq!(shown["at"].as_u64(), at, "{text} s{subject} {about:?}");
                let answer = stopped.answer.map(|a| poll.labels[a as usize].as_str());
                assert_eq!(shown["answer"].as_str(), answer);
                n_retired += usize::from(at.is_some());
            }
        }
    }
    assert!(n_retired > 10, "{n_retired}");
    let usual = site.get("/project/subjects/s0/votes", &site.read).is(200).json();
    let rules = usual["questions"][0]["rules"].as_array().expect("rules");
    assert!(
        rules
            .iter()
            .any(|r| r["rule"] == "agree:8:0.8" && r["threshold"] == json!({ "n": 8, "share": 0.8 }))
    );
    assert_eq!(usual["live_retires_at"], 14);
    assert_eq!(usual["live_alerts"][0], json!({ "n": 8, "share": 0.8, "answer": "real" }));
    site.get("/project/subjects/s0/votes?rule=sometimes", &site.read).is(400);
}

#[test]
fn what_if_is_the_difference_of_two_consensuses() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ElectorateParts { votes, methods, .. } = parts();
    let (counts, params) = (counted(&votes, Repeats::First), FractionParams::default());
    let equal = fraction(&votes, &counts, None, &params).expect("counted");
    let mut n = 0;
    for SkillMethod { name, model } in methods {
        let said = site.get(&format!("/volunteers/what_if?method={name}"), &site.read).is(200).json();
        let fitted = model_consensus(
            &votes,
            &counts,
            equal.clone(),
            &Pick::Fixed(model),
            &Extras::default(),
            0.95,
        )
        .expect("fits");
        for (index, question) in said["questions"].as_array().expect("questions").iter().enumerate() {
            let both =
                equal.of_question(index as u32).iter().zip(fitted.consensus.of_question(index as u32));
            let changed: Vec<&str> = both
                .filter(|(a, b)| a.outcome != b.outcome)
                .map(|(a, _)| votes.subjects[a.subject as usize].as_str())
                .collect();
            let shown = question["changed"].as_array().expect("changed");
            let shown: Vec<&str> =
                shown.iter().map(|c| c["subject_id"].as_str().expect("an id")).collect();
            assert_eq!(shown, changed, "{name} {index}");
            assert_eq!(question["n_changed"].as_u64(), Some(changed.len() as u64));
            let interval = wilson(changed.len() as f64, N as f64, 0.95);
            near(&question["share_low"], interval.low);
            near(&question["share_high"], interval.high);
            n += changed.len();
        }
    }
    assert!(n > 0, "nothing changes");
    let first = site.get("/volunteers/what_if", &site.read).is(200).json();
    assert_eq!(
        (first["method"].as_str(), &first["methods"]),
        (Some("dawid-skene"), &json!(["dawid-skene", "wawa"]))
    );
    site.get("/volunteers/what_if?method=oracle", &site.read).is(400);
}

#[test]
fn agreement_is_told_by_answer() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let said = site.get("/volunteers/classes", &site.read).is(200).json();
    let ElectorateParts { votes, people, .. } = parts();
    let counts = counted(&votes, Repeats::First);
    let mut sums: BTreeMap<(u32, u32), BTreeMap<u32, (u64, u64)>> = BTreeMap::new();
    let told = volary_crowd::compare(&votes, &counts, |_, _| true, Vec::new, |all, one| all.push(one));
    for one in told.expect("counted").into_iter().flatten() {
        let person = &people[one.volunteer as usize];
        // Nobody knows how many people the sessions are.
        if one.is_yes && !person.is_out && !person.is_anonymous {
            let sum =
                sums.entry((one.question, one.answer)).or_default().entry(one.volunteer).or_default();
            *sum = (sum.0 + u64::from(one.n_agree), sum.1 + u64::from(one.n));
        }
    }
    for (index, question) in said["questions"].as_array().expect("questions").iter().enumerate() {
        for class in question["classes"].as_array().expect("classes") {
            let answers = &votes.questions[index].answers;
            let at =
                answers.iter().position(|a| class["answer"] == a.as_str()).expect("an answer") as u32;
            let of = &sums[&(index as u32, at)];
            let (k, n) = of.values().fold((0, 0), |(k, n), one| (k + one.0, n + one.1));
            assert_eq!(class["n_people"].as_u64(), Some(of.len() as u64));
            assert!(of.len() >= 10);
            near(&class["share"], k as f64 / n as f64);
            // Wider than if all votes were of different people.
            let plain = wilson(k as f64, n as f64, 0.95);
            assert!(number(&class["share_high"]) - number(&class["share_low"]) > plain.width());
        }
    }
    assert_eq!(said["questions"][0]["classes"].as_array().map(Vec::len), Some(2));
}

/// What everybody has in a poll of one answer, by their name.
fn on_known(votes: &Votes, truth: &Truth) -> BTreeMap<String, BTreeMap<String, (u64, u64)>> {
    let mut out: BTreeMap<String, BTreeMap<String, (u64, u64)>> = BTreeMap::new();
    for vote in votes.of_question(0).iter().filter(|v| v.answer != u32::MAX) {
        let answer = &votes.questions[0].answers[vote.answer as usize];
        if let [right] = truth.answers("T0", &votes.subjects[votes.subject_of(*vote) as usize]) {
            let who = votes.volunteers[votes.volunteer_of(*vote) as usize].clone();
            let sum = out.entry(who).or_default().entry(right.clone()).or_default();
            *sum = (sum.0 + 1, sum.1 + u64::from(answer == right));
        }
    }
    out
}

#[test]
fn single_people_are_for_admins_and_have_no_name() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    site.get("/volunteers", &site.read).is(403);
    site.get("/volunteers", &site.write).is(403);
    site.ask("GET", "/api/v1/volunteers", None, "").is(401);
    let all = site.get("/volunteers?page_size=1000", &site.admin).is(200).json();
    let ElectorateParts { votes, truth, people, .. } = parts();
    let rows = all["volunteers"].as_array().expect("rows");
    let n_told = people.iter().filter(|p| !p.is_anonymous && !p.is_out).count();
    assert_eq!((rows.len(), all["n"].as_u64()), (n_told, Some(n_told as u64)));
    assert_eq!((all["n_opted_out"].as_u64(), all["enough"].as_u64()), (Some(2), Some(20)));
    let n_sessions = people.iter().filter(|p| p.is_anonymous).count();
    assert_eq!(all["anonymous"]["n_sessions"].as_u64(), Some(n_sessions as u64));
    let n: Vec<u64> = rows.iter().map(|r| r["n_classifications"].as_u64().expect("a number")).collect();
    assert!(n.is_sorted_by(|a, b| a >= b), "most first: {n:?}");
    // The multiset of what is told is that of the people; who is who, is not told.
    let known = on_known(&votes, truth.as_ref().expect("there"));
    let mut expected: Vec<Vec<(String, u64, u64)>> = Vec::new();
    for (name, classes) in &known {
        let is_told = name.starts_with("zaphod") && name != "zaphod-01" && name != "zaphod-02";
        if is_told && classes.values().map(|c| c.0).sum::<u64>() >= 20 {
            expected.push(classes.iter().map(|(class, (n, k))| (class.clone(), *n, *k)).collect());
        }
    }
    let mut found: Vec<Vec<(String, u64, u64)>> = Vec::new();
    for row in rows {
        let skills = row["skills"].as_array().expect("skills");
        assert_eq!(row["has_evidence"], !skills.is_empty());
        if skills.is_empty() {
            assert!(row["n_gold"].as_u64() < Some(20), "{row}");
            continue;
        }
        found.push(
            skills
                .iter()
                .map(|s| {
                    let (n, k) = (s["n"].as_u64().expect("n"), s["n_right"].as_u64().expect("k"));
                    let interval = jeffreys(k as f64, n as f64, 0.95);
                    near(&s["skill"], k as f64 / n as f64);
                    near(&s["skill_low"], interval.low);
                    near(&s["skill_high"], interval.high);
                    (s["class"].as_str().expect("a class").to_owned(), n, k)
                })
                .collect(),
        );
    }
    expected.sort();
    found.sort();
    assert!(expected.len() > 5 && expected.len() < n_told, "{}", expected.len());
    assert_eq!(found, expected);
    // The widest first, and nothing by skill.
    let unsure = site.get("/volunteers?page_size=1000&sort=uncertainty", &site.admin).is(200).json();
    let widths: Vec<f64> = unsure["volunteers"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let widths = row["skills"]
                .as_array()
                .expect("skills")
                .iter()
                .map(|s| number(&s["skill_high"]) - number(&s["skill_low"]));
            widths.fold(-1.0, f64::max)
        })
        .collect();
    assert!(widths.is_sorted_by(|a, b| a >= b), "{widths:?}");
    site.get("/volunteers?sort=skill", &site.admin).is(400);
    // Page by page the same.
    let (mut parts, mut path) = (Vec::new(), "/volunteers?page_size=7".to_owned());
    loop {
        let part = site.get(&path, &site.admin).is(200).json();
        parts.extend(part["volunteers"].as_array().expect("rows").clone());
        let Some(next) = part["links"]["next"].as_str() else { break };
        path = next.replace("/api/v1", "");
    }
    assert_eq!(&parts, rows);
    // Another run of the server: other names.
    let names = |all: &Value| -> BTreeSet<String> {
        let rows = all["volunteers"].as_array().expect("rows");
        rows.iter().map(|r| r["pseudonym"].as_str().expect("one").to_owned()).collect()
    };
    let (folder, before) = (tempfile::tempdir().expect("made"), names(&all));
    let other = crate::project::site(&folder);
    let after = names(&other.get("/volunteers?page_size=1000", &other.admin).is(200).json());
    assert_eq!((before.len(), after.len()), (n_told, n_told));
    assert!(before.is_disjoint(&after));
}

#[test]
fn no_answer_holds_a_name() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let document: Value = serde_json::from_str(&volary_web::openapi_json()).expect("is there");
    let mut n = 0;
    for path in document["paths"].as_object().expect("paths").keys() {
        let concrete = path.replace("{id}", "s0").replace("{n}", "0").replace("{name}", "x");
        if concrete == "/api/v1/events" {
            continue;
        }
        for token in [&site.read, &site.admin] {
            for (method, body) in [("GET", ""), ("POST", "{}")] {
                if method == "POST" && !path.contains("/tables/") {
                    continue;
                }
                let path = concrete.replace("/tables/s0", "/tables/subjects");
                let said = site.ask(method, &path, Some(token), body);
                assert!(
                    !said.text.contains("zaphod") && !said.text.contains("session-"),
                    "{method} {path}"
                );
                n += usize::from(said.status == 200);
            }
        }
    }
    assert!(n > 40, "{n}");
}

#[test]
fn a_slice_tells_its_maps_and_who_disagrees() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let few = json!({ "filter": "subject_id in ('s0', 's1', 's2', 's3')" });
    let said = site.post("/tables/subjects/slice", &site.read, &few).is(200).json();
    let overlap = &said["overlaps"][0];
    assert_eq!(
        (&overlap["class"], &overlap["other"], overlap["n"].as_u64()),
        (&json!("disk"), &json!("ring"), Some(3))
    );
    near(&overlap["mean"], 0.3);
    assert!(overlap["low"].as_f64() < Some(0.3) && overlap["high"].as_f64() > Some(0.3));
    assert_eq!((said["n"].as_u64(), said["n_attention"].as_u64()), (Some(4), Some(4)));
    let ElectorateParts { votes, people, .. } = parts();
    let counts = counted(&votes, Repeats::First);
    let mut n_of = vec![0_u64; votes.volunteers.len()];
    votes.volunteer.iter().for_each(|v| n_of[*v as usize] += 1);
    let all = site.post("/tables/subjects/slice", &site.read, &json!({})).is(200).json();
    let sides = all["sides"].as_array().expect("sides");
    assert_eq!(
        sides.iter().map(|s| s["name"].as_str().expect("text")).collect::<Vec<_>>(),
        ["new", "experienced"]
    );
    let (cut, end) =
        (sides[1]["from"].as_u64().expect("a cut"), sides[0]["to"].as_u64().expect("an end"));
    assert_eq!(cut, end + 1);
    assert!(sides[1]["to"].is_null());
    let told = volary_crowd::compare(&votes, &counts, |_, _| true, Vec::new, |all, one| all.push(one));
    let told: Vec<_> = told.expect("counted").into_iter().flatten().collect();
    for (side, is_in) in [(&sides[0], true), (&sides[1], false)] {
        let of = told.iter().filter(|one| {
            let who = one.volunteer as usize;
            !people[who].is_anonymous && !people[who].is_out && (n_of[who] < cut) == is_in
        });
        let n: u32 = of.clone().map(|one| one.n).sum();
        let k: u32 = of.clone().map(|one| one.n_agree).sum();
        let who: BTreeSet<u32> = of.map(|one| one.volunteer).collect();
        assert_eq!(
            (side["n_votes"].as_u64(), side["n_people"].as_u64()),
            (Some(n.into()), Some(who.len() as u64))
        );
        assert!(who.len() >= 10);
        near(&side["disagree"], 1.0 - f64::from(k) / f64::from(n));
        assert!(side["disagree_low"].as_f64() < side["disagree"].as_f64());
        assert!(side["disagree_high"].as_f64() > side["disagree"].as_f64());
    }
    // One subject has nine voters: nobody is told of.
    let one = json!({ "filter": "subject_id = 's0'" });
    assert_eq!(site.post("/tables/subjects/slice", &site.read, &one).is(200).json()["sides"], json!([]));
    // Some more: together ten, apart not.
    for n in 2..30 {
        let ids: Vec<String> = (0..n).map(|i| format!("'s{i}'")).collect();
        let body = json!({ "filter": format!("subject_id in ({})", ids.join(", ")) });
        let said = site.post("/tables/subjects/slice", &site.read, &body).is(200).json();
        for side in said["sides"].as_array().expect("sides") {
            assert!(side["n_people"].as_u64() >= Some(10), "{said}");
        }
    }
    site.post("/tables/subjects/slice", &site.read, &json!({ "filter": "zz > 1" })).is(400);
}

#[test]
fn saved_slices_are_predicates_with_the_crowds_errors() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let new = |name: &str, filter: &str| json!({ "name": name, "table": "subjects", "filter": filter });
    site.post("/slices", &site.read, &new("bright", "score > 0.5")).is(403);
    let saved = site.post("/slices", &site.write, &new("bright", "(score > 0.5)")).is(201).json();
    assert_eq!(saved["filter"], "score > 0.5", "as the parser writes it");
    site.post("/slices", &site.write, &new("bright", "score > 0.6")).is(200);
    site.post("/slices", &site.write, &new("one", "subject_id = 's1'")).is(201);
    site.post("/slices", &site.write, &new("broken", "score >")).is(400);
    site.post("/slices", &site.write, &new(" ", "score > 1")).is(422);
    site.post("/slices", &site.write, &new("empty", " ")).is(422);
    site.post("/slices", &site.write, &json!({ "name": "a", "table": "zz", "filter": "x > 1" })).is(404);
    let said = site.get("/slices", &site.read).is(200).json();
    assert_eq!((&said["takes_slices"], said["few"].as_u64()), (&json!(true), Some(30)));
    let slices = said["slices"].as_array().expect("slices");
    assert_eq!(
        slices.iter().map(|s| s["name"].as_str().expect("text")).collect::<Vec<_>>(),
        ["bright", "one"]
    );
    let query = json!({ "filter": "score > 0.6" });
    let counted_by_page = site.post("/tables/subjects/query", &site.read, &query).is(200).json();
    assert_eq!(slices[0]["n"], counted_by_page["n_selected"]);
    // By hand: plurality of the votes against what is known.
    let ElectorateParts { votes, truth, .. } = parts();
    let truth = truth.expect("there");
    let plain = fraction(&votes, &counted(&votes, Repeats::First), None, &FractionParams::default())
        .expect("counted");
    let score = crate::project::data().score;
    let (mut inside, mut outside) = ((0_u64, 0_u64), (0_u64, 0_u64));
    for item in plain.of_question(0) {
        let id = &votes.subjects[item.subject as usize];
        let (volary_crowd::Outcome::Agreed(agreed), [right]) = (&item.outcome, truth.answers("T0", id))
        else {
            continue;
        };
        let row: usize = id[1..].parse().expect("a number");
        let to = if score[row] > 0.6 { &mut inside } else { &mut outside };
        *to = (to.0 + 1, to.1 + u64::from(votes.questions[0].answers[agreed[0] as usize] != *right));
    }
    let errors = &slices[0]["errors"][0];
    assert!(inside.0 >= 30 && outside.0 >= 30, "{inside:?} {outside:?}");
    assert_eq!((errors["n"].as_u64(), errors["n_wrong"].as_u64()), (Some(inside.0), Some(inside.1)));
    near(&errors["rate_rest"], outside.1 as f64 / outside.0 as f64);
    let interval = jeffreys(inside.1 as f64, inside.0 as f64, 0.95);
    near(&errors["rate_low"], interval.low);
    let few = &slices[1]["errors"][0];
    assert!(few["n_wrong"].is_null() && few["rate"].is_null() && few["n"].as_u64() < Some(30), "{few}");
    // On disk, and gone when it is taken away.
    let text = std::fs::read_to_string(folder.path().join("slices.json")).expect("written");
    assert!(text.contains("score > 0.6") && !text.contains("s12"), "{text}");
    let id = slices[1]["id"].as_str().expect("an id");
    site.ask("DELETE", &format!("/api/v1/slices/{id}"), Some(&site.read), "").is(403);
    assert_eq!(site.ask("DELETE", &format!("/api/v1/slices/{id}"), Some(&site.write), "").status, 204);
    site.ask("DELETE", &format!("/api/v1/slices/{id}"), Some(&site.write), "").is(404);
    let bare = Site::start();
    assert_eq!(bare.get("/slices", &bare.read).is(200).json()["takes_slices"], false);
}

#[test]
fn drift_and_the_use_of_data_are_told() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let asked = json!({ "machine": "x", "crowd": "y" });
    let said = site.post("/tables/subjects/machine", &site.read, &asked).is(200).json();
    let drift = &said["drift"];
    assert_eq!((drift["n"].as_u64(), drift["n_windows"].as_u64()), (Some(30), Some(9)));
    assert_eq!((drift["n_before"].as_u64(), drift["window_days"].as_u64()), (Some(270), Some(7)));
    assert!(drift["band_low"].as_f64() < drift["share_before"].as_f64());
    assert!(drift["band_high"].as_f64() > drift["share_before"].as_f64());
    let (low, high) = (number(&drift["band_low"]), number(&drift["band_high"]));
    assert_eq!(drift["is_off"], json!(!(low..=high).contains(&number(&drift["share"]))));
    let agree = number(&said["n_agree"]) / number(&said["n"]);
    assert!(number(&said["agree_low"]) < agree && number(&said["agree_high"]) > agree);
    let said = site.get("/project/data_use", &site.read).is(200).json();
    assert_eq!((said["n_opted_out"].as_u64(), &said["models"]), (Some(2), &json!([])));
    assert_eq!(
        (said["label_set"]["n_lines"].as_u64(), said["label_set"]["n_labels"].as_u64()),
        (Some(0), Some(0))
    );
    let empty = said["label_set"]["version"].clone();
    let label = json!({ "id": "1", "subject_id": "s1", "question": "class", "value": "ring" });
    site.post("/labels", &site.write, &label).is(201);
    let said = site.get("/project/data_use", &site.read).is(200).json();
    let bytes = std::fs::read(folder.path().join("labels.jsonl")).expect("written");
    assert_eq!(said["label_set"]["version"], blake3::hash(&bytes).to_hex()[..12]);
    assert_ne!(said["label_set"]["version"], empty);
    let model = ModelUse {
        folder: "models/ring".into(),
        learned_from: vec![RunFile { path: "gold.csv".into(), bytes: 7, blake3: "ab".repeat(32) }],
        n_out_since: Some(1),
        ..ModelUse::default()
    };
    let with = Site::with(|settings| {
        settings.project = Arc::new(Project { models: vec![model], ..Project::default() });
    });
    let said = with.get("/project/data_use", &with.read).is(200).json();
    assert_eq!(said["models"][0]["learned_from"][0]["path"], "gold.csv");
    assert!(said["label_set"].is_null());
}
