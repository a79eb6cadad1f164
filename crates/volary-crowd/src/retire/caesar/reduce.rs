//! Extracts and their reduction, one classification at a time where the filters allow it.
//!
//! Caesar reduces all extracts of a subject anew for each classification. The sums are the same when
//! they are kept and added to, except where a filter changes its mind about an earlier classification
//! (`keep_last`, ranges that count from the end): then everything is reduced anew here too.

use std::collections::BTreeSet;

use volary_core::caesar::{Filters, Operation, Reducer, ReducerKind, RepeatedClassifications, Scalar};

/// Keys and values in the order in which they appeared, which decides ties as in Caesar.
pub(super) type Data = Vec<(String, Scalar)>;

/// One extract.
#[derive(Clone, Debug)]
pub(super) struct Extract {
    /// The extractor's key.
    pub(super) key: String,
    pub(super) data: Data,
}

/// All extracts of one classification.
#[derive(Clone, Debug)]
pub(super) struct Extracts {
    /// The volunteer, if logged in.
    pub(super) user: Option<u32>,
    pub(super) made: Vec<Extract>,
}

/// The value of a key.
pub(super) fn get<'d>(data: &'d Data, key: &str) -> Option<&'d Scalar> {
    data.iter().find(|(k, _)| k == key).map(|(_, v)| v)
}

/// Adds to the number of a key.
pub(super) fn add(data: &mut Data, key: &str, by: f64) {
    match data.iter_mut().find(|(k, _)| k == key) {
        Some((_, Scalar::Number(n))) => *n += by,
        Some((_, value)) => *value = Scalar::Number(by),
        None => data.push((key.to_owned(), Scalar::Number(by))),
    }
}

/// One reducer's work on one subject.
#[derive(Debug)]
pub(super) struct Reduction {
    /// Kept where earlier classifications may have to be looked at again.
    past: Option<Vec<Extracts>>,
    users: BTreeSet<u32>,
    n_passed: i64,
    groups: Vec<(Scalar, Sums)>,
}

impl Reduction {
    pub(super) fn new(reducer: &Reducer) -> Self {
        let f = &reducer.filters;
        let looks_back = f.repeated == RepeatedClassifications::KeepLast || f.from < 0 || f.to < -1;
        Self {
            past: (looks_back && !reducer.running).then(Vec::new),
            users: BTreeSet::new(),
            n_passed: 0,
            groups: Vec::new(),
        }
    }

    /// Takes in a classification.
    pub(super) fn add(&mut self, reducer: &Reducer, extracts: &Extracts) {
        if matches!(reducer.kind, ReducerKind::Outside(_)) || reducer.by_user || extracts.made.is_empty()
        {
            return;
        }
        if let Some(past) = &mut self.past {
            past.push(extracts.clone());
            let kept = filtered(past, &reducer.filters);
            let mut groups = Vec::new();
            kept.iter().for_each(|e| fold(&mut groups, reducer, e));
            self.groups = groups;
            return;
        }
        let filters = &reducer.filters;
        if reducer.running {
            // A running reducer is shown one classification at a time and filters that one alone.
            let within = filters.from <= 0 && filters.to >= -1;
            if within {
                fold(&mut self.groups, reducer, extracts);
            }
            return;
        }
        let is_repeat = extracts.user.is_some_and(|user| !self.users.insert(user));
        if is_repeat && filters.repeated == RepeatedClassifications::KeepFirst {
            return;
        }
        let at = self.n_passed;
        self.n_passed += 1;
        if at >= filters.from && (filters.to == -1 || at <= filters.to) {
            fold(&mut self.groups, reducer, extracts);
        }
    }

    /// The reduction, where there is one; of several groups the one that appeared last.
    pub(super) fn data(&self, reducer: &Reducer) -> Option<Data> {
        let data = self.groups.last()?.1.data(reducer);
        (!data.is_empty()).then_some(data)
    }
}

/// Repeats, then the range, as Caesar applies them.
fn filtered<'p>(past: &'p [Extracts], filters: &Filters) -> Vec<&'p Extracts> {
    let mut seen = BTreeSet::new();
    let mut is_new = |e: &&Extracts| e.user.is_none_or(|user| seen.insert(user));
    let kept: Vec<&Extracts> = match filters.repeated {
        RepeatedClassifications::KeepAll => past.iter().collect(),
        RepeatedClassifications::KeepFirst => past.iter().filter(is_new).collect(),
        RepeatedClassifications::KeepLast => {
            let mut last: Vec<&Extracts> = past.iter().rev().filter(&mut is_new).collect();
            last.reverse();
            last
        }
    };
    let n = i64::try_from(kept.len()).unwrap_or(i64::MAX);
    let place = |at: i64| if at < 0 { at.saturating_add(n) } else { at };
    let (from, to) = (place(filters.from), place(filters.to));
    if from < 0 || from > to {
        return Vec::new();
    }
    let wanted = usize::try_from(to - from + 1).unwrap_or(usize::MAX);
    kept.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)).take(wanted).collect()
}

/// Adds a classification to its group.
fn fold(groups: &mut Vec<(Scalar, Sums)>, reducer: &Reducer, extracts: &Extracts) {
    let group = match &reducer.grouping {
        None => Scalar::Null,
        Some((extractor, field)) => {
            let of = extracts.made.iter().find(|e| e.key == *extractor);
            match of.and_then(|e| get(&e.data, field)) {
                Some(value) => value.clone(),
                // Caesar leaves out classifications that lack the field.
                None => return,
            }
        }
    };
    let keys = &reducer.filters.extractor_keys;
    let wanted: Vec<&Extract> = extracts
        .made
        .iter()
        .filter(|e| keys.is_empty() || keys.contains(&e.key))
        .filter(|e| !reducer.filters.ignore_empty || !e.data.is_empty())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let at = match groups.iter().position(|(g, _)| *g == group) {
        Some(at) => at,
        None => {
            groups.push((group, Sums::default()));
            groups.len() - 1
        }
    };
    groups[at].1.add(reducer, &wanted);
}

/// What a reduction has summed up so far.
#[derive(Debug, Default)]
struct Sums {
    n_classifications: u32,
    n_extracts: u32,
    /// Counts by key: of stats, of consensus.
    counts: Data,
    first: Option<Data>,
    different: Vec<Scalar>,
    numbers: Vec<f64>,
}

impl Sums {
    fn add(&mut self, reducer: &Reducer, extracts: &[&Extract]) {
        self.n_classifications += 1;
        for extract in extracts {
            self.n_extracts += 1;
            match &reducer.kind {
                ReducerKind::Consensus => {
                    let mut keys: Vec<&str> = extract.data.iter().map(|(k, _)| k.as_str()).collect();
                    keys.sort_unstable();
                    add(&mut self.counts, &keys.join("+"), 1.0);
                }
                ReducerKind::Stats => {
                    for (key, value) in &extract.data {
                        match value {
                            Scalar::Number(n) => add(&mut self.counts, key, *n),
                            Scalar::Bool(b) => add(&mut self.counts, key, f64::from(u8::from(*b))),
                            Scalar::Text(_) | Scalar::Null => {}
                        }
                    }
                }
                ReducerKind::FirstExtract => {
                    self.first.get_or_insert_with(|| extract.data.clone());
                }
                ReducerKind::UniqueCount { field } => {
                    let value = get(&extract.data, field).cloned().unwrap_or_default();
                    if !self.different.contains(&value) {
                        self.different.push(value);
                    }
                }
                ReducerKind::SummaryStatistics { extractor, field, .. } => {
                    let is_wanted = extractor.as_ref().is_none_or(|e| *e == extract.key);
                    if let (true, Some(Scalar::Number(n))) = (is_wanted, get(&extract.data, field)) {
                        self.numbers.push(*n);
                    }
                }
                ReducerKind::Count | ReducerKind::Outside(_) => {}
            }
        }
    }

    fn data(&self, reducer: &Reducer) -> Data {
        let number = |name: &str, n: f64| (name.to_owned(), Scalar::Number(n));
        match &reducer.kind {
            ReducerKind::Count => vec![
                number("classifications", f64::from(self.n_classifications)),
                number("extracts", f64::from(self.n_extracts)),
            ],
            ReducerKind::Stats => self.counts.clone(),
            ReducerKind::FirstExtract => self.first.clone().unwrap_or_default(),
            ReducerKind::UniqueCount { .. } => vec![number("count", self.different.len() as f64)],
            ReducerKind::Consensus => self.consensus(),
            ReducerKind::SummaryStatistics { operations, .. } => {
                let all = operations.iter().filter_map(|o| Some((o, statistic(*o, &self.numbers)?)));
                all.map(|(o, n)| number(o.as_str(), n)).collect()
            }
            ReducerKind::Outside(_) => Data::new(),
        }
    }

    /// The most frequent key; of equals the one that appeared last, as in Caesar.
    fn consensus(&self) -> Data {
        let n = |value: &Scalar| if let Scalar::Number(n) = value { *n } else { 0.0 };
        let total: f64 = self.counts.iter().map(|(_, v)| n(v)).sum();
        let Some((key, value)) = self.counts.iter().max_by(|a, b| n(&a.1).total_cmp(&n(&b.1))) else {
            return vec![("num_votes".to_owned(), Scalar::Number(0.0))];
        };
        vec![
            ("most_likely".to_owned(), Scalar::Text(key.clone())),
            ("num_votes".to_owned(), value.clone()),
            ("agreement".to_owned(), Scalar::Number(n(value) / total)),
        ]
    }
}

/// A statistic; nothing where there are too few numbers.
pub(super) fn statistic(operation: Operation, numbers: &[f64]) -> Option<f64> {
    let n = numbers.len() as f64;
    if operation == Operation::Count {
        return Some(n);
    }
    let first = *numbers.first()?;
    let sum: f64 = numbers.iter().sum();
    let sse = || numbers.iter().map(|x| (x - sum / n).powi(2)).sum::<f64>();
    let variance = || (numbers.len() > 1).then(|| sse() / (n - 1.0));
    let sorted = || {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    match operation {
        Operation::Count => Some(n),
        Operation::Min => sorted().first().copied(),
        Operation::Max => sorted().last().copied(),
        Operation::Sum => Some(sum),
        Operation::Product => Some(numbers.iter().product()),
        Operation::Mean => Some(sum / n),
        Operation::Sse => Some(sse()),
        Operation::Variance => variance(),
        Operation::Stdev => variance().map(f64::sqrt),
        Operation::First => Some(first),
        Operation::Median => {
            let v = sorted();
            Some(0.5 * (v[(v.len() - 1) / 2] + v[v.len() / 2]))
        }
        Operation::Mode => {
            let times = |x: f64| numbers.iter().filter(|&&y| y == x).count();
            // `max_by_key` gives the last of equals.
            numbers.iter().copied().max_by_key(|&x| times(x))
        }
    }
}
