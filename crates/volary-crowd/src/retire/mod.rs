//! When have we asked enough? Retirement rules replayed over votes that are there already.
//!
//! A [`Rule`] looks at one subject's votes as they come and says when it has seen enough; a retired
//! subject takes no more. [`study`] replays the votes in the order of time, or in random orders, and
//! says what each rule would have cost (votes a subject) and saved, how often the answer would have been
//! another one, and how right it would have been where the truth is known. [`caesar`] does the same with
//! the rules of a Zooniverse Caesar configuration.
//!
//! A replay cannot show what volunteers would have done with the time: votes saved are votes that other
//! subjects could have had. It takes the order of the votes as given, so a project whose subjects were
//! retired by a rule already can only be asked about stricter ones.

pub mod caesar;
mod figures;
mod machine;
mod rule;
mod study;

pub use figures::{Estimate, Figures};
pub use rule::{BetaPrior, Rule, RuleError, SwapRule};
pub use study::{CurvePoint, Ending, Order, RuleStudy, Stopped, Study, StudyError, StudyParams, study};

pub(crate) use study::{Baseline, Outcome};
