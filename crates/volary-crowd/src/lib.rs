//! People and consensus: what the crowd says, how sure that is, and who the crowd is.
//!
//! Everything reads a [`volary_core::Votes`] and returns plain rows. The crate does no I/O and reads no
//! clock; it draws only seeded randomness, and its output does not depend on the number of threads.
//!
//! | question | module |
//! |---|---|
//! | which classifications count | [`repeats`] |
//! | how much each counts | [`weights`] |
//! | what the crowd says | [`mod@fraction`] → [`consensus`] |
//! | … by models of volunteers' skill | [`mod@skill`] |
//! | … in survey tasks, … in combinations of answers | [`mod@survey`], [`mod@pairs`] |
//! | which share picked a subject, and what weighing people changes | [`mod@chosen`] |
//! | what people call things | [`tags`] |
//! | how sure that is | [`interval`], [`beta_binomial`], [`entropy`] |
//! | who is right, vote by vote | [`polls`] → [`skill::swap`] |
//! | when enough has been asked | [`mod@retire`] |
//! | who the crowd is | [`mod@volunteers`], [`mod@activity`] |
//! | whether it agrees more than by chance | [`mod@agreement`] |
//! | whose votes look odd | [`mod@flags`] |
//! | whether it is right | [`mod@evaluate`] |
//! | where it is wrong more often | [`mod@bias`] |
//! | whether volunteers learn, and tire | [`mod@practice`] |
//! | how far a group of them agrees, and how sure that is | [`mod@group`] |
//! | which of its labels are fit to learn from | [`mod@gold`] |
//! | what they drew | [`mod@shapes`] |
//! | what would happen if | [`mod@simulate`] |
//! | which marks on light curves mean the same, and whether it is real | [`marks`] |
//! | the contract that aggregation methods obey | [`aggregate`] |

pub mod activity;
pub mod aggregate;
pub mod agreement;
pub mod beta_binomial;
pub mod bias;
pub mod chosen;
pub mod consensus;
pub mod entropy;
mod error;
pub mod evaluate;
pub mod flags;
pub mod fraction;
pub mod gold;
pub mod group;
pub mod interval;
pub mod marks;
pub mod pairs;
pub mod polls;
pub mod practice;
pub mod repeats;
pub mod retire;
pub mod shapes;
pub mod simulate;
pub mod skill;
mod special;
pub mod survey;
pub mod tags;
pub mod volunteers;
pub mod weights;

use volary_core::draws;

pub use activity::{Activity, activity};
pub use aggregate::{Aggregate, Running};
pub use agreement::{AgreementParams, AgreementRow, RunningAlpha, agreement, agreement_of_counts};
pub use beta_binomial::BetaBinomial;
pub use consensus::{AnswerShare, Consensus, Item, Outcome, Prior};
pub use error::CrowdError;
pub use evaluate::{Evaluation, evaluate};
pub use flags::{Flag, FlagParams, FlagRow, flags};
pub use fraction::{FractionParams, fraction};
pub use interval::{Interval, IntervalKind};
pub use pairs::{PairRow, pairs};
pub use repeats::{Counted, Repeats, counted};
pub use simulate::multiple::{MultipleParams, SimulatedMultiple, simulate_multiple};
pub use simulate::{
    CrowdParams, Effects, Machine, Scale, SharedBias, SimulatedCrowd, Spread, Temptation, VolunteerKind,
    simulate,
};
pub use survey::{SurveyRow, survey, survey_of};
pub use volunteers::{Compared, VolunteerRow, Volunteers, compare, volunteers};
pub use weights::{ExperienceRule, ExperienceSource, Weights, experience_then};
