//! Which of several sources drifts: windows of each, compared with its own reference.
//!
//! Each source has features (an embedding has many). The chance of a false alarm is that of the source: it is
//! divided by the number of its features (Bonferroni), or 64 dimensions at 1 % each would cry wolf every second
//! window. Counting how many windows in a row alarm is left to the report, since a single one in a
//! hundred is expected.

use std::collections::BTreeMap;

use super::psi::{Psi, Reference};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The model's scores.
    Scores,
    /// The embedding.
    Embedding,
    /// How the data were taken: site, camera, seeing, moon.
    Metadata,
    /// How volunteers vote: share of positive answers, seconds per vote.
    Votes,
    /// What subjects turn out to be, on those that were drawn with known probability.
    Labels,
}

impl Source {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scores => "scores",
            Self::Embedding => "embedding",
            Self::Metadata => "metadata",
            Self::Votes => "votes",
            Self::Labels => "labels",
        }
    }
}

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchParams {
    /// Bins of each feature, at most.
    pub n_bins: usize,
    /// Chance of a false alarm per source and window.
    pub p_false: f64,
}

impl Default for WatchParams {
    fn default() -> Self {
        Self { n_bins: 10, p_false: 0.01 }
    }
}

/// One source in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Which source.
    pub source: Source,
    /// Its feature that is farthest beyond its limit.
    pub feature: String,
    /// How it compares.
    pub psi: Psi,
    /// Features of the source beyond their limit.
    pub n_features: usize,
    /// Windows in a row with an alarm of this source, this one included.
    pub n_in_a_row: u32,
}

/// Values of features, by source and name.
pub type Window = BTreeMap<(Source, String), Vec<f64>>;

/// References of all features, and how long each source has alarmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    references: BTreeMap<(Source, String), Reference>,
    in_a_row: BTreeMap<Source, u32>,
    params: WatchParams,
}

impl Watch {
    /// Watches what `reference` holds.
    #[must_use]
    pub fn new(reference: &Window, params: WatchParams) -> Self {
        let references = reference
            .iter()
            .map(|(key, values)| (key.clone(), Reference::new(values, params.n_bins)))
            .collect();
        Self { references, in_a_row: BTreeMap::new(), params }
    }

    /// Compares a window: the sources that alarm. Features that the reference lacks, and sources that the
    /// window lacks, are no alarm.
    pub fn compare(&mut self, window: &Window) -> Vec<Alarm> {
        let mut n_features: BTreeMap<Source, u32> = BTreeMap::new();
        for (source, _) in self.references.keys() {
            *n_features.entry(*source).or_default() += 1;
        }
        let mut alarms: BTreeMap<Source, Alarm> = BTreeMap::new();
        for ((source, feature), reference) in &self.references {
            let Some(values) = window.get(&(*source, feature.clone())) else { continue };
            let p_false = self.params.p_false / f64::from(n_features[source]);
            let psi = reference.compare(values, p_false);
            if !psi.is_alarm() {
                continue;
            }
            let excess = |psi: &Psi| psi.value.zip(psi.limit).map_or(0.0, |(v, l)| v / l);
            let first = || Alarm {
                source: *source,
                feature: feature.clone(),
                psi,
                n_features: 0,
                n_in_a_row: 0,
            };
            let alarm = alarms.entry(*source).or_insert_with(first);
            alarm.n_features += 1;
            if excess(&psi) > excess(&alarm.psi) {
                (alarm.feature, alarm.psi) = (feature.clone(), psi);
            }
        }
        for source in n_features.into_keys() {
            let n = self.in_a_row.entry(source).or_default();
            match alarms.get_mut(&source) {
                Some(alarm) => {
                    *n += 1;
                    alarm.n_in_a_row = *n;
                }
                None => *n = 0,
            }
        }
        alarms.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use volary_core::seed::{Rng, stream};
    use volary_crowd::interval::clopper_pearson;

    use super::*;
    use crate::draws::normal;

    /// Sixteen dimensions, a score, seeing in whole tenths, and labels; shifts and shares as asked for.
    fn window(rng: &mut Rng, n: usize, shift: [f64; 3], p_real: f64) -> Window {
        let mut window = Window::new();
        for at in 0..16 {
            let by = if at == 5 { shift[0] } else { 0.0 };
            let values = (0..n).map(|_| normal(rng) + by).collect();
            window.insert((Source::Embedding, format!("e{at:02}")), values);
        }
        let scores = (0..n).map(|_| (rng.random::<f64>() + shift[1]).min(1.0)).collect();
        window.insert((Source::Scores, "score".into()), scores);
        let seeing = (0..n).map(|_| ((normal(rng).abs() + shift[2]) * 10.0).round() / 10.0).collect();
        window.insert((Source::Metadata, "seeing".into()), seeing);
        let labels = (0..n).map(|_| f64::from(u8::from(rng.random::<f64>() < p_real))).collect();
        window.insert((Source::Labels, "real".into()), labels);
        window
    }

    fn watch(rng: &mut Rng) -> Watch {
        Watch::new(&window(rng, 20_000, [0.0; 3], 0.3), WatchParams::default())
    }

    #[test]
    fn an_alarm_names_its_source_and_no_other() {
        let mut rng = stream(9, "watch");
        let params = WatchParams { p_false: 1e-4, ..WatchParams::default() };
        let cases = [
            ([0.6, 0.0, 0.0], 0.3, Source::Embedding, "e05"),
            ([0.0, 0.2, 0.0], 0.3, Source::Scores, "score"),
            ([0.0, 0.0, 0.5], 0.3, Source::Metadata, "seeing"),
            // The balance of classes changes and no feature does.
            ([0.0, 0.0, 0.0], 0.5, Source::Labels, "real"),
        ];
        for (shift, p_real, source, feature) in cases {
            let mut watch = Watch { params, ..watch(&mut rng) };
            for n_in_a_row in 1..=3 {
                let alarms = watch.compare(&window(&mut rng, 500, shift, p_real));
                let found: Vec<_> = alarms.iter().map(|a| (a.source, a.feature.as_str())).collect();
                assert!(found.contains(&(source, feature)), "{source:?}: {found:?}");
                assert!(found.len() == 1, "{found:?}");
                assert_eq!(alarms[0].n_in_a_row, n_in_a_row);
            }
            watch.compare(&window(&mut rng, 500, [0.0; 3], 0.3));
            assert_eq!(watch.compare(&window(&mut rng, 500, shift, p_real))[0].n_in_a_row, 1);
        }
    }

    #[test]
    fn without_drift_each_source_alarms_as_often_as_it_says() {
        let mut rng = stream(4, "watch quiet");
        let mut watch = watch(&mut rng);
        let mut n = BTreeMap::new();
        for _ in 0..1_000 {
            for alarm in watch.compare(&window(&mut rng, 300, [0.0; 3], 0.3)) {
                *n.entry(alarm.source).or_insert(0.0) += 1.0;
            }
        }
        for source in [Source::Embedding, Source::Scores, Source::Metadata, Source::Labels] {
            let found = n.get(&source).copied().unwrap_or(0.0);
            let share = clopper_pearson(found, 1_000.0, 0.999);
            // Far tails of small windows are a little heavier than chi-square's.
            assert!(share.low < 0.01 && share.high > 0.008, "{source:?}: {found} of 1,000");
        }
    }

    #[test]
    fn what_one_side_lacks_is_no_alarm() {
        let mut rng = stream(2, "watch gaps");
        let mut watch = watch(&mut rng);
        assert!(watch.compare(&Window::new()).is_empty());
        let other = Window::from([((Source::Votes, "seconds".to_owned()), vec![1.0; 500])]);
        assert!(watch.compare(&other).is_empty());
        let mut nothing = Watch::new(&Window::new(), WatchParams::default());
        assert!(nothing.compare(&other).is_empty());
    }
}
