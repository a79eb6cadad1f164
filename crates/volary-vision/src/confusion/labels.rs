//! What volunteers said of the pictures: votes, or only their shares, per picture and class.

use std::collections::BTreeSet;

use crate::confusion::settings::Likelihood;
use crate::error::VisionError;

/// Votes of pictures over classes. Classes are independent: a volunteer may have chosen any number of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    classes: Vec<String>,
    /// `[pictures, classes]`, row by row.
    fractions: Vec<f32>,
    counts: Option<Counts>,
}

#[derive(Clone, Debug, PartialEq)]
struct Counts {
    /// Volunteers who saw a picture.
    n_seen: Vec<u32>,
    /// `[pictures, classes]`, row by row.
    n_votes: Vec<u32>,
}

impl Labels {
    /// Labels out of counts: `n_seen` volunteers saw a picture, `n_votes` (`[pictures, classes]`, row by
    /// row) of them chose a class.
    ///
    /// # Errors
    ///
    /// [`VisionError::Labels`] where the numbers do not fit together: more votes than volunteers, nobody
    /// saw a picture, a class twice.
    pub fn from_counts(
        classes: Vec<String>,
        n_seen: Vec<u32>,
        n_votes: Vec<u32>,
    ) -> Result<Self, VisionError> {
        check_classes(&classes, n_votes.len(), n_seen.len())?;
        let mut fractions = Vec::with_capacity(n_votes.len());
        for (row, (seen, votes)) in n_seen.iter().zip(n_votes.chunks_exact(classes.len())).enumerate() {
            if *seen == 0 {
                return Err(VisionError::Labels(format!(
                    "nobody saw picture {row}, so that there is no consensus on it; leave its row out"
                )));
            }
            for (class, n) in classes.iter().zip(votes) {
                if n > seen {
                    return Err(VisionError::Labels(format!(
                        "picture {row} has {n} votes for {class:?} of {seen} volunteers, a consensus above 1; \
                         correct its counts"
                    )));
                }
                fractions.push((f64::from(*n) / f64::from(*seen)) as f32);
            }
        }
        Ok(Self { classes, fractions, counts: Some(Counts { n_seen, n_votes }) })
    }

    /// Labels out of fractions (`[pictures, classes]`, row by row) of an unknown number of votes.
    ///
    /// # Errors
    ///
    /// [`VisionError::Labels`] where a fraction is not in 0 to 1, or a class stands twice.
    pub fn from_fractions(classes: Vec<String>, fractions: &[f64]) -> Result<Self, VisionError> {
        let n = fractions.len() / classes.len().max(1);
        check_classes(&classes, fractions.len(), n)?;
        if let Some(i) = fractions.iter().position(|f| !(0.0..=1.0).contains(f)) {
            let (row, class) = (i / classes.len(), &classes[i % classes.len()]);
            return Err(VisionError::Labels(format!(
                "picture {row} has a consensus of {} on {class:?}; give fractions in 0 to 1",
                fractions[i]
            )));
        }
        Ok(Self { classes, fractions: fractions.iter().map(|f| *f as f32).collect(), counts: None })
    }

    /// The classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Pictures.
    #[must_use]
    pub fn n(&self) -> usize {
        self.fractions.len() / self.classes.len()
    }

    /// The fractions of a picture, a class each.
    #[must_use]
    pub fn fractions(&self, row: usize) -> &[f32] {
        &self.fractions[row * self.classes.len()..][..self.classes.len()]
    }

    /// The votes of a picture, a class each, where they were counted.
    #[must_use]
    pub fn n_votes(&self, row: usize) -> Option<&[u32]> {
        let counts = self.counts.as_ref()?;
        Some(&counts.n_votes[row * self.classes.len()..][..self.classes.len()])
    }

    /// The volunteers who saw a picture, where they were counted.
    #[must_use]
    pub fn n_seen(&self, row: usize) -> Option<u32> {
        Some(self.counts.as_ref()?.n_seen[row])
    }

    /// The median of the volunteers who saw a picture, where they were counted.
    #[must_use]
    pub fn typical_n_seen(&self) -> Option<u32> {
        let mut n_seen = self.counts.as_ref()?.n_seen.clone();
        let middle = n_seen.len() / 2;
        Some(*n_seen.select_nth_unstable(middle).1)
    }

    /// Takes out the classes that nobody ever chose, and says which these were: there is nothing to learn
    /// of them.
    ///
    /// # Errors
    ///
    /// [`VisionError::Labels`] where no class is left.
    pub fn without_unchosen(self) -> Result<(Self, Vec<String>), VisionError> {
        let n_classes = self.classes.len();
        let is_chosen: Vec<bool> = (0..n_classes)
            .map(|c| self.fractions.iter().skip(c).step_by(n_classes).any(|f| *f > 0.0))
            .collect();
        if !is_chosen.contains(&true) {
            return Err(VisionError::Labels(
                "nobody ever chose any of the classes; give a table in which somebody did".to_owned(),
            ));
        }
        let kept = |i: usize| is_chosen[i % n_classes];
        let (classes, unchosen): (Vec<_>, Vec<_>) =
            self.classes.into_iter().zip(&is_chosen).partition(|(_, chosen)| **chosen);
        let fractions = self.fractions.iter().enumerate().filter(|(i, _)| kept(*i)).map(|(_, f)| *f);
        let counts = self.counts.map(|Counts { n_seen, n_votes }| {
            let n_votes = n_votes.iter().enumerate().filter(|(i, _)| kept(*i)).map(|(_, n)| *n);
            Counts { n_seen, n_votes: n_votes.collect() }
        });
        let labels = Self {
            classes: classes.into_iter().map(|c| c.0).collect(),
            fractions: fractions.collect(),
            counts,
        };
        Ok((labels, unchosen.into_iter().map(|c| c.0).collect()))
    }

    /// Whether a likelihood can be computed of these labels.
    ///
    /// # Errors
    ///
    /// [`VisionError::Labels`] where it needs counts and there are fractions, or one answer a volunteer
    /// and there are more.
    pub fn check(&self, likelihood: Likelihood) -> Result<(), VisionError> {
        if likelihood == Likelihood::Bce {
            return Ok(());
        }
        let Some(counts) = &self.counts else {
            return Err(VisionError::Labels(format!(
                "{} needs the number of votes, and these are fractions; give counts, or take --likelihood bce",
                likelihood.as_str()
            )));
        };
        if likelihood == Likelihood::Dirichlet {
            let votes = counts.n_votes.chunks_exact(self.classes.len());
            let odd = votes.zip(&counts.n_seen).position(|(votes, n)| {
                votes.iter().map(|v| u64::from(*v)).sum::<u64>() != u64::from(*n)
            });
            if let Some(row) = odd {
                return Err(VisionError::Labels(format!(
                    "dirichlet needs one answer of each volunteer, and those of picture {row} do not add up to \
                     the volunteers who saw it; give all answers as classes, or take --likelihood binomial"
                )));
            }
        }
        Ok(())
    }

    /// BLAKE3 over the table of labels, sorted by subject: the same labels give the same hash in whatever
    /// order they were read.
    #[must_use]
    pub fn hash(&self, subject_ids: &[String]) -> String {
        let mut rows: Vec<(&String, usize)> = subject_ids.iter().zip(0..self.n()).collect();
        rows.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for class in &self.classes {
            hasher.update(class.as_bytes());
            hasher.update(b"\n");
        }
        for (id, row) in rows {
            hasher.update(id.as_bytes());
            for fraction in self.fractions(row) {
                hasher.update(&fraction.to_le_bytes());
            }
            if let (Some(n_seen), Some(n_votes)) = (self.n_seen(row), self.n_votes(row)) {
                hasher.update(&n_seen.to_le_bytes());
                n_votes.iter().for_each(|n| {
                    hasher.update(&n.to_le_bytes());
                });
            }
            hasher.update(b"\n");
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn check_classes(classes: &[String], n_values: usize, n_rows: usize) -> Result<(), VisionError> {
    if classes.is_empty() {
        return Err(VisionError::Labels("there is no class to learn; name one or more".to_owned()));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = classes.iter().find(|class| !seen.insert(*class)) {
        return Err(VisionError::Labels(format!("the class {twice:?} stands twice; name it once")));
    }
    if n_values != n_rows * classes.len() {
        return Err(VisionError::Labels(format!(
            "{n_values} votes do not fill {n_rows} pictures of {} classes; give one for each",
            classes.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_consensus_above_one_is_refused() {
        let error = Labels::from_counts(classes(&["vortex"]), vec![5, 4], vec![5, 6]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "picture 1 has 6 votes for \"vortex\" of 4 volunteers, a consensus above 1; correct its counts"
        );
        for wrong in [1.5, -0.1, f64::NAN, f64::INFINITY] {
            let error =
                Labels::from_fractions(classes(&["a", "b"]), &[0.5, 1.0, 0.0, wrong]).unwrap_err();
            let expected =
                format!("picture 1 has a consensus of {wrong} on \"b\"; give fractions in 0 to 1");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn labels_that_do_not_fit_together_are_refused() {
        let counts = |names: &[&str], seen: &[u32], votes: &[u32]| {
            Labels::from_counts(classes(names), seen.to_vec(), votes.to_vec()).unwrap_err().to_string()
        };
        assert!(counts(&["a"], &[0], &[0]).starts_with("nobody saw picture 0"));
        assert!(counts(&["a", "a"], &[1], &[0, 0]).starts_with("the class \"a\" stands twice"));
        assert!(counts(&["a", "b"], &[1], &[0]).starts_with("1 votes do not fill 1 pictures"));
        assert!(counts(&[], &[], &[]).starts_with("there is no class"));
    }

    #[test]
    fn a_class_that_nobody_chose_is_taken_out_and_named() {
        let labels =
            Labels::from_counts(classes(&["a", "b", "c"]), vec![4, 2], vec![1, 0, 3, 2, 0, 0]).unwrap();
        let (labels, unchosen) = labels.without_unchosen().unwrap();
        assert_eq!((labels.classes(), unchosen), (&classes(&["a", "c"])[..], classes(&["b"])));
        assert_eq!((labels.n(), labels.n_votes(1)), (2, Some(&[2, 0][..])));
        assert_eq!(labels.fractions(0), [0.25, 0.75]);
        let nothing = Labels::from_fractions(classes(&["a"]), &[0.0, 0.0]).unwrap();
        assert!(
            nothing.without_unchosen().unwrap_err().to_string().starts_with("nobody ever chose any")
        );
    }

    #[test]
    fn likelihoods_ask_for_what_they_need() {
        let fractions = Labels::from_fractions(classes(&["a"]), &[0.5]).unwrap();
        assert!(fractions.check(Likelihood::Bce).is_ok());
        let error = fractions.check(Likelihood::Binomial).unwrap_err().to_string();
        assert!(error.starts_with("binomial needs the number of votes"), "{error}");
        let several = Labels::from_counts(classes(&["a", "b"]), vec![3], vec![3, 2]).unwrap();
        assert!(several.check(Likelihood::Binomial).is_ok());
        assert!(several.check(Likelihood::Dirichlet).is_err());
        let one = Labels::from_counts(classes(&["a", "b"]), vec![3], vec![1, 2]).unwrap();
        assert!(one.check(Likelihood::Dirichlet).is_ok());
    }

    #[test]
    fn the_hash_knows_the_labels_and_not_their_order() {
        let labels = |seen: &[u32], votes: &[u32]| {
            Labels::from_counts(classes(&["a"]), seen.to_vec(), votes.to_vec()).unwrap()
        };
        let ids = |ids: &[&str]| classes(ids);
        let hash = labels(&[2, 3], &[1, 2]).hash(&ids(&["x", "y"]));
        assert_eq!(hash, labels(&[3, 2], &[2, 1]).hash(&ids(&["y", "x"])));
        assert_ne!(hash, labels(&[3, 2], &[2, 1]).hash(&ids(&["x", "y"])));
        // 1 of 2 is not 2 of 4.
        assert_ne!(hash, labels(&[4, 3], &[2, 2]).hash(&ids(&["x", "y"])));
        assert_eq!(labels(&[9, 3, 5], &[0, 0, 1]).typical_n_seen(), Some(5));
    }
}
