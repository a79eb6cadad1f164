//! What every section needs to know about a question: its name, its shares, its outcomes.

use volary_core::votes::QuestionKind;
use volary_crowd::{AnswerShare, Interval, IntervalKind, Item, Outcome};

use super::ReportInput;
use super::text::{count, counted, label, percent, percent_interval, plain, share};

/// The band of shares in which the crowd is divided, ends included.
pub(super) const BAND: (f64, f64) = (0.3, 0.7);
/// Shares differ from the ends of the band by rounding.
const ROUNDING: f64 = 1e-9;

/// Whether a share lies in the band.
pub(super) fn in_band(share: f64) -> bool {
    (BAND.0 - ROUNDING..=BAND.1 + ROUNDING).contains(&share)
}

/// The share that a subject shows to a question: the top answer's (one answer), or each answer's that
/// somebody gave (several).
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) subject: u32,
    pub(super) fraction: f64,
    pub(super) interval: Interval,
    /// Effective votes behind it.
    pub(super) n: f64,
    /// Whether the votes leave the subject undecided.
    pub(super) tied: bool,
}

/// All shares of one question, in order of subject.
pub(super) fn shares(input: &ReportInput<'_>, question: u32) -> Vec<Share> {
    let several = input.votes.questions[question as usize].kind.is_multiple();
    let mut shares = Vec::new();
    for item in input.consensus.of_question(question) {
        let at = |fraction: f64, interval| Share {
            subject: item.subject,
            fraction,
            interval,
            n: item.n_effective,
            tied: item.outcome == Outcome::Undetermined
                && (!several || (fraction - 0.5).abs() < ROUNDING),
        };
        if several {
            let given = input.consensus.answers_of(item).iter().filter(|row| row.n_votes > 0);
            shares.extend(given.map(|row: &AnswerShare| at(row.fraction, row.interval)));
        } else if let Some(fraction) = item.agreement {
            shares.push(at(fraction, item.agreement_interval.unwrap_or(Interval::WHOLE)));
        }
    }
    shares.retain(|s| s.fraction.is_finite());
    shares
}

/// How many subjects have a share in the band, of how many with a share at all.
pub(super) fn divided(shares: &[Share]) -> (u64, u64) {
    let groups = shares.chunk_by(|a, b| a.subject == b.subject);
    groups
        .fold((0, 0), |(k, n), group| (k + u64::from(group.iter().any(|s| in_band(s.fraction))), n + 1))
}

/// How the items of a question came out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcomes {
    pub(super) n: u64,
    pub(super) agreed: u64,
    pub(super) undetermined: u64,
    pub(super) nobody: u64,
    pub(super) mean_entropy_bits: f64,
}

/// Counts outcomes.
pub(super) fn outcomes(items: &[Item]) -> Outcomes {
    let mut all = Outcomes { n: items.len() as u64, ..Outcomes::default() };
    let (mut entropy, mut with_votes) = (0.0, 0.0);
    for item in items {
        match item.outcome {
            Outcome::Agreed(_) => all.agreed += 1,
            Outcome::Undetermined => all.undetermined += 1,
            Outcome::Nobody => all.nobody += 1,
        }
        if item.n_answered > 0 && item.entropy_bits.is_finite() {
            entropy += item.entropy_bits;
            with_votes += 1.0;
        }
    }
    all.mean_entropy_bits = if with_votes > 0.0 { entropy / with_votes } else { 0.0 };
    all
}

/// Questions that anybody saw.
pub(super) fn seen(input: &ReportInput<'_>) -> Vec<u32> {
    let all = 0..u32::try_from(input.votes.questions.len()).unwrap_or(u32::MAX);
    all.filter(|q| !input.consensus.of_question(*q).is_empty()).collect()
}

/// The question's text, or its task where the text is unknown.
fn raw_name<'a>(input: &'a ReportInput<'_>, question: u32) -> (&'a str, bool) {
    let q = &input.votes.questions[question as usize];
    match input.question_texts.get(&(q.workflow.clone(), q.task.clone())) {
        Some(text) if !text.trim().is_empty() => (text, true),
        _ if q.task.is_empty() => ("the question", false),
        _ => (&q.task, false),
    }
}

/// A question's name in HTML, with its task and workflow where they say more.
pub(super) fn name_html(input: &ReportInput<'_>, question: u32, max: usize) -> String {
    let (name, is_text) = raw_name(input, question);
    let q = &input.votes.questions[question as usize];
    let mut where_from = Vec::new();
    if is_text && !q.task.is_empty() {
        where_from.push(label(&q.task, 24));
    }
    if input.votes.workflows.len() > 1 && !q.workflow.is_empty() {
        where_from.push(format!("workflow {}", label(&q.workflow, 24)));
    }
    let name = label(name, max);
    if where_from.is_empty() {
        name
    } else {
        format!("{name} <small>{}</small>", where_from.join(" · "))
    }
}

/// A question's name in plain text.
pub(super) fn name_plain(input: &ReportInput<'_>, question: u32, max: usize) -> String {
    let q = &input.votes.questions[question as usize];
    let name = plain(raw_name(input, question).0, max);
    if input.votes.workflows.len() > 1 && !q.workflow.is_empty() {
        format!("{name} (workflow {})", plain(&q.workflow, 20))
    } else {
        name
    }
}

/// What kind of question it is, in words.
pub(super) fn kind_words(kind: QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Unknown => "never answered",
        QuestionKind::Single => "one answer",
        QuestionKind::Multiple => "several answers",
        QuestionKind::Shortcut => "shortcut",
        QuestionKind::Survey => "survey",
        QuestionKind::Detail => "survey detail",
        QuestionKind::Dropdown => "drop-down",
        QuestionKind::Slider => "slider",
    }
}

/// "12 of 40 subjects (30.0%, 95% interval 18.1–45.4%)".
pub(super) fn out_of_surely(
    input: &ReportInput<'_>,
    (k, n): (u64, u64),
    noun: &str,
    interval: Interval,
) -> String {
    format!(
        "{} of {} ({}, {} interval {})",
        count(k),
        counted(n, noun),
        percent(share(k, n)),
        level(input),
        percent_interval(interval)
    )
}

/// The kind of interval, as people write it.
pub(super) fn interval_words(kind: IntervalKind) -> &'static str {
    match kind {
        IntervalKind::Wilson => "Wilson",
        IntervalKind::Jeffreys => "Jeffreys",
        IntervalKind::ClopperPearson => "Clopper–Pearson",
        IntervalKind::BetaBinomial => "beta–binomial",
    }
}

/// The level of the intervals: "95%".
pub(super) fn level(input: &ReportInput<'_>) -> String {
    let percent = input.params.level() * 100.0;
    let text = format!("{percent:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
