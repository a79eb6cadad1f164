use super::*;
use crate::{Repeats, counted, polls::polls};
use volary_core::caesar::{
    Arithmetic, Comparison, Extractor, Filters, Operation, Reducer, RepeatedClassifications, Scalar,
    TextTransform,
};
use volary_core::votes::{QuestionKind, VotesBuilder};

fn number(n: f64) -> Expr {
    Expr::Const(Scalar::Number(n))
}

fn text(t: &str) -> Expr {
    Expr::Const(Scalar::Text(t.to_owned()))
}

fn lookup(path: &str, default: f64) -> Expr {
    let (reducer, key) = path.split_once('.').map_or((path, None), |(r, k)| (r, Some(k.to_owned())));
    Expr::Lookup { reducer: reducer.to_owned(), key, default: Scalar::Number(default) }
}

fn compare(comparison: Comparison, operands: Vec<Expr>) -> Expr {
    Expr::Compare(comparison, operands)
}

fn at_least(path: &str, n: f64) -> Expr {
    compare(Comparison::GreaterOrEqual, vec![lookup(path, 0.0), number(n)])
}

fn reducer(key: &str, kind: ReducerKind) -> Reducer {
    Reducer {
        key: key.to_owned(),
        kind,
        by_user: false,
        running: false,
        filters: Filters::default(),
        grouping: None,
    }
}

fn config(reducers: Vec<Reducer>, rules: Vec<(Expr, Vec<Effect>)>) -> CaesarConfig {
    let question = ExtractorKind::Question { task: "T0".to_owned() };
    let rule = |(i, (condition, effects)): (usize, (Expr, Vec<Effect>))| SubjectRule {
        name: format!("rule {i}"),
        condition,
        effects,
    };
    CaesarConfig {
        extractors: vec![Extractor { key: "t0".to_owned(), kind: question }],
        reducers,
        rules: rules.into_iter().enumerate().map(rule).collect(),
        ..CaesarConfig::default()
    }
}

fn retire(reason: &str) -> Vec<Effect> {
    vec![Effect::Retire { reason: reason.to_owned() }]
}

/// (subject, volunteer, answer) in this order; an answer of "" is a blank.
fn votes(rows: &[(&str, &str, &str)]) -> Votes {
    let mut builder = VotesBuilder::default();
    for (id, (subject, volunteer, answer)) in rows.iter().enumerate() {
        let time = Some(1000 * i64::try_from(id).unwrap());
        let c = builder.classification("7", subject, volunteer, time, &id.to_string());
        let answer = Some(*answer).filter(|a| !a.is_empty());
        builder.vote(c, "T0", QuestionKind::Single, answer);
    }
    builder.finish()
}

fn number_of(_: &str, _: &str, label: &str) -> Option<String> {
    ["no", "yes", "unsure"].iter().position(|a| *a == label).map(|at| at.to_string())
}

fn run_with_numbers(
    votes: &Votes,
    config: &CaesarConfig,
    answer_key: &dyn Fn(&str, &str, &str) -> Option<String>,
) -> Result<CaesarReplay, CaesarError> {
    let setting = CaesarSetting { answer_key, is_anonymous: &|v| v.starts_with('a') };
    replay(votes, config, &setting)
}

fn run(votes: &Votes, config: &CaesarConfig) -> CaesarReplay {
    run_with_numbers(votes, config, &number_of).unwrap()
}

/// Classifications taken of subject "1".
fn taken(rows: &[(&str, &str, &str)], config: &CaesarConfig) -> (u32, bool) {
    let replay = run(&votes(rows), config);
    (replay.fates[0].n_taken, replay.fates[0].retired_by.is_some())
}

const SIX: [(&str, &str, &str); 6] = [
    ("1", "v1", "yes"),
    ("1", "v2", "no"),
    ("1", "v1", "yes"),
    ("1", "a3", "yes"),
    ("1", "a3", "yes"),
    ("1", "v4", "yes"),
];

#[test]
fn five_classifications_and_eighty_per_cent() {
    let consensus = reducer("consensus", ReducerKind::Consensus);
    let both =
        Expr::And(vec![at_least("count.classifications", 5.0), at_least("consensus.agreement", 0.8)]);
    let config =
        config(vec![reducer("count", ReducerKind::Count), consensus], vec![(both, retire("consensus"))]);
    // The third row repeats v1 and does not count; a3 was not logged in and counts twice.
    assert_eq!(taken(&SIX, &config), (6, true));
    let replay = run(&votes(&SIX), &config);
    assert_eq!((replay.n_retired(), replay.median_at_retirement()), (1, Some(6.0)));
    assert_eq!(replay.reasons, BTreeMap::from([("consensus".to_owned(), 1)]));
    let rule = &replay.rules[0];
    assert_eq!((rule.n_fired, rule.n_first, rule.n_retired, rule.n_errors), (1, 1, 1, 0));
    assert_eq!((rule.median_at, rule.effects[0].as_str()), (Some(6.0), "retire_subject (consensus)"));
    assert!(replay.notes.is_empty());
}

#[test]
fn filters_decide_what_a_reducer_sees() {
    let counting = |filters: Filters, running: bool, n: f64| {
        let reducer = Reducer { filters, running, ..reducer("c", ReducerKind::Count) };
        taken(&SIX, &config(vec![reducer], vec![(at_least("c.classifications", n), retire("x"))]))
    };
    let all = Filters::default;
    let keep = |repeated| Filters { repeated, ..Filters::default() };
    assert_eq!(counting(all(), false, 3.0), (4, true));
    assert_eq!(counting(keep(RepeatedClassifications::KeepAll), false, 3.0), (3, true));
    assert_eq!(counting(keep(RepeatedClassifications::KeepLast), false, 3.0), (4, true));
    // A running reducer sees one classification at a time and cannot know repeats.
    assert_eq!(counting(all(), true, 3.0), (3, true));
    let range = |from, to| Filters {
        from,
        to,
        repeated: RepeatedClassifications::KeepAll,
        ..Filters::default()
    };
    assert_eq!(counting(range(2, -1), false, 2.0), (4, true));
    assert_eq!(counting(range(0, 1), false, 3.0), (6, false));
    assert_eq!(counting(range(0, 1), false, 2.0), (2, true));
    assert_eq!(counting(range(-2, -1), false, 2.0), (2, true));
    assert_eq!(counting(range(0, -2), false, 2.0), (3, true));
    assert_eq!(counting(range(5, 2), false, 1.0), (6, false));
    let other = Filters { extractor_keys: vec!["t9".to_owned()], ..Filters::default() };
    assert_eq!(counting(other, false, 1.0), (6, false));
}

#[test]
fn answers_go_by_their_number() {
    let config =
        config(vec![reducer("s", ReducerKind::Stats)], vec![(at_least("s.1", 2.0), retire("x"))]);
    assert_eq!(taken(&SIX, &config), (4, true));
    let error = run_with_numbers(&votes(&SIX), &config, &|_, _, _| None).unwrap_err().to_string();
    assert!(error.contains("answer \"1\" of \"s\"") && error.contains("--workflows"), "{error}");
    // Labels that are numbers are their own.
    let numbered = [("1", "v1", "1"), ("1", "v2", "0"), ("1", "v3", "1"), ("1", "v4", "1")];
    let replay = run_with_numbers(&votes(&numbered), &config, &|_, _, _| None).unwrap();
    assert_eq!(replay.fates[0].n_taken, 3);
    // A blank is the answer `null`, which has no number.
    assert_eq!(taken(&[("1", "v1", ""), ("1", "v2", "yes")], &config), (2, false));
}

#[test]
fn num_votes_is_of_the_likeliest_answer_only() {
    let reducers = vec![reducer("consensus", ReducerKind::Consensus)];
    let config = config(reducers, vec![(at_least("consensus.num_votes", 3.0), retire("x"))]);
    let rows = [
        ("1", "v1", "yes"),
        ("1", "v2", "no"),
        ("1", "v3", "yes"),
        ("1", "v4", "no"),
        ("1", "v5", "no"),
    ];
    assert_eq!(taken(&rows, &config), (5, true));
    let notes = run(&votes(&rows), &config).notes;
    assert!(
        notes[0].contains("consensus.num_votes counts the votes for the likeliest answer"),
        "{notes:?}"
    );
}

#[test]
fn a_tie_of_the_consensus_goes_to_the_answer_that_appeared_last() {
    let likeliest = |answer: &str| {
        let same = Expr::Lookup {
            reducer: "c".to_owned(),
            key: Some("most_likely".to_owned()),
            default: Scalar::Null,
        };
        compare(Comparison::Equal, vec![same, text(answer)])
    };
    let both = |answer: &str| {
        let rule = Expr::And(vec![at_least("n.classifications", 2.0), likeliest(answer)]);
        let reducers = vec![reducer("c", ReducerKind::Consensus), reducer("n", ReducerKind::Count)];
        config(reducers, vec![(rule, retire("x"))])
    };
    let rows = [("1", "v1", "yes"), ("1", "v2", "no")];
    assert_eq!(taken(&rows, &both("0")), (2, true));
    assert_eq!(taken(&rows, &both("1")), (2, false));
}

#[test]
fn which_rules_act() {
    let rules = || {
        vec![
            (at_least("c.classifications", 1.0), vec![Effect::Other { action: "external".to_owned() }]),
            (at_least("c.classifications", 2.0), retire("human")),
            (at_least("c.classifications", 1.0), retire("blank")),
        ]
    };
    let all = config(vec![reducer("c", ReducerKind::Count)], rules());
    let replay = run(&votes(&SIX), &all);
    assert_eq!(replay.fates[0], Fate { subject: 0, n_taken: 1, n_all: 6, retired_by: Some(2) });
    let record =
        |i: usize| (replay.rules[i].n_fired, replay.rules[i].n_first, replay.rules[i].n_retired);
    assert_eq!((record(0), record(1), record(2)), ((1, 1, 0), (0, 0, 0), (1, 0, 1)));
    // The first rule holds always, so with `first_matching_rule` nothing else is looked at.
    let first = CaesarConfig { applied: RulesApplied::FirstMatching, ..all };
    assert_eq!(run(&votes(&SIX), &first).n_retired(), 0);
}

#[test]
fn the_other_reducers() {
    let statistics = ReducerKind::SummaryStatistics {
        extractor: Some("t0".to_owned()),
        field: "1".to_owned(),
        operations: vec![Operation::Count, Operation::Mean],
    };
    let check = |kind: ReducerKind, path: &str, n: f64, expected: (u32, bool)| {
        let config = config(vec![reducer("r", kind)], vec![(at_least(path, n), retire("x"))]);
        assert_eq!(taken(&SIX, &config), expected, "{path}");
    };
    check(statistics, "r.count", 2.0, (4, true));
    check(ReducerKind::FirstExtract, "r.1", 1.0, (1, true));
    check(ReducerKind::UniqueCount { field: "1".to_owned() }, "r.count", 2.0, (2, true));
    check(ReducerKind::Count, "r.extracts", 4.0, (5, true));
    // Groups by the answer: the one that appeared last is looked up.
    let grouping = Some(("t0".to_owned(), "0".to_owned()));
    let grouped = Reducer { grouping, ..reducer("r", ReducerKind::Count) };
    let config = config(vec![grouped], vec![(at_least("r.classifications", 1.0), retire("x"))]);
    assert_eq!(taken(&SIX, &config), (2, true));
}

#[test]
fn statistics_by_hand() {
    let numbers = [2.0, 3.0, 3.0, 7.0];
    let expected =
        [4.0, 2.0, 7.0, 15.0, 126.0, 3.75, 14.75, 14.75 / 3.0, (14.75_f64 / 3.0).sqrt(), 2.0, 3.0, 3.0];
    for ((operation, name), value) in Operation::ALL.into_iter().zip(expected) {
        let got = reduce::statistic(operation, &numbers).unwrap();
        assert!((got - value).abs() < 1e-12, "{name}: {got}");
    }
    assert_eq!(reduce::statistic(Operation::Variance, &[1.0]), None);
    assert_eq!(reduce::statistic(Operation::Mean, &[]), None);
    assert_eq!(reduce::statistic(Operation::Count, &[]), Some(0.0));
}

/// A condition evaluated where one reduction `r` is {a: 3, b: 0.5, name: "Owl"}.
fn value(expr: Expr) -> Result<Scalar, String> {
    let config = config(vec![reducer("r", ReducerKind::Stats)], vec![]);
    let data = vec![Some(vec![
        ("a".to_owned(), Scalar::Number(3.0)),
        ("b".to_owned(), Scalar::Number(0.5)),
        ("name".to_owned(), Scalar::Text("Owl 12".to_owned())),
    ])];
    evaluate(&expr, &Bindings::new(&config, &data))
}

fn holds(expr: Expr) -> bool {
    value(expr).unwrap().is_truthy()
}

#[test]
fn comparisons_chain() {
    use Comparison::{Equal, Greater, Less, LessOrEqual};
    assert!(holds(compare(Less, vec![number(1.0), lookup("r.a", 0.0), number(5.0)])));
    assert!(!holds(compare(Less, vec![number(1.0), lookup("r.a", 0.0), number(3.0)])));
    assert!(holds(compare(LessOrEqual, vec![number(3.0), lookup("r.a", 0.0), number(3.0)])));
    assert!(holds(compare(Greater, vec![text("b"), text("a")])));
    assert!(holds(compare(Equal, vec![lookup("r.a", 0.0), number(3.0), number(3.0)])));
    assert!(!holds(compare(Equal, vec![lookup("r.name", 0.0), number(3.0)])));
    // The default stands where the reduction or the key is missing.
    assert!(holds(compare(Equal, vec![lookup("r.missing", 9.0), number(9.0)])));
    assert!(holds(compare(Equal, vec![lookup("q.a", 9.0), number(9.0)])));
    // Caesar gives the last value of a chain, so nothing and false never equal themselves.
    let nothing = || Expr::Const(Scalar::Null);
    assert!(!holds(compare(Equal, vec![nothing(), nothing()])));
    assert!(!holds(compare(Less, vec![])) && holds(compare(Less, vec![number(0.0)])));
    assert!(
        value(compare(Less, vec![number(1.0), text("x")])).unwrap_err().contains("cannot be compared")
    );
    assert!(value(lookup("r", 0.0)).unwrap_err().contains("whole reduction"));
}

#[test]
fn arithmetic_logic_text() {
    use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    let calculated = |op, numbers: &[f64]| {
        let operands = numbers.iter().map(|&n| number(n)).collect();
        value(Expr::Arithmetic(op, operands)).unwrap()
    };
    assert_eq!(calculated(Add, &[1.0, 2.0, 3.0]), Scalar::Number(6.0));
    assert_eq!(calculated(Subtract, &[9.0, 2.0, 3.0]), Scalar::Number(4.0));
    assert_eq!(calculated(Multiply, &[2.0, 3.0]), Scalar::Number(6.0));
    assert_eq!(calculated(Divide, &[1.0, 2.0]), Scalar::Number(0.5));
    assert_eq!(calculated(Remainder, &[-7.0, 3.0]), Scalar::Number(2.0));
    assert!(value(Expr::Arithmetic(Add, vec![text("1"), number(1.0)])).is_err());
    let t = || Expr::Const(Scalar::Bool(true));
    let f = || Expr::Const(Scalar::Bool(false));
    assert!(holds(Expr::And(vec![t(), number(0.0)])) && !holds(Expr::And(vec![t(), f()])));
    assert!(holds(Expr::Or(vec![f(), t()])) && !holds(Expr::Or(vec![f(), Expr::Const(Scalar::Null)])));
    assert!(holds(Expr::Not(Box::new(f()))) && holds(Expr::And(vec![])) && !holds(Expr::Or(vec![])));
    // What stands after the decision is not looked at.
    assert!(!holds(Expr::And(vec![f(), lookup("r", 0.0)])));
    let made = |transform, of: Expr| value(Expr::Transform(transform, Box::new(of)));
    assert_eq!(made(TextTransform::Upper, lookup("r.name", 0.0)), Ok(Scalar::Text("OWL 12".to_owned())));
    assert_eq!(made(TextTransform::Lower, text("ÀB")), Ok(Scalar::Text("àb".to_owned())));
    for (written, int, float) in
        [("12 owls", 12.0, 12.0), ("-3.75x", -3.0, -3.75), ("owl", 0.0, 0.0), ("5.", 5.0, 5.0)]
    {
        assert_eq!(made(TextTransform::Int, text(written)), Ok(Scalar::Number(int)));
        assert_eq!(made(TextTransform::Float, text(written)), Ok(Scalar::Number(float)));
    }
    assert!(made(TextTransform::Int, number(3.0)).is_err());
}

#[test]
fn any_and_all_walk_a_reduction() {
    let above = |n: f64| {
        let number_or_zero = Expr::Or(vec![
            compare(Comparison::Equal, vec![lookup("key", 0.0), text("name")]),
            compare(Comparison::Greater, vec![lookup("value", 0.0), number(n)]),
        ]);
        Box::new(number_or_zero)
    };
    assert!(holds(Expr::Any("r".to_owned(), above(1.0))));
    assert!(holds(Expr::All("r".to_owned(), above(0.0))));
    assert!(!holds(Expr::All("r".to_owned(), above(1.0))));
    // A reduction that is not there yet has no entries that could hold.
    assert!(
        !holds(Expr::Any("q".to_owned(), above(0.0))) && !holds(Expr::All("q".to_owned(), above(0.0)))
    );
}

#[test]
fn errors_are_counted_and_do_not_fire() {
    let wrong = compare(Comparison::Less, vec![lookup("c.classifications", 0.0), text("five")]);
    let config = config(vec![reducer("c", ReducerKind::Count)], vec![(wrong, retire("x"))]);
    let replay = run(&votes(&SIX), &config);
    assert_eq!((replay.n_retired(), replay.rules[0].n_errors), (0, 6));
    assert!(replay.rules[0].first_error.as_ref().unwrap().contains("cannot be compared"));
    assert_eq!(replay.median_at_retirement(), None);
}

fn refused(config: &CaesarConfig, words: &[&str]) {
    let error = run_with_numbers(&votes(&SIX), config, &number_of).unwrap_err().to_string();
    words.iter().for_each(|w| assert!(error.contains(w), "{error}"));
}

#[test]
fn what_a_replay_cannot_know_is_refused_by_name() {
    let rule = |path: &str| vec![(at_least(path, 1.0), retire("x"))];
    let outside = reducer("swap", ReducerKind::Outside("external".to_owned()));
    refused(&config(vec![outside], rule("swap.score")), &["rule 0", "\"swap\"", "type external"]);
    refused(&config(vec![], rule("count.classifications")), &["\"count\"", "does not have"]);
    refused(&config(vec![], rule("subject.#limit")), &["\"subject\"", "metadata"]);
    let by_user = Reducer { by_user: true, ..reducer("u", ReducerKind::Count) };
    refused(&config(vec![by_user], rule("u.classifications")), &["about volunteers"]);
    let mut shaped = config(vec![reducer("c", ReducerKind::Count)], rule("c.classifications"));
    let shape = ExtractorKind::Outside("shape".to_owned());
    shaped.extractors.push(Extractor { key: "s".to_owned(), kind: shape });
    refused(&shaped, &["extractor \"s\" of type shape"]);
    // A reducer that does not ask for it is fine.
    shaped.reducers[0].filters.extractor_keys = vec!["t0".to_owned()];
    assert_eq!(run(&votes(&SIX), &shaped).n_retired(), 1);
    let nothing = config(vec![], vec![(Expr::Const(Scalar::Bool(true)), vec![])]);
    refused(&nothing, &["no rule of the configuration retires"]);
    let mut other = config(vec![reducer("c", ReducerKind::Count)], rule("c.classifications"));
    other.workflow = Some("8".to_owned());
    refused(&other, &["workflow 8", "of 7"]);
}

#[test]
fn the_vote_over_what_was_taken() {
    let rows =
        [("1", "v1", "yes"), ("1", "v2", "no"), ("1", "v3", "no"), ("2", "v1", "no"), ("2", "v2", "no")];
    let votes = votes(&rows);
    let config = config(
        vec![reducer("c", ReducerKind::Count)],
        vec![(at_least("c.classifications", 1.0), retire("x"))],
    );
    let replay = run(&votes, &config);
    let poll = &polls(&votes, &counted(&votes, Repeats::First))[0];
    let (figures, stopped) = replay.of_poll(poll, &[Some(0), Some(0)], 0.95);
    assert_eq!((figures.mean_votes.value, figures.retired.value, figures.saved.value), (1.0, 1.0, 0.6));
    assert_eq!((figures.changed.value, figures.accuracy.unwrap().value), (0.5, 0.5));
    assert_eq!((stopped[0].n_taken, stopped[0].n_all, stopped[0].ending), (1, 3, Ending::Rule));
    assert_eq!((stopped[0].answer, stopped[0].answer_all), (Some(1), Some(0)));
    assert!(run(&Votes::default(), &config).fates.is_empty());
}

#[test]
fn blank_survey_and_who() {
    let mut builder = VotesBuilder::default();
    for (id, (volunteer, choice)) in
        [("v1", Some("OWL")), ("a2", None), ("v3", Some("OWL"))].iter().enumerate()
    {
        let time = i64::try_from(id).unwrap();
        let c = builder.classification("7", "1", volunteer, Some(time), &id.to_string());
        builder.vote(c, "T0", QuestionKind::Survey, *choice);
    }
    let votes = builder.finish();
    let with = |kind: ExtractorKind, reducer_kind: ReducerKind, path: &str, n: f64| {
        let mut config =
            config(vec![reducer("r", reducer_kind)], vec![(at_least(path, n), retire("x"))]);
        config.extractors[0].kind = kind;
        let replay = run(&votes, &config);
        (replay.fates[0].n_taken, replay.fates[0].retired_by.is_some())
    };
    let task = || "T0".to_owned();
    let survey = |nothing: Option<&str>| ExtractorKind::Survey {
        task: task(),
        nothing_here: nothing.map(str::to_owned),
    };
    assert_eq!(with(survey(None), ReducerKind::Stats, "r.OWL", 2.0), (3, true));
    assert_eq!(with(survey(Some("NTH")), ReducerKind::Stats, "r.NTH", 1.0), (2, true));
    assert_eq!(
        with(ExtractorKind::Blank { task: task() }, ReducerKind::Stats, "r.blank", 1.0),
        (2, true)
    );
    assert_eq!(
        with(ExtractorKind::Blank { task: "T9".to_owned() }, ReducerKind::Stats, "r.blank", 1.0),
        (1, true)
    );
    let who = ReducerKind::UniqueCount { field: "user_id".to_owned() };
    assert_eq!(with(ExtractorKind::Who, who, "r.count", 3.0), (3, true));
}
