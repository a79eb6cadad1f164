//! Which classifications count when a volunteer classified a subject more than once.
//!
//! A repeat is the same volunteer on the same subject in the same workflow. Zooniverse exports hold a
//! few (a double click, two browser tabs); whoever counts them twice lets one person vote twice.

use volary_core::Votes;

/// The rule for repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Repeats {
    /// The earliest counts, the first impression; unknown times come before known ones.
    #[default]
    First,
    /// The latest counts.
    Last,
    /// All count.
    All,
}

impl Repeats {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::First, Self::Last, Self::All];

    /// The rule of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// Which classifications count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Per classification: whether it counts.
    pub counts: Vec<bool>,
    /// How many classifications repeat an earlier one, whether they count or not.
    pub n_repeats: u64,
}

/// Applies a rule.
#[must_use]
pub fn counted(votes: &Votes, rule: Repeats) -> Counted {
    let n = votes.n_classifications();
    let mut counts = vec![true; n];
    let mut n_repeats = 0;
    for i in 1..n {
        // Votes sorts its classifications by (workflow, subject, volunteer, time, id).
        if same_visit(votes, i - 1, i) {
            n_repeats += 1;
            match rule {
                Repeats::First => counts[i] = false,
                Repeats::Last => counts[i - 1] = false,
                Repeats::All => {}
            }
        }
    }
    Counted { counts, n_repeats }
}

/// Whether two classifications are by the same volunteer on the same subject in the same workflow.
pub(crate) fn same_visit(votes: &Votes, a: usize, b: usize) -> bool {
    votes.volunteer[a] == votes.volunteer[b]
        && votes.subject[a] == votes.subject[b]
        && votes.workflow[a] == votes.workflow[b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use volary_core::QuestionKind;
    use volary_core::votes::VotesBuilder;

    fn visits(rows: &[(&str, &str, &str, i64)]) -> Votes {
        let mut builder = VotesBuilder::default();
        for (id, (workflow, subject, volunteer, time)) in rows.iter().enumerate() {
            let c = builder.classification(workflow, subject, volunteer, Some(*time), &id.to_string());
            builder.vote(c, "T0", QuestionKind::Single, Some("yes"));
        }
        builder.finish()
    }

    #[test]
    fn a_repeat_is_the_same_volunteer_subject_and_workflow() {
        let votes = visits(&[
            ("w", "1", "ann", 30),
            ("w", "1", "ann", 10),
            ("w", "1", "ann", 20),
            ("w", "1", "ben", 5),
            ("w", "2", "ann", 5),
            ("v", "1", "ann", 5),
        ]);
        let times = |rule| {
            let counted = counted(&votes, rule);
            assert_eq!(counted.n_repeats, 2);
            let ann = |i: &usize| counted.counts[*i] && votes.created_ms[*i] >= 10;
            (0..6).filter(ann).map(|i| votes.created_ms[i]).collect::<Vec<_>>()
        };
        assert_eq!(times(Repeats::First), [10]);
        assert_eq!(times(Repeats::Last), [30]);
        assert_eq!(times(Repeats::All), [10, 20, 30]);
        assert_eq!(counted(&votes, Repeats::First).counts.iter().filter(|&&c| c).count(), 4);
    }

    #[test]
    fn names_go_there_and_back() {
        for rule in Repeats::ALL {
            assert_eq!(Repeats::parse(rule.as_str()), Some(rule));
        }
        assert_eq!(Repeats::parse("sometimes"), None);
        assert_eq!(counted(&Votes::default(), Repeats::First), Counted::default());
    }
}
