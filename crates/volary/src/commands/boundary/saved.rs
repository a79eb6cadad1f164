//! A boundary in a file: everything that `volary select` needs, and what it was made of.
//!
//! Numbers come back to the bit. The reference is a random sample of the subjects that the boundary was learned
//! on, as coordinates along its components: enough to say whether new vectors are like them, and not the
//! vectors themselves.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};
use volary_core::seed::stream;
use volary_ingest::output::write_whole;
use volary_space::boundary::{Boundary, Row, SELECTED_FROM};
use volary_space::logistic::Logistic;
use volary_space::pca::Pca;
use volary_space::{Estimate, Points};

use super::Found;

/// Subjects of the reference at most.
const REFERENCE: usize = 1000;
/// What such a file says it is.
const FORMAT: &str = "volary boundary 1";

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    format: String,
    volary: String,
    /// Whose vectors; must be given again for `volary select` to compare.
    pub(crate) model: Option<ModelName>,
    /// chosen, score, product or label.
    pub(crate) quantity: String,
    chosen_column: String,
    score_column: Option<String>,
    pub(crate) threshold: f64,
    pub(crate) selected_from: f64,
    pub(crate) judged: Judged,
    split: Split,
    pca: PcaParts,
    logistic: LogisticParts,
    pub(crate) reference: Reference,
}

/// A model by name and checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelName {
    pub(crate) name: String,
    pub(crate) blake3: String,
}

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interval {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Interval {
    fn of(estimate: Estimate) -> Self {
        let known = |v: f64| v.is_finite().then_some(v);
        Self { value: estimate.value, low: known(estimate.low), high: known(estimate.high) }
    }

    fn estimate(self) -> Estimate {
        let or_nan = |v: Option<f64>| v.unwrap_or(f64::NAN);
        Estimate { value: self.value, low: or_nan(self.low), high: or_nan(self.high) }
    }
}

/// What it did on subjects held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Judged {
    n: usize,
    prevalence: Option<Interval>,
    pub(crate) selected: Option<Interval>,
    precision: Option<Interval>,
    recall: Option<Interval>,
    f1: Option<Interval>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    seed: u64,
    held_out: f64,
    n_train: usize,
    n_held: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PcaParts {
    mean: Vec<f64>,
    components: Vec<f64>,
    variances: Vec<f64>,
    total_variance: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogisticParts {
    coefficients: Vec<f64>,
    intercept: f64,
}

/// What was ordinary when it was learned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// Subjects that the sample was drawn from.
    n_of: usize,
    /// Along each component, the coordinates of the sample.
    pub(crate) components: Vec<Vec<f32>>,
    /// What the components lose of each vector of the sample.
    pub(crate) lost: Vec<f64>,
    /// Its probabilities.
    pub(crate) probability: Vec<f64>,
}

impl Saved {
    /// The boundary that was found, with its reference.
    pub(super) fn new(found: &Found<'_>, model: Option<ModelName>, seed: u64) -> Result<Self> {
        let row = &found.main;
        let Some(boundary) = &row.boundary else {
            bail!(
                "no boundary at {} {}: all labels are on one side, so there is nothing to save; choose another --at",
                row.quantity,
                row.threshold
            );
        };
        let n = found.points.len();
        let mut rows = sample(&mut stream(seed, "boundary reference"), n, n.min(REFERENCE)).into_vec();
        rows.sort_unstable();
        let points = found.points.select(&rows);
        let seen = Seen::of(boundary, &points)?;
        let (pca, logistic) = (&boundary.pca, &boundary.logistic);
        Ok(Self {
            format: FORMAT.to_owned(),
            volary: env!("CARGO_PKG_VERSION").to_owned(),
            model,
            quantity: row.quantity.clone(),
            chosen_column: found.args.column(),
            score_column: found.args.score.clone(),
            threshold: row.threshold,
            selected_from: SELECTED_FROM,
            judged: Judged {
                n: row.n,
                prevalence: row.prevalence.map(Interval::of),
                selected: row.selected.map(Interval::of),
                precision: row.precision.map(Interval::of),
                recall: row.recall.map(Interval::of),
                f1: row.f1.map(Interval::of),
            },
            split: Split {
                seed,
                held_out: found.args.held_out,
                n_train: found.prepared.train().len(),
                n_held: found.prepared.held().len(),
            },
            pca: PcaParts {
                mean: pca.mean().to_vec(),
                components: pca.components().to_vec(),
                variances: pca.variances().to_vec(),
                total_variance: pca.total_variance(),
            },
            logistic: LogisticParts {
                coefficients: logistic.coefficients().to_vec(),
                intercept: logistic.intercept(),
            },
            reference: Reference {
                n_of: n,
                components: seen.components,
                lost: seen.lost,
                probability: seen.probability,
            },
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.text()?.as_bytes())?;
        Ok(())
    }

    /// What stands in the file.
    pub(super) fn text(&self) -> Result<String> {
        // A number a line would be 30,000 lines: lists of numbers go on one.
        Ok(joined_lists(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// Reads one and checks it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the boundary cannot be read: {}", path.display()))?;
        Self::of_text(&text, path)
    }

    /// The same of what stands in a file.
    pub(super) fn of_text(text: &str, path: &Path) -> Result<Self> {
        let saved: Self = serde_json::from_str(text).map_err(|error| {
            anyhow::anyhow!(
                "not a boundary that `volary boundary --save` wrote ({error}): {}",
                path.display()
            )
        })?;
        if saved.format != FORMAT {
            bail!("this file says {:?}, where {FORMAT:?} is read: {}", saved.format, path.display());
        }
        saved.boundary().with_context(|| format!("{}", path.display()))?;
        Ok(saved)
    }

    /// The boundary.
    pub(crate) fn boundary(&self) -> Result<Boundary> {
        let PcaParts { mean, components, variances, total_variance } = self.pca.clone();
        let pca = Pca::from_parts(mean, components, variances, total_variance)?;
        let LogisticParts { coefficients, intercept } = self.logistic.clone();
        if coefficients.len() != pca.n_components()
            || self.reference.components.len() != pca.n_components()
        {
            bail!(
                "the boundary has parts of different length; save it again with `volary boundary --save`"
            );
        }
        Ok(Boundary { pca, logistic: Logistic::from_parts(coefficients, intercept)? })
    }

    /// What it was judged to do, as a row.
    pub(crate) fn row(&self) -> Row {
        let of = |interval: Option<Interval>| interval.map(Interval::estimate);
        Row {
            quantity: self.quantity.clone(),
            threshold: self.threshold,
            n: self.judged.n,
            prevalence: of(self.judged.prevalence),
            selected: of(self.judged.selected),
            precision: of(self.judged.precision),
            recall: of(self.judged.recall),
            f1: of(self.judged.f1),
            boundary: None,
        }
    }
}

/// Vectors as a boundary sees them.
pub(crate) struct Seen {
    /// Coordinates along each component.
    pub(crate) components: Vec<Vec<f32>>,
    /// What the components lose.
    pub(crate) lost: Vec<f64>,
    pub(crate) probability: Vec<f64>,
}

impl Seen {
    pub(crate) fn of(boundary: &Boundary, points: &Points) -> Result<Self> {
        let reduced = boundary.pca.transform(points)?;
        let along = |axis: usize| (0..reduced.len()).map(|row| reduced.row(row)[axis]).collect();
        Ok(Self {
            components: (0..reduced.width()).map(along).collect(),
            lost: boundary.pca.reconstruction_error(points)?,
            probability: boundary.logistic.predict(&reduced)?,
        })
    }
}

/// Name and checksum of a model: of a file its bytes, of a folder `weights.safetensors`, or else all of
/// `*.safetensors` but checkpoints, in the order of their names.
pub(crate) fn model_name(path: &Path) -> Result<ModelName> {
    let name = path
        .canonicalize()
        .with_context(|| format!("the model cannot be found: {}", path.display()))?
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path)
            .with_context(|| format!("the model's folder cannot be read: {}", path.display()))?;
        files = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        let is_weights = |file: &std::path::PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".safetensors") && !name.starts_with("checkpoint")
        };
        files.retain(is_weights);
        if files.iter().any(|file| file.ends_with("weights.safetensors")) {
            files.retain(|file| file.ends_with("weights.safetensors"));
        }
        files.sort();
        if files.is_empty() {
            bail!("no weights (*.safetensors) in the model's folder: {}", path.display());
        }
    }
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        let opened = std::fs::File::open(file)
            .with_context(|| format!("the model cannot be read: {}", file.display()))?;
        std::io::copy(&mut std::io::BufReader::new(opened), &mut hasher)
            .with_context(|| format!("the model cannot be read: {}", file.display()))?;
    }
    Ok(ModelName { name, blake3: hasher.finalize().to_hex().to_string() })
}

/// Lists of numbers on one line each; strings hold no brackets here that could be taken for one.
fn joined_lists(pretty: &str) -> String {
    let mut out = String::with_capacity(pretty.len());
    let mut in_list = false;
    for line in pretty.lines() {
        let word = line.trim();
        let is_item = word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if in_list && (is_item || word.starts_with(']')) {
            out.push_str(word);
            in_list = is_item;
        } else {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(line);
            in_list = word.ends_with('[');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_and_the_rest_stays() {
        let value = serde_json::json!({"a": [1.5, -2.0], "b": [[1, 2], [3]], "c": {"d": []}, "e": "x"});
        let text = joined_lists(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.contains("\"a\": [1.5,-2.0],\n") && text.lines().count() < 12, "{text}");
    }

    #[test]
    fn a_model_is_known_by_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        assert!(model_name(folder.path()).unwrap_err().to_string().contains("no weights"));
        std::fs::write(folder.path().join("w.safetensors"), b"abc").unwrap();
        std::fs::write(folder.path().join("checkpoint.safetensors"), b"state").unwrap();
        std::fs::write(folder.path().join("log.txt"), b"anything").unwrap();
        let by_folder = model_name(folder.path()).unwrap();
        let by_file = model_name(&folder.path().join("w.safetensors")).unwrap();
        assert_eq!(by_folder.blake3, by_file.blake3);
        // BLAKE3's test vector for "abc".
        assert!(by_file.blake3.starts_with("6437b3ac38465133ffb63b75273a8db5"), "{by_file:?}");
        assert!(model_name(&folder.path().join("none")).is_err());
    }
}
