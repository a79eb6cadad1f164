//! Whose votes may be followed from subject to subject, how far, and with which times.
//!
//! A table of volunteers that is k-anonymous helps nobody while the votes beside it can be counted: the one
//! person with 12,345 votes is found there. So what the votes show of a person must be what the table of
//! volunteers says, and no more. In tier C
//! - only who did enough has one pseudonym, and no more votes under it than the table's "at least so many";
//!   the others, chosen by the key, stand under subject-local pseudonyms;
//! - the same on subjects that somebody was credited for, or commented on: two public credits undo a
//!   pseudonym (specification 6.1);
//! - times are as coarse as the table's `first`, and stand with linked votes only.
//!
//! Tier D links everything, under agreement. What remains in tier C: the set of a person's subjects is close
//! to unique, for whoever knows it. `attack` measures what that is worth.

use std::collections::{BTreeMap, HashSet};

use rayon::iter::ParallelIterator as _;
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use crate::calendar::Resolution;
use crate::error::ReleaseError;
use crate::kanon::{Anonymised, Demand, Ladder, anonymise, floor_of, lower_the_top};
use crate::pseudonym::{Bearer, Pseudonyms, Token};
use crate::settings::Privacy;
use crate::tier::Tier;
use crate::votes::{NO_DAY, Vote, Votes};

/// What the team knows of a volunteer beyond the votes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) country: String,
    pub(crate) group: String,
    pub(crate) agreement: Option<f64>,
}

/// The protection of one release.
pub(crate) struct Protection<'a> {
    tier: Tier,
    votes: &'a Votes,
    pseudonyms: &'a Pseudonyms,
    public: HashSet<u32>,
    /// For each volunteer the row of the k-anonymous table, where there is one.
    row_of: Vec<Option<usize>>,
    /// The pseudonym of each volunteer of that table.
    person: Vec<Option<Token>>,
    table: Anonymised,
    time: Resolution,
    /// The subjects on which a volunteer is linked, as (subject, volunteer), sorted: votes come by subject,
    /// so that lookups stay close to each other.
    linked: Vec<(u32, u32)>,
}

/// A vote as it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Released {
    pub(crate) subject: u32,
    pub(crate) question: u32,
    pub(crate) token: Token,
    pub(crate) bearer: Bearer,
    pub(crate) answer: u32,
    pub(crate) day: i32,
}

/// Columns of the table of volunteers, as [`crate::tier::QUASI_IDENTIFIERS`] names them.
pub(crate) const ACTIVITY: usize = 0;
pub(crate) const FIRST: usize = 1;
pub(crate) const COUNTRY: usize = 2;
pub(crate) const GROUP: usize = 3;

impl<'a> Protection<'a> {
    pub(crate) fn plan(
        tier: Tier,
        privacy: &Privacy,
        votes: &'a Votes,
        people: &BTreeMap<String, Person>,
        public_subjects: &[String],
        pseudonyms: &'a Pseudonyms,
    ) -> Result<Self, ReleaseError> {
        let public: HashSet<u32> = public_subjects.iter().filter_map(|s| votes.subject(s)).collect();
        let n = votes.volunteers.len();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        if tier >= Tier::C {
            let all = votes.rows.iter().filter_map(|v| Some((v.who.volunteer()? as u32, v.subject)));
            pairs.extend(all.filter(|(_, s)| tier == Tier::D || !public.contains(s)));
            pairs.par_sort_unstable();
            pairs.dedup();
        }
        let mut counts = vec![0_u64; n];
        for (volunteer, _) in &pairs {
            counts[*volunteer as usize] += 1;
        }
        let least = if tier == Tier::D { 1 } else { privacy.min_classifications.max(1) };
        let chosen: Vec<usize> = (0..n).filter(|&v| counts[v] >= least).collect();
        let (_, first) = votes.activity();
        let mut floors: Vec<u64> = chosen.iter().map(|&v| floor_of(counts[v])).collect();
        lower_the_top(&mut floors, privacy.k);
        let nobody = Person::default();
        let person = |v: usize| people.get(&votes.volunteers[v]).unwrap_or(&nobody);
        let text = |of: fn(&Person) -> &String| -> Vec<String> {
            chosen.iter().map(|&v| of(person(v)).clone()).collect()
        };
        let activity = Ladder::floors("activity", &floors);
        let ladders = vec![
            // Without an activity that may be shown, a person's votes cannot be countable.
            if tier < Tier::D { activity.must_be_told() } else { activity },
            Ladder::days("first", &chosen.iter().map(|&v| first[v]).collect::<Vec<_>>(), privacy.time),
            Ladder::told("country", &text(|p| &p.country)),
            Ladder::told("group", &text(|p| &p.group)),
        ];
        let sensitive: Vec<u8> = chosen.iter().map(|&v| decile_or_none(person(v).agreement)).collect();
        let table = anonymise(ladders, &sensitive, Demand { k: privacy.k, l: privacy.l })?;
        let time = [Resolution::Day, Resolution::Week, Resolution::Quarter, Resolution::Year]
            .into_iter()
            .find(|r| r.name() == table.report.columns[FIRST].rung)
            .unwrap_or(Resolution::None);
        let mut row_of = vec![None; n];
        for (row, &volunteer) in chosen.iter().enumerate() {
            if table.leaves(row) {
                row_of[volunteer] = Some(row);
            }
        }
        let chosen_of = |own: &[(u32, u32)]| -> Vec<(u32, u32)> {
            let volunteer = own[0].0 as usize;
            let Some(row) = row_of[volunteer] else { return Vec::new() };
            if tier == Tier::D {
                return own.to_vec();
            }
            let key = &votes.volunteers[volunteer];
            let subject = |pair: &(u32, u32)| &votes.subjects[pair.1 as usize];
            let mut drawn: Vec<(Token, (u32, u32))> =
                own.iter().map(|pair| (pseudonyms.on_subject(subject(pair), key), *pair)).collect();
            drawn.sort_unstable();
            drawn.truncate(quota_of(table.label(ACTIVITY, row)));
            drawn.into_iter().map(|(_, pair)| pair).collect()
        };
        let mut linked: Vec<(u32, u32)> =
            pairs.par_chunk_by(|a, b| a.0 == b.0).flat_map_iter(chosen_of).collect();
        drop(pairs);
        for pair in &mut linked {
            *pair = (pair.1, pair.0);
        }
        linked.par_sort_unstable();
        let token_of = |(volunteer, row): (&String, &Option<usize>)| {
            row.is_some().then(|| pseudonyms.person(volunteer))
        };
        let person = votes.volunteers.iter().zip(&row_of).map(token_of).collect();
        Ok(Self { tier, votes, pseudonyms, public, row_of, person, table, time, linked })
    }

    /// How coarse the times of linked votes are.
    pub(crate) fn time(&self) -> Resolution {
        if self.tier >= Tier::C { self.time } else { Resolution::None }
    }

    /// The k-anonymous table, and for each volunteer that is in it the pseudonym and the row; sorted.
    pub(crate) fn volunteers(&self) -> (&Anonymised, Vec<(Token, usize, usize)>) {
        let mut rows: Vec<(Token, usize, usize)> = self
            .row_of
            .iter()
            .enumerate()
            .filter_map(|(v, row)| Some((self.person[v]?, v, (*row)?)))
            .collect();
        rows.sort_unstable();
        (&self.table, rows)
    }

    /// Votes under a pseudonym that is the same on other subjects.
    pub(crate) fn n_linked_pairs(&self) -> u64 {
        self.linked.len() as u64
    }

    /// Subjects with public credit or comments that are in the votes.
    pub(crate) fn n_public(&self) -> u64 {
        self.public.len() as u64
    }

    /// Whether a vote leaves under a pseudonym that other votes of the volunteer have, too.
    pub(crate) fn is_linked(&self, vote: &Vote) -> bool {
        vote.who.volunteer().is_some_and(|volunteer| {
            let pair = (vote.subject, volunteer as u32);
            self.person[volunteer].is_some() && self.linked.binary_search(&pair).is_ok()
        })
    }

    /// A vote as it leaves.
    pub(crate) fn release(&self, vote: &Vote) -> Released {
        let (token, bearer, day) = match vote.who.volunteer() {
            None => (self.votes.anonymous_token(vote.who), Bearer::NotLoggedIn, NO_DAY),
            Some(volunteer) => {
                let key = &self.votes.volunteers[volunteer];
                let row = self.row_of[volunteer];
                let pair = (vote.subject, volunteer as u32);
                let linked = self.person[volunteer].filter(|_| self.linked.binary_search(&pair).is_ok());
                if let Some(token) = linked {
                    let shows_time = row.is_some_and(|r| self.table.label(FIRST, r).is_some());
                    (token, Bearer::Account, if shows_time { vote.day } else { NO_DAY })
                } else {
                    let subject = &self.votes.subjects[vote.subject as usize];
                    (self.pseudonyms.on_subject(subject, key), Bearer::Account, NO_DAY)
                }
            }
        };
        Released {
            subject: vote.subject,
            question: vote.question,
            token,
            bearer,
            answer: vote.answer,
            day,
        }
    }
}

fn quota_of(activity: Option<&str>) -> usize {
    activity.and_then(|a| a.trim_end_matches('+').parse().ok()).unwrap_or(0)
}

/// Decile of a share, 0 to 9; 10 where it was not measured.
pub(crate) fn decile_or_none(share: Option<f64>) -> u8 {
    share.map_or(10, |s| (s.clamp(0.0, 1.0) * 10.0).floor().min(9.0) as u8)
}
