//! The page of a card: sections in the order of Mitchell et al. 2019, each from the files of the folder.

use std::fmt::Write as _;

use serde_json::Value;

use super::evaluation::{self, Estimate, Named};
use super::front::{methods, name};
use super::{Folder, LINEAGE_FILE, Said};
use crate::cost::Span;
use crate::lineage::Standing;

/// What is known of a kind of model beside its folder. A kind that is not here has a card without it.
pub(super) struct Family {
    kind: &'static str,
    what: &'static str,
    /// The task, by Hugging Face's name.
    pub(super) task: &'static str,
}

const FAMILIES: [Family; 4] = [
    Family {
        kind: "confusion",
        what: "A convolutional variational autoencoder with a linear classifier on its latent numbers: it rebuilds a picture and says the volunteers' consensus from the same numbers (Sankar et al. 2024, doi:10.5334/cstp.731).",
        task: "image-classification",
    },
    Family {
        kind: "anomaly",
        what: "A generative adversarial network with an encoder: pictures that it cannot make are odd (Storey-Fisher et al. 2021, doi:10.1093/mnras/stab2589).",
        task: "other",
    },
    Family {
        kind: "autoencoder",
        what: "A convolutional autoencoder: pictures that it rebuilds badly are odd (Sakurada & Yairi 2014, doi:10.1145/2689746.2689747).",
        task: "other",
    },
    Family {
        kind: "classifier",
        what: "A convolutional network that tells classes of pictures apart.",
        task: "image-classification",
    },
];

pub(super) fn family(kind: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.kind == kind)
}

/// Why some slices have no numbers.
const TOO_FEW: &str = "A slice of too few pictures, or groups of pictures, has no numbers.";

/// Words of ours that only some cards have: of small slices, and of an odd calibration.
pub(super) fn words_of_some() -> String {
    const OF_SOME: &str = "not enough data. The calibration of a class stretches the network's numbers many times, \
        presses them to a share of what they were: it says next to nothing, is far too sure of itself, or too few \
        pictures were kept for it (stop-share).";
    format!("{TOO_FEW}\n{OF_SOME}")
}

/// The page, from its title on.
pub(super) fn page(folder: &Folder, said: &Said<'_>) -> String {
    let mut out = String::new();
    title(folder, said, &mut out);
    what(folder, &mut out);
    uses(said, &mut out);
    data(folder, said, &mut out);
    training(folder, &mut out);
    searched(folder, &mut out);
    quality(folder, &mut out);
    biases(said, &mut out);
    cost(folder, &mut out);
    licence(folder, said, &mut out);
    loading(folder, &mut out);
    lineage(folder, &mut out);
    out
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{ let _ = write!($out, $($text)*); }};
}

fn title(folder: &Folder, said: &Said<'_>, out: &mut String) {
    put!(out, "\n# {}\n\n", cell(&name(folder, said)));
    match said.prose {
        Some((_, version)) => put!(
            out,
            "Model `{}`. Every number is from the files of its folder, every sentence about its use from the team's policy {}. `volary card --check` tells whether it is still so.\n",
            folder.id(),
            cell(version)
        ),
        None => put!(
            out,
            "Model `{}`. A draft: what only people can say is missing. `volary card` with a policy and a list of known biases makes the card.\n",
            folder.id()
        ),
    }
}

fn what(folder: &Folder, out: &mut String) {
    put!(out, "\n## What it is\n\n");
    match family(folder.kind()) {
        Some(family) => put!(out, "{}\n\n", family.what),
        None => put!(out, "A model of kind `{}`.\n\n", cell(folder.kind())),
    }
    let mut rows = Vec::new();
    for w in &folder.weights {
        let types = w.types.join(", ");
        rows.push((
            w.file.clone(),
            format!("{} numbers in {} tensors ({types}), {} bytes", w.n_numbers, w.n_tensors, w.n_bytes),
        ));
    }
    if let Some(shape) = folder.config.get("shape") {
        flatten("shape", shape, &mut rows);
    }
    table(("", ""), &rows, out);
}

fn uses(said: &Said<'_>, out: &mut String) {
    put!(out, "\n## What it is for\n\n");
    let Some((prose, _)) = said.prose else {
        put!(out, "Not stated: no policy was given.\n");
        return;
    };
    put!(out, "{}\n\n**Not for:** {}\n", prose.intended_use.trim(), prose.out_of_scope.trim());
    if let Some(limits) = &prose.limits {
        put!(out, "\n{}\n", limits.trim());
    }
}

fn data(folder: &Folder, said: &Said<'_>, out: &mut String) {
    put!(out, "\n## What it learned from\n\n");
    match said.prose {
        Some((prose, _)) => put!(out, "{}\n\n", prose.data.trim()),
        None => put!(out, "Where the data are from: not stated, no policy was given.\n\n"),
    }
    let mut rows: Vec<(String, String)> = Vec::new();
    let config = |name: &str| folder.config.get(name).filter(|v| !v.is_null());
    for (name, shown) in [
        ("n_train", "learned from"),
        ("n_stop", "stopped by"),
        ("n_held_out", "held out"),
        ("typical_n_seen", "votes of a typical one"),
        ("classes", "classes"),
        ("unchosen", "classes that nobody chose, left out"),
        ("labels_blake3", "labels (BLAKE3)"),
    ] {
        if let Some(value) = config(name).filter(|v| v.as_array().is_none_or(|a| !a.is_empty())) {
            rows.push((shown.to_owned(), plain(value)));
        }
    }
    let of_opted_out = match folder.standing(|run| run.without_opted_out) {
        Standing::Without => "left out, of those who had opted out when it was made".to_owned(),
        Standing::Unknown => "no list of them was given".to_owned(),
        Standing::With(command) => format!("no list of them was given to `volary {command}`"),
    };
    rows.push(("votes of people who opted out".to_owned(), of_opted_out));
    for file in &folder.run.inputs {
        rows.push((
            format!("input {}", file.name),
            format!("{} bytes, BLAKE3 {}", file.n_bytes, file.blake3),
        ));
    }
    table(("", ""), &rows, out);
}

fn training(folder: &Folder, out: &mut String) {
    put!(out, "\n## How it was trained\n\n");
    let mut rows = Vec::new();
    rows.push(("Volary".to_owned(), folder.run.volary.clone()));
    if let Some(seed) = folder.run.seed {
        rows.push(("seed".to_owned(), seed.to_string()));
    }
    if let Some(version) = folder.record.get("policy").and_then(Value::as_str) {
        rows.push(("policy when it was trained".to_owned(), version.to_owned()));
    }
    for name in ["n_epochs", "ended", "settings", "preprocessing"] {
        if let Some(value) = folder.config.get(name) {
            flatten(name, value, &mut rows);
        }
    }
    // The seed stands above.
    rows.retain(|(name, _)| name != "settings seed");
    table(("setting", ""), &rows, out);
}

/// The search that it came out of.
fn searched(folder: &Folder, out: &mut String) {
    let of = &folder.search;
    let done: Vec<&Value> =
        of["candidates"].as_array().into_iter().flatten().filter(|c| !c.is_null()).collect();
    let Some(kept) = of["kept"].as_u64().filter(|n| *n > 0) else { return };
    let kept = &of["candidates"][kept as usize - 1];
    let loss = |candidate: &Value| candidate["loss"][0].as_f64().unwrap_or(f64::NAN);
    let losses: Vec<f64> = done.iter().map(|c| loss(c)).collect();
    let ends =
        losses.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
    let how = match of["keep"].as_str() {
        Some("best") => "the one with the least loss",
        _ => "the smallest within one standard error of the one with the least loss",
    };
    put!(
        out,
        "\n### How its settings were found\n\nOut of {} candidates of {} planned; kept is {how}, on pictures that nothing below is about. The best of many looks better than it is: {:.4} of this one is not said again.\n\n",
        done.len(),
        of["n_planned"],
        loss(kept)
    );
    let mut rows =
        vec![("losses above the floor".to_owned(), format!("{:.4} to {:.4}", ends.0, ends.1))];
    if let Some(options) = kept["options"].as_object() {
        rows.extend(options.iter().map(|(name, value)| (format!("searched: {name}"), plain(value))));
    }
    let total = |name: &str| of["total"][name].as_f64().unwrap_or(0.0);
    rows.push((
        "the whole search took".to_owned(),
        format!(
            "{:.0} s, of all processors {:.0} s; {} kWh",
            total("wall_s"),
            total("cpu_s"),
            digits(total("energy_kwh"))
        ),
    ));
    if let Some(why) = of["stopped"].as_str() {
        rows.push(("ended before all were tried".to_owned(), why.to_owned()));
    }
    table(("", ""), &rows, out);
}

fn quality(folder: &Folder, out: &mut String) {
    put!(out, "\n## How good it is\n\n");
    let rows = folder.rows();
    if rows.is_empty() {
        put!(out, "Nothing was held out, so that nothing can be said.\n");
        return;
    }
    let level = match evaluation::interval_level(&folder.metrics) {
        Some(level) => format!("{:.0} % intervals", 100.0 * level),
        None => "Intervals of a level that is not stated".to_owned(),
    };
    put!(
        out,
        "On what it never saw in training. {level} in brackets; – where there was nothing to measure.\n"
    );
    for measured in evaluation::tables(&rows) {
        put!(out, "\n| |");
        for column in &measured.columns {
            put!(out, " {} |", cell(&column.replace('_', " ")));
        }
        put!(out, "\n|---|{}\n", "---|".repeat(measured.columns.len()));
        for (name, estimates) in &measured.rows {
            put!(out, "| {} |", cell(name));
            for estimate in estimates {
                put!(out, " {} |", shown(*estimate));
            }
            put!(out, "\n");
        }
    }
    let numbers = evaluation::numbers(&folder.metrics);
    if !numbers.is_empty() {
        put!(out, "\n");
        for (name, number) in numbers {
            put!(out, "- {}: {number}\n", cell(&name));
        }
    }
    calibration(folder, out);
    slices(folder, out);
}

fn calibration(folder: &Folder, out: &mut String) {
    put!(out, "\n### Calibration\n\n");
    for note in evaluation::calibration_notes(&folder.metrics) {
        put!(out, "{}\n\n", cell(note));
    }
    let bins = evaluation::reliability(&folder.metrics);
    if bins.is_empty() {
        put!(out, "Not measured: this kind of model says no probabilities, or nothing was held out.\n");
        return;
    }
    put!(
        out,
        "Of those to which it gave about the same, what was true?\n\n| predicted | n | mean | true |\n|---|---|---|---|\n"
    );
    for bin in bins {
        let mean = bin.mean_predicted.map_or_else(|| "–".to_owned(), |p| format!("{p:.4}"));
        put!(
            out,
            "| {:.2}–{:.2} | {} | {mean} | {} |\n",
            bin.low,
            bin.high,
            bin.n,
            of_some(bin.n, bin.mean_label)
        );
    }
}

fn slices(folder: &Folder, out: &mut String) {
    put!(out, "\n### Slices\n\n");
    let slices = evaluation::slices(&folder.metrics);
    if slices.is_empty() {
        put!(out, "None were measured.\n");
        return;
    }
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in slices.iter().flat_map(|s| &s.estimates) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    put!(out, "| slice | n |");
    for column in &columns {
        put!(out, " {} |", cell(&column.replace('_', " ")));
    }
    put!(out, "\n|---|---|{}\n", "---|".repeat(columns.len()));
    for slice in &slices {
        put!(out, "| {} | {} |", cell(&slice.slice), slice.n);
        for column in &columns {
            let found: Option<&Named> = slice.estimates.iter().find(|(name, _)| name == column);
            let estimate = found.and_then(|(_, estimate)| *estimate);
            let shown = match &slice.note {
                Some(note) if slice.n > 0 && estimate.is_none() => cell(note),
                _ => of_some(slice.n, estimate),
            };
            put!(out, " {shown} |");
        }
        put!(out, "\n");
    }
    if slices.iter().any(|slice| slice.n > 0 && slice.note.is_some()) {
        put!(out, "\n{TOO_FEW}\n");
    }
}

fn biases(said: &Said<'_>, out: &mut String) {
    put!(out, "\n## Known biases\n\n");
    match said.biases {
        Some(registry) => put!(out, "{}", registry.markdown()),
        None => put!(out, "Not stated: no list of known biases was given.\n"),
    }
}

fn cost(folder: &Folder, out: &mut String) {
    put!(out, "\n## What it cost\n\n");
    let total = folder.costs.total();
    let Some(last) = folder.costs.runs.last() else {
        put!(out, "Not measured: the training wrote no cost.json.\n");
        return;
    };
    let mut rows = vec![
        ("runs".to_owned(), total.n_runs.to_string()),
        ("time".to_owned(), format!("{:.0} s, of all processors {:.0} s", total.wall_s, total.cpu_s)),
        ("energy".to_owned(), span(total.energy_wh, "Wh")),
        ("method".to_owned(), format!("{}: {}", methods(folder), last.how)),
    ];
    rows.push((
        "emissions".to_owned(),
        match (total.emissions_g, &last.grid) {
            (Some(grams), Some(grid)) => format!("{} of CO₂ equivalents, at {grid}", span(grams, "g")),
            _ => "not stated: the team has not said what its electricity emits".to_owned(),
        },
    ));
    let hardware = &last.hardware;
    rows.push((
        "machine".to_owned(),
        format!("{}, {} threads, {}", hardware.processor, hardware.n_threads, hardware.system),
    ));
    rows.push(("not counted".to_owned(), last.not_counted.join(", ")));
    table(("", ""), &rows, out);
}

fn span(span: Span, unit: &str) -> String {
    format!("{} {unit} ({} to {})", digits(span.mid), digits(span.low), digits(span.high))
}

/// Three digits: no more are known.
fn digits(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let places = (2 - x.abs().log10().floor() as i32).clamp(0, 9) as usize;
    format!("{x:.places$}")
}

fn licence(folder: &Folder, said: &Said<'_>, out: &mut String) {
    put!(out, "\n## Licence, citation, whom to ask\n\n");
    let Some((prose, _)) = said.prose else {
        put!(out, "Not stated: no policy was given.\n");
        return;
    };
    let none = format!("{}, made with Volary {}", name(folder, said), folder.run.volary);
    put!(
        out,
        "Licence: {}. Cite as: {}. Ask: {}\n",
        prose.licence,
        prose.citation.as_deref().unwrap_or(&none).trim().trim_end_matches('.'),
        prose.contact.trim()
    );
}

fn loading(folder: &Folder, out: &mut String) {
    put!(
        out,
        "\n## How to load it\n\nWith the files of this folder in `model`:\n\n```text\nvolary score model SUBJECTS -o predictions.parquet\n```\n"
    );
    if let Some(weights) = folder.weights.first() {
        put!(
            out,
            "\nThe weights, in Python:\n\n```python\nfrom safetensors.numpy import load_file\nweights = load_file(\"{}\")  # {} tensors by name\n```\n",
            weights.file,
            weights.n_tensors
        );
    }
}

fn lineage(folder: &Folder, out: &mut String) {
    put!(out, "\n## Where it comes from\n\n");
    if folder.lineage.is_empty() {
        put!(
            out,
            "No records of the runs before the training were found beside it ({LINEAGE_FILE}).\n\n"
        );
    }
    put!(out, "| command | Volary | read | wrote |\n|---|---|---|---|\n");
    for run in folder.lineage.iter().chain([&folder.run]) {
        let files = |all: &[crate::lineage::Artefact]| {
            let mut shown: Vec<String> =
                all.iter().take(6).map(|f| format!("{} `{:.12}`", cell(&f.name), f.blake3)).collect();
            if all.len() > shown.len() {
                shown.push(format!("{} more", all.len() - shown.len()));
            }
            shown.join(", ")
        };
        put!(
            out,
            "| {} | {} | {} | {} |\n",
            cell(&run.command),
            cell(&run.volary),
            files(&run.inputs),
            files(&run.outputs)
        );
    }
}

/// An estimate of some; of none there are no data, and certainly no 0 %.
fn of_some(n: u64, estimate: Option<Estimate>) -> String {
    if n == 0 { "no data".to_owned() } else { shown(estimate) }
}

fn shown(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| e.text())
}

fn table(header: (&str, &str), rows: &[(String, String)], out: &mut String) {
    put!(out, "| {} | {} |\n|---|---|\n", header.0, header.1);
    for (name, value) in rows {
        put!(out, "| {} | {} |\n", cell(name), cell(value));
    }
}

/// All values below, each with its path.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                flatten(&format!("{path} {}", name.replace('_', " ")), value, out);
            }
        }
        Value::Null => {}
        value => out.push((path.replace('_', " "), plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

/// Text within a table: one line, and no mark-up of its own.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('\''),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
