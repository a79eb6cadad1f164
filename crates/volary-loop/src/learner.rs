//! A model that learns one label at a time, on embeddings that do not change.
//!
//! Logistic regression (two classes) or softmax regression (more), with an intercept, in one of two ways:
//!
//! - **Gaussian** ([`Method::Gaussian`]): each weight has a mean and a variance, independent of the others. A label
//!   is assimilated by assumed-density filtering (Opper 1998; Minka 2001, PhD thesis, MIT): what it says is about the
//!   activations a = w·x alone, so their posterior is found, by Laplace's method as in Spiegelhalter &
//!   Lauritzen 1990 (doi:10.1002/net.3230200507), and pushed back to the weights. See [`gaussian`] for the equations.
//!   The L2 penalty is the prior: variance 1/λ.
//! - **Descent** ([`Method::Descent`]): plain stochastic gradient descent, the same numbers as `river` 0.26's
//!   `LogisticRegression` with `SGD`. It knows no uncertainty.
//!
//! Sums run in a fixed order in 64 bits, and nothing is random: the same events give the same bytes, on
//! one platform (`exp` and `ln` differ between C libraries in the last digit). A label that is taken back is
//! forgotten exactly by replaying from a [`Checkpoints`] entry before it.
//!
//! It has no features of its own: the embedding's model is named, and any other is refused.

pub mod checkpoints;
pub mod descent;
pub mod gaussian;
mod snapshot;

use std::collections::BTreeMap;

pub use checkpoints::Checkpoints;
pub use gaussian::Posterior;

/// Why something was not learnt, predicted or read. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LearnerError {
    /// A number that is none.
    #[error(
        "entry {at} of the embedding is {value}; leave the subject out and look at how it was embedded"
    )]
    NotFinite {
        /// Where.
        at: usize,
        /// What it is.
        value: f64,
    },
    /// Another dimension.
    #[error(
        "the embedding has {found} entries and the model was made for {expected}; use its embedding model"
    )]
    Dimension {
        /// What came.
        found: usize,
        /// What was made for.
        expected: usize,
    },
    /// Another embedding model.
    #[error(
        "the embedding is by {found} and the model was made for {expected}; start a new learner for it"
    )]
    Embedding {
        /// What came.
        found: String,
        /// What was made for.
        expected: String,
    },
    /// A label that is none.
    #[error("the label must hold {n_classes} probabilities that sum to 1; it holds {found:?}")]
    Label {
        /// Classes.
        n_classes: usize,
        /// What came.
        found: Vec<f64>,
    },
    /// A weight that is none.
    #[error("the weight of a label must be finite and not negative, and is {0}")]
    Weight(f64),
    /// An event that was learnt before.
    #[error("event {at} comes after event {cursor}; replay from an older snapshot instead")]
    Cursor {
        /// What came.
        at: u64,
        /// What was learnt last.
        cursor: u64,
    },
    /// Settings that are none.
    #[error("{name} is {value}; {wanted}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it should be.
        wanted: &'static str,
    },
    /// Bytes that are no snapshot.
    #[error("these bytes are no snapshot of this version ({0}); restore an older one and replay")]
    Snapshot(&'static str),
}

/// How it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// A mean and a variance per weight.
    Gaussian {
        /// λ of the L2 penalty: the prior variance of each weight is 1/λ.
        l2: f64,
        /// What a step keeps of the precision, 0 (exclusive) to 1: with 1 nothing is forgotten; with 0.999 the last
        /// thousand labels count. The variance never grows beyond the prior's.
        keep: f64,
        /// Most that one label may move an activation, in logits.
        most_logits: f64,
    },
    /// Gradient descent.
    Descent {
        /// Step of the weights.
        rate: f64,
        /// Step of the intercept.
        intercept_rate: f64,
        /// L2 penalty (not on the intercept).
        l2: f64,
        /// Largest gradient of the loss by an activation.
        clip: f64,
    },
}

impl Default for Method {
    fn default() -> Self {
        Self::Gaussian { l2: 1.0, keep: 1.0, most_logits: 10.0 }
    }
}

/// How much one person may contribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActorCap {
    /// Events that a window holds.
    pub window: u64,
    /// Weight that one actor may contribute in it; what is beyond is left out.
    pub most_weight: f64,
}

/// What a learner is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerParams {
    /// Hash or name of the embedding model.
    pub embedding: String,
    /// Entries of an embedding.
    pub dimension: usize,
    /// Classes, 2 or more.
    pub n_classes: usize,
    /// How it learns.
    pub method: Method,
    /// How much one person may contribute.
    pub actor_cap: Option<ActorCap>,
}

/// An embedding and what made it.
#[derive(Clone, Copy, Debug)]
pub struct Embedding<'a> {
    /// Hash or name of the embedding model.
    pub model: &'a str,
    /// `[dimension]`
    pub values: &'a [f64],
}

/// Something to learn.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Of what.
    pub x: Embedding<'a>,
    /// Probability of each class; 0 and 1 for a hard label.
    pub p_class: &'a [f64],
    /// How much it counts; 1 is one label.
    pub weight: f64,
    /// Whose it is; none for a consensus, which is not capped.
    pub actor: Option<&'a str>,
}

/// What became of a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learned {
    /// The weight that was used: less than given where the actor had contributed enough.
    pub weight: f64,
    /// Whether its step was cut short.
    pub is_clipped: bool,
}

/// What the model says of an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Probability of each class: the mean over the posterior, where there is one.
    pub p_class: Vec<f64>,
    /// Standard deviation of each over the posterior; none for descent, which has none.
    pub sd: Option<Vec<f64>>,
    /// Labels it had learnt.
    pub n_seen: u64,
}

/// Weights by row (one for two classes, else one per class), the intercept last in each.
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    params: LearnerParams,
    /// `[n_rows, dimension + 1]`
    mean: Vec<f64>,
    /// `[n_rows, dimension + 1]`, empty for descent.
    variance: Vec<f64>,
    cursor: u64,
    n_seen: u64,
    window: u64,
    by_actor: BTreeMap<String, f64>,
}

impl Learner {
    /// A learner that knows nothing.
    ///
    /// # Errors
    /// [`LearnerError::Setting`].
    pub fn new(params: LearnerParams) -> Result<Self, LearnerError> {
        check(&params)?;
        let n_rows = n_rows(params.n_classes);
        let n = n_rows * (params.dimension + 1);
        let variance = match params.method {
            Method::Gaussian { l2, .. } => vec![1.0 / l2; n],
            Method::Descent { .. } => Vec::new(),
        };
        let (mean, by_actor) = (vec![0.0; n], BTreeMap::new());
        Ok(Self { params, mean, variance, cursor: 0, n_seen: 0, window: 0, by_actor })
    }

    /// What it is made of.
    #[must_use]
    pub fn params(&self) -> &LearnerParams {
        &self.params
    }

    /// The last event it has seen; 0 before the first.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Labels it has learnt.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Means of the weights, row-major `[n_rows, dimension + 1]`, the intercept last; one row for two
    /// classes (that of the second), else one per class.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.mean
    }

    /// Learns the label of event `at` of the log (from 1, rising).
    ///
    /// # Errors
    /// [`LearnerError`]; the learner is as before then.
    pub fn learn(&mut self, at: u64, label: &Label<'_>) -> Result<Learned, LearnerError> {
        self.check_embedding(&label.x)?;
        let n_classes = self.params.n_classes;
        let is_share = label.p_class.iter().all(|p| (0.0..=1.0).contains(p));
        let sum: f64 = label.p_class.iter().sum();
        if label.p_class.len() != n_classes || !is_share || (sum - 1.0).abs() > 1e-9 {
            return Err(LearnerError::Label { n_classes, found: label.p_class.to_vec() });
        }
        if !label.weight.is_finite() || label.weight < 0.0 {
            return Err(LearnerError::Weight(label.weight));
        }
        if at <= self.cursor {
            return Err(LearnerError::Cursor { at, cursor: self.cursor });
        }
        let weight = self.admit(at, label);
        let is_clipped = weight > 0.0
            && match self.params.method {
                Method::Gaussian { .. } => self.assimilate(label.x.values, label.p_class, weight),
                Method::Descent { .. } => self.descend(label.x.values, label.p_class, weight),
            };
        self.cursor = at;
        self.n_seen += u64::from(weight > 0.0);
        Ok(Learned { weight, is_clipped })
    }

    /// What it says of an embedding.
    ///
    /// # Errors
    /// [`LearnerError`].
    pub fn predict(&self, x: &Embedding<'_>) -> Result<Prediction, LearnerError> {
        self.check_embedding(x)?;
        let (p_class, sd) = match self.params.method {
            Method::Gaussian { .. } => {
                let (p_class, sd) = self.moments(x.values);
                (p_class, Some(sd))
            }
            Method::Descent { .. } => (self.plug_in(x.values), None),
        };
        Ok(Prediction { p_class, sd, n_seen: self.n_seen })
    }

    /// The weight that counts: less than given where the actor's share of the window is used up.
    fn admit(&mut self, at: u64, label: &Label<'_>) -> f64 {
        let (Some(cap), Some(actor)) = (self.params.actor_cap, label.actor) else { return label.weight };
        let window = at / cap.window;
        if window != self.window {
            self.by_actor.clear();
            self.window = window;
        }
        let used = self.by_actor.entry(actor.to_owned()).or_insert(0.0);
        let weight = label.weight.min((cap.most_weight - *used).max(0.0));
        *used += weight;
        weight
    }

    fn check_embedding(&self, x: &Embedding<'_>) -> Result<(), LearnerError> {
        if x.model != self.params.embedding {
            let (found, expected) = (x.model.to_owned(), self.params.embedding.clone());
            return Err(LearnerError::Embedding { found, expected });
        }
        if x.values.len() != self.params.dimension {
            let (found, expected) = (x.values.len(), self.params.dimension);
            return Err(LearnerError::Dimension { found, expected });
        }
        // A product with a weight must stay a number.
        match x.values.iter().position(|v| v.is_nan() || v.abs() > 1e100) {
            Some(at) => Err(LearnerError::NotFinite { at, value: x.values[at] }),
            None => Ok(()),
        }
    }

    fn n_rows(&self) -> usize {
        n_rows(self.params.n_classes)
    }

    /// The row's weights, its intercept apart.
    fn row<'a>(&self, values: &'a [f64], row: usize) -> (&'a [f64], f64) {
        let width = self.params.dimension + 1;
        let row = &values[row * width..(row + 1) * width];
        (&row[..width - 1], row[width - 1])
    }

    /// Class probabilities of the mean weights.
    fn plug_in(&self, x: &[f64]) -> Vec<f64> {
        let activation = |row| {
            let (weights, intercept) = self.row(&self.mean, row);
            dot(weights, x) + intercept
        };
        let activations: Vec<f64> = (0..self.n_rows()).map(activation).collect();
        probabilities(&activations)
    }
}

fn n_rows(n_classes: usize) -> usize {
    if n_classes == 2 { 1 } else { n_classes }
}

/// Σ a_i b_i, in this order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// 1 / (1 + e^−a), accurate on both sides.
fn sigmoid(a: f64) -> f64 {
    if a >= 0.0 {
        1.0 / (1.0 + (-a).exp())
    } else {
        let e = a.exp();
        e / (1.0 + e)
    }
}

/// Class probabilities from activations: one number for two classes, else one per class.
fn probabilities(activations: &[f64]) -> Vec<f64> {
    if let [a] = activations {
        return vec![sigmoid(-a), sigmoid(*a)];
    }
    let largest = activations.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut p: Vec<f64> = activations.iter().map(|a| (a - largest).exp()).collect();
    let total: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
    p
}

fn check(params: &LearnerParams) -> Result<(), LearnerError> {
    let refuse = |name, value, wanted| Err(LearnerError::Setting { name, value, wanted });
    let positive = |name, value: f64| match value {
        v if v > 0.0 && v.is_finite() => Ok(()),
        _ => refuse(name, value, "give a positive number"),
    };
    if params.dimension == 0 || params.dimension > 1 << 20 {
        return refuse(
            "the dimension",
            params.dimension as f64,
            "an embedding has 1 to 1,048,576 entries",
        );
    }
    if params.n_classes < 2 || params.n_classes > 1 << 10 {
        return refuse("the number of classes", params.n_classes as f64, "give 2 to 1,024");
    }
    if let Some(cap) = params.actor_cap {
        positive("the window of the cap", cap.window as f64)?;
        positive("the weight of the cap", cap.most_weight)?;
    }
    match params.method {
        Method::Gaussian { l2, keep, most_logits } => {
            positive("l2", l2)?;
            positive("most_logits", most_logits)?;
            if !(keep > 0.0 && keep <= 1.0) {
                return refuse("keep", keep, "give a number above 0 and up to 1; 1 forgets nothing");
            }
        }
        Method::Descent { rate, intercept_rate, l2, clip } => {
            positive("the rate", rate)?;
            positive("the clip", clip)?;
            if !(intercept_rate >= 0.0 && intercept_rate.is_finite()) {
                return refuse("the intercept's rate", intercept_rate, "give 0 or a positive number");
            }
            if !(l2 >= 0.0 && l2.is_finite()) {
                return refuse("l2", l2, "give 0 or a positive number");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "learner_tests.rs"]
pub(crate) mod tests;
