//! Simulated Zooniverse exports: one workflow with a question of one answer, one of several and a drawing
//! task, one with ranges marked on light curves; repeats, people who were not logged in, beta rows, retirement.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use rand::RngExt as _;
use serde_json::{Value, json};
use volary_core::seed::{Rng, stream};
use volary_crowd::{CrowdParams, SimulatedCrowd, simulate};
use volary_ingest::output::AtomicFile;
use volary_ingest::time::format_ms;

use super::curves::{self, Curve};
use super::pictures::{self, Galaxy, PICTURE_PX};

/// How large the demo is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DemoSize {
    /// Galaxies; a third as many light curves.
    pub(crate) n_subjects: u32,
    /// Volunteers.
    pub(crate) n_volunteers: u32,
}

impl Default for DemoSize {
    fn default() -> Self {
        Self { n_subjects: 600, n_volunteers: 250 }
    }
}

const SHAPES: [&str; 3] = ["Smooth", "Features or disk", "Star or artefact"];
const FEATURES: [(&str, f64); 4] =
    [("Ring", 0.15), ("Merger", 0.08), ("Dust lane", 0.2), ("Tidal tail", 0.05)];
/// The feature that has a companion to draw.
const MERGER: usize = 1;
const SHAPE_QUESTION: &str = "Is the galaxy smooth, or does it show features?";
const FEATURE_QUESTION: &str = "What else can you see?";
const COMPANION_TASK: &str = "Draw a circle around every companion.";
const DIP_TASK: &str = "Mark every dip in the light curve.";
const DIP_QUESTION: &str = "How sure are you?";
const SURE: [&str; 3] = ["Not at all", "Fairly", "Very"];
const GALAXIES: (&str, &str, &str) = ("101", "Odd galaxies", "7.12");
const CURVES: (&str, &str, &str) = ("102", "Dips in light curves", "3.4");
const RETIRE_AT: u32 = 12;
/// Id of the first light curve.
const FIRST_CURVE: u32 = 91_000_000;
const HEADER: &str = "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,\
created_at,gold_standard,expert,metadata,annotations,subject_data,subject_ids";

/// Writes all files.
pub(super) fn write(folder: &Path, size: DemoSize, seed: u64) -> Result<u64> {
    let galaxies = crowd(size.n_subjects, size.n_volunteers, 3, vec![0.55, 0.37, 0.08], seed)?;
    let views =
        crowd((size.n_subjects / 3).max(1), size.n_volunteers, 2, vec![0.7, 0.3], seed.wrapping_add(1))?;
    let mut rows = Vec::new();
    let mut truth = Vec::new();
    let shown = galaxy_rows(&galaxies, seed, &mut rows, &mut truth);
    pictures::write(folder, &shown, seed)?;
    let dips = curve_rows(&views, seed, &mut rows);
    let shown: Vec<Curve> = (0..)
        .zip(views.true_class.iter().zip(&dips))
        .map(|(at, (&class, &dip))| Curve {
            subject_id: FIRST_CURVE + at,
            dip: (class == 1).then_some(dip),
        })
        .collect();
    write_dips(&folder.join("dips.csv"), &shown)?;
    curves::write(&folder.join("light-curves.csv"), &shown, seed)?;
    rows.sort_by_key(|r| (r.created_ms, r.subject));
    write_classifications(&folder.join("classifications.csv"), &rows, seed)?;
    write_workflows(&folder.join("workflows.csv"))?;
    let mut file = AtomicFile::create(&folder.join("truth.csv"))?;
    writeln!(file, "subject_id,T0,T1")?;
    for line in truth {
        writeln!(file, "{line}")?;
    }
    file.commit()?;
    Ok(rows.len() as u64)
}

fn crowd(
    n: u32,
    volunteers: u32,
    classes: u32,
    prevalence: Vec<f64>,
    seed: u64,
) -> Result<SimulatedCrowd> {
    Ok(simulate(&CrowdParams {
        n_subjects: n,
        n_volunteers: volunteers.max(15),
        n_classes: classes,
        votes_per_subject: 11.0,
        min_votes: 7,
        max_votes: 15,
        activity_exponent: 1.1,
        skill: 0.82,
        concentration: 12.0,
        difficulty: 0.25,
        prevalence,
        repeat_fraction: 0.02,
        seed,
        ..CrowdParams::default()
    })?)
}

struct Row {
    created_ms: i64,
    volunteer: u32,
    subject: u32,
    workflow: (&'static str, &'static str, &'static str),
    annotations: Value,
    is_second_generation: bool,
}

/// The simulated crowd works day and night at two votes a second; a real one takes weeks.
fn spread(created_ms: i64) -> i64 {
    const START_MS: i64 = 1_700_000_000_000;
    START_MS + (created_ms - START_MS) * 800
}

/// The mean chance that a volunteer is right, from the confusion matrix that was drawn.
fn skill(crowd: &SimulatedCrowd, volunteer: u32) -> f64 {
    let k = crowd.n_classes as usize;
    let start = volunteer as usize * k * k;
    (0..k).map(|i| crowd.confusion[start + i * k + i]).sum::<f64>() / k as f64
}

/// Adds the classifications of the galaxies and their truth; returns what is to be seen of each.
fn galaxy_rows(
    crowd: &SimulatedCrowd,
    seed: u64,
    rows: &mut Vec<Row>,
    truth: &mut Vec<String>,
) -> Vec<Galaxy> {
    let mut rng = stream(seed, "demo features");
    let features: Vec<[bool; 4]> =
        crowd.true_class.iter().map(|_| FEATURES.map(|(_, p)| rng.random::<f64>() < p)).collect();
    for (subject, (&class, features)) in crowd.true_class.iter().zip(&features).enumerate() {
        let present: Vec<&str> = FEATURES
            .iter()
            .zip(features)
            .filter(|(_, is_there)| **is_there)
            .map(|((name, _), _)| *name)
            .collect();
        truth.push(format!("{},{},{}", 90_000_000 + subject, SHAPES[class as usize], present.join("|")));
    }
    let mut pencil = stream(seed, "demo circles");
    let companions: Vec<Vec<[f64; 3]>> = features
        .iter()
        .map(|features| (0..usize::from(features[MERGER])).map(|_| companion(&mut pencil)).collect())
        .collect();
    for i in 0..crowd.n_votes() {
        let (subject, volunteer) = (crowd.subject[i], crowd.volunteer[i]);
        let sees = skill(crowd, volunteer) * (1.0 - 0.4 * crowd.difficulty[subject as usize]);
        let ticked: Vec<&str> = FEATURES
            .iter()
            .zip(features[subject as usize])
            .filter(|(_, present)| {
                rng.random::<f64>() < if *present { sees } else { 0.25 * (1.0 - sees) }
            })
            .map(|((name, _), _)| *name)
            .collect();
        let annotations = json!([
            {"task": "T0", "task_label": SHAPE_QUESTION, "value": SHAPES[crowd.answer[i] as usize]},
            {"task": "T1", "task_label": FEATURE_QUESTION, "value": ticked},
            {"task": "T2", "task_label": COMPANION_TASK, "value": circles(&mut pencil, &companions[subject as usize], sees)},
        ]);
        rows.push(Row {
            created_ms: spread(crowd.created_ms[i]),
            volunteer,
            subject: 90_000_000 + subject,
            workflow: GALAXIES,
            annotations,
            is_second_generation: false,
        });
    }
    let mut light = stream(seed, "demo brightness");
    let see = |(subject, features): (usize, &[bool; 4])| Galaxy {
        subject_id: 90_000_000 + subject as u32,
        // What is faint is hard to tell.
        magnitude: 15.5 + 2.5 * crowd.difficulty[subject] + light.random_range(0.0..1.0),
        class: crowd.true_class[subject] as u8,
        has_ring: features[0],
        has_dust_lane: features[2],
        has_tail: features[3],
        companion: companions[subject].first().map(|[x, y, _]| (*x, *y)),
    };
    features.iter().enumerate().map(see).collect()
}

/// The dips that are there, as `volary marks --truth` reads them.
fn write_dips(path: &Path, curves: &[Curve]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "subject_id,xmin,xmax,duration")?;
    for curve in curves {
        if let Some((x, width)) = curve.dip {
            let (low, high) = (x - width / 2.0, x + width / 2.0);
            writeln!(file, "{},{low:.4},{high:.4},{width:.4}", curve.subject_id)?;
        }
    }
    file.commit()?;
    Ok(())
}

/// Where a companion is and how large, in pixels of the picture.
fn companion(rng: &mut Rng) -> [f64; 3] {
    let near_middle = 0.2 * PICTURE_PX..0.8 * PICTURE_PX;
    [rng.random_range(near_middle.clone()), rng.random_range(near_middle), rng.random_range(5.0..10.0)]
}

/// The circles that somebody draws who sees so much: round the companions, seldom round nothing.
fn circles(rng: &mut Rng, companions: &[[f64; 3]], sees: f64) -> Value {
    let mut drawn: Vec<[f64; 3]> =
        companions.iter().copied().filter(|_| rng.random::<f64>() < sees).collect();
    if rng.random::<f64>() < 0.05 * (1.0 - sees) {
        drawn.push(companion(rng));
    }
    let mark = |[x, y, r]: [f64; 3]| {
        json!({
            "tool": 0, "tool_label": "Companion", "frame": 0, "details": [],
            "x": x + rng.random_range(-1.5..1.5), "y": y + rng.random_range(-1.5..1.5),
            "r": r * rng.random_range(0.85..1.2),
        })
    };
    Value::Array(drawn.into_iter().map(mark).collect())
}

/// Time of the dip of a light curve of thirty days, and its duration, in days.
fn dip(rng: &mut Rng) -> (f64, f64) {
    (rng.random_range(2.0..28.0), rng.random_range(0.2..0.6))
}

/// Adds the views of the light curves; returns each curve's dip, there or not.
fn curve_rows(crowd: &SimulatedCrowd, seed: u64, rows: &mut Vec<Row>) -> Vec<(f64, f64)> {
    let mut rng = stream(seed, "demo marks");
    let dips: Vec<(f64, f64)> = crowd.true_class.iter().map(|_| dip(&mut rng)).collect();
    for i in 0..crowd.n_votes() {
        let subject = crowd.subject[i];
        let is_there = crowd.true_class[subject as usize] == 1;
        // Who sees a dip where there is none marks some place or other.
        let (x, width) = if is_there { dips[subject as usize] } else { dip(&mut rng) };
        let x = (x + rng.random_range(-0.1_f64..0.1)).clamp(0.0, 30.0);
        let width = width * rng.random_range(0.8..1.4);
        let marks = match crowd.answer[i] {
            1 => {
                json!([{"tool": 0, "toolType": "graph2dRangeX", "x": x, "width": width, "zoomLevelOnCreation": 1}])
            }
            _ => json!([]),
        };
        let sure = (skill(crowd, crowd.volunteer[i]) * 3.0 + rng.random_range(-0.8..0.6)).clamp(0.0, 2.0)
            as usize;
        let annotations = json!([
            {"task": "T0", "task_label": DIP_TASK, "taskType": "dataVisAnnotation", "value": marks},
            {"task": "T1", "task_label": DIP_QUESTION, "value": SURE[sure]},
        ]);
        rows.push(Row {
            created_ms: spread(crowd.created_ms[i] + 61_000),
            volunteer: crowd.volunteer[i],
            subject: FIRST_CURVE + subject,
            workflow: CURVES,
            annotations,
            is_second_generation: true,
        });
    }
    dips
}

/// Name, id and address of a volunteer; a quarter are not logged in.
fn person(volunteer: u32, seed: u64) -> (String, String, String) {
    let hex = blake3::hash(format!("{seed}-{volunteer}").as_bytes()).to_hex();
    let address = hex.as_str()[..20].to_owned();
    if volunteer % 4 == 3 {
        (format!("not-logged-in-{address}"), String::new(), address)
    } else {
        (format!("demo_volunteer_{volunteer:04}"), (1_500_000 + volunteer).to_string(), address)
    }
}

fn quoted(value: &Value) -> String {
    format!("\"{}\"", value.to_string().replace('"', "\"\""))
}

fn write_classifications(path: &Path, rows: &[Row], seed: u64) -> Result<()> {
    let mut rng = stream(seed, "demo times");
    let n_beta = rows.len() / 25;
    let totals = rows.iter().fold(BTreeMap::<u32, u32>::new(), |mut totals, row| {
        *totals.entry(row.subject).or_default() += 1;
        totals
    });
    let mut seen = std::collections::BTreeSet::new();
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "{HEADER}")?;
    for (i, row) in rows.iter().enumerate() {
        let (name, user_id, address) = person(row.volunteer, seed);
        let is_again = !seen.insert((row.workflow.0, row.subject, row.volunteer));
        let seconds = rng.random_range(2.0_f64..6.0).exp2();
        let metadata = metadata(row, seconds, i >= n_beta, is_again && !user_id.is_empty());
        let retired = totals[&row.subject] >= RETIRE_AT;
        let status = if retired {
            json!({"retired_at": format_ms(row.created_ms), "retirement_reason": "classification_count"})
        } else {
            Value::Null
        };
        let mut data = serde_json::Map::new();
        data.insert(row.subject.to_string(), json!({"retired": status, "#field": row.subject % 40}));
        let created =
            format_ms(row.created_ms - row.created_ms % 1000).replace('T', " ").replace('Z', " UTC");
        let (workflow, workflow_name, version) = row.workflow;
        writeln!(
            file,
            "{},{name},{user_id},{address},{workflow},{workflow_name},{version},{created},,,{},{},{},{}",
            400_000_000 + 7 * i,
            quoted(&metadata),
            quoted(&row.annotations),
            quoted(&Value::Object(data)),
            row.subject
        )?;
    }
    file.commit()?;
    Ok(())
}

fn metadata(row: &Row, seconds: f64, is_live: bool, seen_before: bool) -> Value {
    let started = row.created_ms - (seconds * 1000.0) as i64;
    let mut metadata = json!({
        "source": "api", "started_at": format_ms(started), "finished_at": format_ms(row.created_ms),
        "live_project": is_live, "user_language": "en", "utc_offset": "0",
        "viewport": {"width": 1280, "height": 800},
    });
    if seen_before {
        metadata["seen_before"] = Value::Bool(true);
    }
    if row.is_second_generation {
        metadata["classifier_version"] = Value::from("2.0");
    }
    metadata
}

fn write_workflows(path: &Path) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(
        file,
        "workflow_id,display_name,version,active,classifications_count,pairwise,grouped,prioritized,\
         primary_language,first_task,tutorial_subject_id,retired_set_member_subjects_count,tasks,retirement,\
         strings,minor_version"
    )?;
    let question = |key: &str, kind: &str, answers: &[&str]| {
        let labels = |i: usize| json!({"label": format!("{key}.answers.{i}.label")});
        let answers: Vec<Value> = (0..answers.len()).map(labels).collect();
        json!({"type": kind, "question": format!("{key}.question"), "answers": answers})
    };
    let features = FEATURES.map(|(name, _)| name);
    let mut galaxies = json!({
        "T0": question("T0", "single", &SHAPES), "T1": question("T1", "multiple", &features),
        "T2": {
            "type": "drawing", "instruction": "T2.instruction",
            "tools": [{"type": "circle", "label": "T2.tools.0.label", "details": []}],
        },
    });
    // Everybody is asked everything: each answer leads on.
    for answer in galaxies["T0"]["answers"].as_array_mut().into_iter().flatten() {
        answer["next"] = json!("T1");
    }
    galaxies["T1"]["next"] = json!("T2");
    let mut strings = strings("T0", SHAPE_QUESTION, &SHAPES);
    strings.extend(self::strings("T1", FEATURE_QUESTION, &features));
    for (key, text) in [("T2.instruction", COMPANION_TASK), ("T2.tools.0.label", "Companion")] {
        strings.insert(key.to_owned(), Value::from(text));
    }
    workflow_line(&mut file, GALAXIES, &galaxies, strings)?;
    let curves = json!({
        "T0": {"type": "dataVisAnnotation", "instruction": "T0.instruction", "next": "T1"},
        "T1": question("T1", "single", &SURE),
    });
    let mut strings = self::strings("T1", DIP_QUESTION, &SURE);
    strings.insert("T0.instruction".to_owned(), Value::from(DIP_TASK));
    workflow_line(&mut file, CURVES, &curves, strings)?;
    file.commit()?;
    Ok(())
}

fn strings(key: &str, question: &str, answers: &[&str]) -> serde_json::Map<String, Value> {
    let labels = answers.iter().enumerate();
    let mut strings: serde_json::Map<String, Value> =
        labels.map(|(i, label)| (format!("{key}.answers.{i}.label"), Value::from(*label))).collect();
    strings.insert(format!("{key}.question"), Value::from(question));
    strings
}

fn workflow_line(
    file: &mut AtomicFile,
    (id, name, version): (&str, &str, &str),
    tasks: &Value,
    strings: serde_json::Map<String, Value>,
) -> Result<()> {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let retirement = json!({"criteria": "classification_count", "options": {"count": RETIRE_AT}});
    let (tasks, retirement, strings) =
        (quoted(tasks), quoted(&retirement), quoted(&Value::Object(strings)));
    writeln!(
        file,
        "{id},{name},{major},true,0,false,false,false,en,T0,,0,{tasks},{retirement},{strings},{minor}"
    )?;
    Ok(())
}
