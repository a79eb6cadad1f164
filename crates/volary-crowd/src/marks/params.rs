//! Every constant of the pipeline, and the profiles that set them: `paper`, `released`, and our own.
//!
//! The paper and the code that was published with it disagree in twenty places (the book's page on marks
//! lists them); a profile is one consistent choice.

use crate::error::CrowdError;
use crate::repeats::Repeats;

/// Named sets of constants and rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Our own: grouping by modes, one mark per volunteer and feature, votes by membership.
    #[default]
    Volary,
    /// What Safron et al. 2022 say.
    Paper,
    /// What their released code does, defects and all.
    Released,
}

/// How marks become features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Where most volunteers agree first: see the module `modes`.
    #[default]
    Modes,
    /// Marks with the same neighbours, the paper's rule without its dependence on order.
    Twins,
    /// The released code, order of rows and all.
    Released,
}

/// How marks are matched to injected signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Pairs of overlapping mark and signal, the closest first.
    #[default]
    Closest,
    /// Signals in the table's order, each taking the closest overlapping mark that is left.
    Paper,
    /// As `Paper`, but a short mark need not overlap.
    Released,
}

/// How much the k-th hit of one classification counts (equations 2 to 4 and 11).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// f(k) = a − b·exp(c·k) up to k = 3, then f(3)·exp(−tail·(k − 3)).
    Tail {
        /// a of equation 4.
        a: f64,
        /// b of equation 4.
        b: f64,
        /// c of equation 4.
        c: f64,
        /// Rate beyond the fourth hit; the paper does not name it.
        tail: f64,
    },
    /// f(k) up to k = 3, then nothing.
    Cut {
        /// a of equation 4.
        a: f64,
        /// b of equation 4.
        b: f64,
        /// c of equation 4.
        c: f64,
    },
    /// Every hit counts in full.
    None,
}

impl Default for Decay {
    fn default() -> Self {
        Self::Tail { a: 1.03, b: 0.03, c: 1.07, tail: 1.5 }
    }
}

/// The last rank (from 0) at which equation 4 holds.
const LAST_RANK: usize = 3;

impl Decay {
    /// D(k) for the hit of rank k = 0, 1, 2…
    #[must_use]
    pub fn at(self, k: usize) -> f64 {
        let f = |a: f64, b: f64, c: f64, k: usize| a - b * (c * k as f64).exp();
        match self {
            Self::None => 1.0,
            Self::Tail { a, b, c, .. } | Self::Cut { a, b, c } if k <= LAST_RANK => f(a, b, c, k),
            Self::Tail { a, b, c, tail } => {
                f(a, b, c, LAST_RANK) * (-tail * (k - LAST_RANK) as f64).exp()
            }
            Self::Cut { .. } => 0.0,
        }
    }
}

/// Who says yes to a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voting {
    /// Whose mark is a member of it.
    #[default]
    Members,
    /// Members, and whose mark overlaps it with a midpoint within the tolerance.
    Paper,
    /// Everybody who marked anything in the subject: the released tolerance is relative (0.6 × 1000 d).
    Released,
}

/// All constants and rules. Days are days of the light curve's own time.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkParams {
    /// Which of a volunteer's views of one subject count.
    pub repeats: Repeats,
    /// How marks become features.
    pub grouping: Grouping,
    /// Largest distance of midpoints within a feature.
    pub tolerance_days: f64,
    /// Marks at least this wide are left out.
    pub cutoff_days: f64,
    /// Marks with a smaller share of real data are left out.
    pub min_real_fraction: f64,
    /// How marks are matched to signals.
    pub matching: Matching,
    /// Largest distance of midpoints of a mark and a signal.
    pub match_tolerance_days: f64,
    /// Whether marks wider than the cutoff are left out of matching too.
    pub cutoff_in_matching: bool,
    /// A match is a hit where it covers more than this share of the signal.
    pub hit_cover: f64,
    /// Smallest completeness that a signal may have in the raw upweight 1/SIDC − 1.
    pub completeness_floor: f64,
    /// How much the k-th hit of one view counts.
    pub decay: Decay,
    /// Whether hits are ranked from the hardest signal down (the paper) or up (the released code).
    pub hardest_first: bool,
    /// Weight of volunteers who saw no simulation; `None` for the base weight.
    pub weight_without_simulations: Option<f64>,
    /// Views of a simulation are split at random into groups of this size; `None` for one group.
    pub viewers_per_simulation: Option<u32>,
    /// Who says yes to a feature.
    pub voting: Voting,
    /// Largest distance of midpoints under [`Voting::Paper`].
    pub vote_tolerance_days: f64,
    /// Whether scores and weights are iterated.
    pub couple: bool,
    /// Iterations end where the mean absolute change of the weights is at most this.
    pub converged_at: f64,
    /// … and at this number in any case.
    pub max_iterations: u32,
    /// The released loop: running-mean normalisation over all volunteers, noise against resonance.
    pub released_loop: bool,
    /// Level of the intervals.
    pub level: f64,
    /// Seed of the random groups (and of the released noise).
    pub seed: u64,
}

impl Default for MarkParams {
    fn default() -> Self {
        Self::of(Profile::Volary)
    }
}

impl MarkParams {
    /// The constants of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let paper = Self {
            repeats: Repeats::All,
            grouping: Grouping::Twins,
            tolerance_days: 1.2,
            cutoff_days: 1.0,
            min_real_fraction: 0.5,
            matching: Matching::Paper,
            match_tolerance_days: 1.0,
            cutoff_in_matching: false,
            hit_cover: 0.5,
            completeness_floor: 0.1,
            decay: Decay::default(),
            hardest_first: true,
            weight_without_simulations: None,
            viewers_per_simulation: None,
            voting: Voting::Paper,
            vote_tolerance_days: 1.2,
            couple: true,
            converged_at: 1e-3,
            max_iterations: 200,
            released_loop: false,
            level: 0.95,
            seed: 1,
        };
        match profile {
            Profile::Paper => paper,
            Profile::Volary => Self {
                repeats: Repeats::First,
                grouping: Grouping::Modes,
                matching: Matching::Closest,
                voting: Voting::Members,
                ..paper
            },
            Profile::Released => Self {
                grouping: Grouping::Released,
                tolerance_days: 0.8,
                cutoff_days: 3.0,
                matching: Matching::Released,
                match_tolerance_days: 0.6,
                hardest_first: false,
                weight_without_simulations: Some(1.0),
                voting: Voting::Released,
                released_loop: true,
                ..paper
            },
        }
    }

    /// Checks that every constant is in its range.
    ///
    /// # Errors
    /// [`CrowdError::Marks`] with the first that is not.
    pub fn check(&self) -> Result<(), CrowdError> {
        let positive = [
            ("the feature tolerance", self.tolerance_days),
            ("the duration cutoff", self.cutoff_days),
            ("the match tolerance", self.match_tolerance_days),
            ("the vote tolerance", self.vote_tolerance_days),
            ("the convergence criterion", self.converged_at),
        ];
        for (name, value) in positive {
            if !(value > 0.0 && value.is_finite()) {
                return Err(CrowdError::Marks { name, value, must: "a positive number" });
            }
        }
        let shares = [
            ("the smallest share of real data", self.min_real_fraction, 0.0, 1.0),
            ("the cover of a hit", self.hit_cover, 0.0, 1.0),
            ("the completeness floor", self.completeness_floor, 1e-9, 1.0),
            ("the level of the intervals", self.level, 1e-9, 1.0 - 1e-9),
        ];
        for (name, value, low, high) in shares {
            if !(low <= value && value <= high) {
                return Err(CrowdError::Marks { name, value, must: "between 0 and 1" });
            }
        }
        if let Some(value) = self.weight_without_simulations.filter(|w| !crate::error::is_weight(*w)) {
            let name = "the weight without simulations";
            return Err(CrowdError::Marks { name, value, must: "a positive number" });
        }
        if self.viewers_per_simulation == Some(0) || self.max_iterations == 0 {
            let name = "viewers per simulation and iterations";
            return Err(CrowdError::Marks { name, value: 0.0, must: "at least 1" });
        }
        Ok(())
    }
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 3] = [Self::Volary, Self::Paper, Self::Released];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volary => "volary",
            Self::Paper => "paper",
            Self::Released => "released",
        }
    }

    /// The profile of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }
}

impl Grouping {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::Modes, Self::Twins, Self::Released];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Modes => "modes",
            Self::Twins => "twins",
            Self::Released => "released",
        }
    }

    /// The rule of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }
}
