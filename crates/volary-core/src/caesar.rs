//! What a Zooniverse Caesar configuration says: extractors, reducers, rules and their effects.
//!
//! Read by `volary_ingest::caesar`, replayed by `volary_crowd::retire::caesar`. Only what a replay over
//! an export needs is kept; what works through other servers is kept by name ([`ExtractorKind::Outside`],
//! [`ReducerKind::Outside`]).

use std::fmt;

/// A value within a rule, an extract or a reduction. Whole numbers are numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Scalar {
    /// Whether it counts as true: everything does but false and nothing (0 does, as in Ruby).
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(t) => write!(f, "{t:?}"),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `eq`
    Equal,
}

/// `+`, `-`, `*`, `/`, `%`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, always of real numbers
    Divide,
    /// `%`, with the sign of the divisor
    Remainder,
}

/// What is made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTransform {
    /// `upcase`
    Upper,
    /// `downcase`
    Lower,
    /// `int`: the whole number at its start, else 0
    Int,
    /// `float`: the number at its start, else 0
    Float,
}

/// A rule's condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `["const", value]`
    Const(Scalar),
    /// `["lookup", "reducer.key", default]`
    Lookup {
        /// The reducer, or `subject`, or `key` and `value` within `any` and `all`.
        reducer: String,
        /// The key in its reduction, where one is named.
        key: Option<String>,
        /// Where the reduction is not there yet, or lacks the key.
        default: Scalar,
    },
    /// A chain: `["lt", a, b, c]` is a < b < c.
    Compare(Comparison, Vec<Expr>),
    /// From the left.
    Arithmetic(Arithmetic, Vec<Expr>),
    /// All are true.
    And(Vec<Expr>),
    /// One is true.
    Or(Vec<Expr>),
    /// It is not true.
    Not(Box<Expr>),
    /// It is true of any entry of a reduction.
    Any(String, Box<Expr>),
    /// It is true of all entries of a reduction.
    All(String, Box<Expr>),
    /// A text made into another, or into a number.
    Transform(TextTransform, Box<Expr>),
}

impl Expr {
    /// Calls `visit` for this expression and all within it.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        match self {
            Self::Const(_) | Self::Lookup { .. } => {}
            Self::Compare(_, all) | Self::Arithmetic(_, all) | Self::And(all) | Self::Or(all) => {
                all.iter().for_each(|e| e.walk(visit));
            }
            Self::Not(one) | Self::Any(_, one) | Self::All(_, one) | Self::Transform(_, one) => {
                one.walk(visit);
            }
        }
    }
}

/// What an extractor takes out of a classification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtractorKind {
    /// Answers to a question, counted by their number.
    Question {
        /// The task.
        task: String,
    },
    /// Choices of a survey.
    Survey {
        /// The task.
        task: String,
        /// The choice to note where none was made.
        nothing_here: Option<String>,
    },
    /// Whether a task was left blank.
    Blank {
        /// The task.
        task: String,
    },
    /// The volunteer.
    Who,
    /// What needs another server, or what the votes do not hold: `external`, `sqs`, `shape`,
    /// `pluck_field`, ….
    Outside(String),
}

/// An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extractor {
    /// Its name.
    pub key: String,
    /// What it takes.
    pub kind: ExtractorKind,
}

/// A statistic of a column of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// How many.
    Count,
    /// Least.
    Min,
    /// Most.
    Max,
    /// Sum.
    Sum,
    /// Product.
    Product,
    /// Mean.
    Mean,
    /// Sum of squared deviations from the mean.
    Sse,
    /// Sample variance.
    Variance,
    /// Its root.
    Stdev,
    /// The first.
    First,
    /// Median.
    Median,
    /// The most frequent; of several, the one that appeared last.
    Mode,
}

impl Operation {
    /// All, with their names.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Count, "count"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Sum, "sum"),
        (Self::Product, "product"),
        (Self::Mean, "mean"),
        (Self::Sse, "sse"),
        (Self::Variance, "variance"),
        (Self::Stdev, "stdev"),
        (Self::First, "first"),
        (Self::Median, "median"),
        (Self::Mode, "mode"),
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(operation, _)| *operation == self).map_or("", |(_, name)| name)
    }
}

/// How a reducer makes one of many extracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReducerKind {
    /// The most frequent extract: `most_likely`, `num_votes` (for it alone), `agreement`.
    Consensus,
    /// `classifications` and `extracts`.
    Count,
    /// The sum of each key.
    Stats,
    /// How many different values a field has, as `count`.
    UniqueCount {
        /// The field.
        field: String,
    },
    /// The first extract as it is.
    FirstExtract,
    /// Statistics of one field.
    SummaryStatistics {
        /// Only of this extractor.
        extractor: Option<String>,
        /// The field.
        field: String,
        /// Which statistics.
        operations: Vec<Operation>,
    },
    /// What needs another server: `external`, `sqs`, `placeholder`, `rectangle`.
    Outside(String),
}

/// Which of a volunteer's classifications of one subject count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedClassifications {
    /// The first.
    #[default]
    KeepFirst,
    /// The last.
    KeepLast,
    /// All.
    KeepAll,
}

/// Which extracts a reducer sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    /// Repeats; those of volunteers who were not logged in are always kept.
    pub repeated: RepeatedClassifications,
    /// Only of these extractors; all where empty.
    pub extractor_keys: Vec<String>,
    /// Whether extracts without any key are left out.
    pub ignore_empty: bool,
    /// First classification, from 0; negative numbers count from the end.
    pub from: i64,
    /// Last classification; -1 is the last there is.
    pub to: i64,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            repeated: RepeatedClassifications::KeepFirst,
            extractor_keys: Vec::new(),
            ignore_empty: false,
            from: 0,
            to: -1,
        }
    }
}

/// A reducer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reducer {
    /// Its name, by which rules look it up.
    pub key: String,
    /// How it reduces.
    pub kind: ReducerKind,
    /// About volunteers, not subjects.
    pub by_user: bool,
    /// Running mode: sees each classification once, so that it cannot know repeats.
    pub running: bool,
    /// Which extracts it sees.
    pub filters: Filters,
    /// A reduction for each value of (extractor, field).
    pub grouping: Option<(String, String)>,
}

/// What a rule does to a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Retires it.
    Retire {
        /// The reason that is noted.
        reason: String,
    },
    /// Anything else, by its name: `add_subject_to_set`, `external`, ….
    Other {
        /// Its name.
        action: String,
    },
}

/// A rule about subjects.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectRule {
    /// Where it stands in the file, or its own name.
    pub name: String,
    /// When.
    pub condition: Expr,
    /// What then.
    pub effects: Vec<Effect>,
}

/// Which rules act when several conditions hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RulesApplied {
    /// Every one.
    #[default]
    AllMatching,
    /// The first only.
    FirstMatching,
}

/// A workflow's configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaesarConfig {
    /// The workflow's id, where the file names it.
    pub workflow: Option<String>,
    /// Extractors.
    pub extractors: Vec<Extractor>,
    /// Reducers.
    pub reducers: Vec<Reducer>,
    /// Rules about subjects, in their order.
    pub rules: Vec<SubjectRule>,
    /// How many rules about volunteers there are; a replay leaves them out.
    pub n_user_rules: usize,
    /// Which rules act.
    pub applied: RulesApplied,
}
