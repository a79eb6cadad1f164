use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// `votes("real")` is `k` of `n`; facts as given.
fn met(source: &str, n: u64, k: u64, facts: &[(&str, &str)]) -> bool {
    let condition = Condition::parse(source).unwrap();
    let facts = facts.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let counts: Vec<u64> = condition
        .counters()
        .iter()
        .map(|c| if c.answers.iter().any(|a| a == "real") { k } else { n - k })
        .collect();
    let weights: Vec<u64> = counts.iter().map(|k| 1_000 * k).collect();
    condition.is_met(&Seen {
        n,
        counts: &counts,
        weight: 1_000 * n,
        weights: &weights,
        log_odds: &vec![0.0; counts.len()],
        prior: 0.8,
        facts: &facts,
    })
}

const KILONOVA_SEEKERS: &str = r#"votes("real") >= 8 && agreement("real") >= 0.8"#;

#[test]
fn the_rule_of_kilonova_seekers_has_the_specifications_boundary() {
    let smallest = |n| (0..=n).find(|&k| met(KILONOVA_SEEKERS, n, k, &[]));
    assert_eq!((8..=14).map(smallest).collect::<Vec<_>>(), [8, 8, 8, 9, 10, 11, 12].map(Some));
    // In floating point 28 / 35 < 0.8 is not sure; here 28 of 35 is 0.8.
    assert!(met(KILONOVA_SEEKERS, 35, 28, &[]) && !met(KILONOVA_SEEKERS, 34, 27, &[]));
}

#[test]
fn the_mutants_of_the_specification_differ() {
    let differs = |mutant: &str| {
        (1..=14).any(|n| (0..=n).any(|k| met(KILONOVA_SEEKERS, n, k, &[]) != met(mutant, n, k, &[])))
    };
    for mutant in [
        r#"votes("real") > 8 && agreement("real") >= 0.8"#,
        r#"votes("real") >= 8 && agreement("real") > 0.8"#,
        r#"votes("real") >= 8 || agreement("real") >= 0.8"#,
        r#"n >= 8 && agreement("real") >= 0.8"#,
    ] {
        assert!(differs(mutant), "{mutant}");
    }
    for same in [
        r#"votes("real") >= 8 && votes("real") * 5 >= n * 4"#,
        r#"votes("real") >= 8 && votes("real") >= 0.8 * n && n > 0"#,
        r#"!(votes("real") < 8 || agreement("real") < 0.80)"#,
        r#"votes("real") >= 8 ? agreement("real") >= 0.8 : false"#,
    ] {
        assert!(!differs(same), "{same}");
    }
}

#[test]
fn what_is_unknown_meets_nothing_unless_the_rest_decides() {
    assert!(!met("number(\"mag\") < 19.5", 1, 1, &[]));
    assert!(!met("number(\"mag\") >= 19.5", 1, 1, &[]));
    assert!(!met("!(number(\"mag\") >= 19.5)", 1, 1, &[]));
    assert!(met("n == 1 || number(\"mag\") >= 19.5", 1, 1, &[]));
    assert!(met("number(\"mag\") >= 19.5 || n == 1", 1, 1, &[]));
    assert!(!met("number(\"mag\") >= 19.5 && n == 1", 1, 1, &[]));
    assert!(met("has_fact(\"mag\") ? number(\"mag\") > 19.5 : n > 0", 1, 1, &[]));
    assert!(met("number(\"mag\") < 19.5", 1, 1, &[("mag", "19.4999999")]));
    assert!(!met("number(\"mag\") < 19.5", 1, 1, &[("mag", "bright")]));
    assert!(met("fact(\"band\") in [\"g\", \"r\"]", 1, 1, &[("band", "r")]));
    assert!(met("fact(\"band\") != \"g\" && -n + 2 == 1", 1, 1, &[("band", "r")]));
    // No votes: agreement is nothing of nothing.
    assert!(!met("agreement(\"real\") >= 0.0", 0, 0, &[]));
    // Too large to be exact is unknown, not wrong.
    let huge = ["9223372036854775807"; 4].join(" * ");
    assert!(!met(&format!("{huge} > 0"), 1, 1, &[]) && !met(&format!("{huge} <= 0"), 1, 1, &[]));
    assert!(met("probability(\"real\") == 0.8", 3, 1, &[]), "no evidence leaves the prior");
    assert!(met("weighted_agreement(\"real\") == agreement(\"real\")", 3, 1, &[]));
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
    let refused = |source: &str| Condition::parse(source).unwrap_err();
    for (source, position, word) in [
        ("", 1, "mend"),
        ("votes(\"real\") >=", 17, "mend"),
        ("n", 1, "compare"),
        ("n > 1 && real", 10, "quotes"),
        ("votes(real) > 1", 7, "quotes"),
        ("votes() > 1", 6, "answer"),
        ("votes([]) > 1", 6, "empty"),
        ("votes(\"real\") / n >= 0.8", 15, "division"),
        ("n > \"a\"", 5, "text"),
        ("n == true", 6, "true or false"),
        ("true < false", 6, "order"),
        ("vote(\"real\") > 1", 5, "no function"),
        ("\"real\".size() > 1", 12, "functions of their own"),
        ("[1, 2].exists(x, x > n)", 14, "macros"),
        ("n > 1e300", 5, "digits"),
        ("n > 1 ? 2 : 3", 7, "compare"),
        ("fact(\"a\", \"b\") == \"c\"", 5, "one name"),
    ] {
        let error = refused(source);
        assert!(error.what.contains(word), "{source}: {error}");
        assert!(error.position.abs_diff(position) <= 1, "{source}: {error}");
    }
    assert!(refused(&format!("n > {}1", " ".repeat(3_000))).what.contains("longer"));
    let deep = format!("{}n > 1{}", "(".repeat(500), ")".repeat(500));
    assert!(Condition::parse(&deep).is_err());
}

/// Whole-number conditions: CEL's own interpreter is the referee.
fn condition(depth: u32) -> BoxedStrategy<String> {
    let number = prop_oneof![
        Just("n".to_owned()),
        Just("votes(\"real\")".to_owned()),
        (0..20_i64).prop_map(|n| n.to_string())
    ];
    let number = number.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*")])
                .prop_map(|(a, b, op)| format!("({a} {op} {b})")),
            inner.prop_map(|a| format!("-({a})")),
        ]
    });
    let op = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
    let plain = prop_oneof![
        (number.clone(), op, number.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (number.clone(), number.clone(), number).prop_map(|(a, b, c)| format!("{a} in [{b}, {c}]")),
        Just("votes(\"lost\") > 1".to_owned()),
        Just("true".to_owned()),
    ];
    plain
        .prop_recursive(depth, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone(), prop_oneof![Just("&&"), Just("||")])
                    .prop_map(|(a, b, op)| format!("({a}) {op} ({b})")),
                inner.clone().prop_map(|a| format!("!({a})")),
                (inner.clone(), inner.clone(), inner)
                    .prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
            ]
        })
        .boxed()
}

/// The same in CEL's own words. An answer called "lost" is one that CEL cannot ask for.
fn referee(source: &str, n: u64, k: u64) -> Option<bool> {
    let program = cel::common::ast::Ast { expr: Parser::new().parse(source).unwrap() };
    let mut context = cel::Context::default();
    context.add_variable_from_value("n", n as i64);
    let added =
        context.add_function("votes", move |answer: Arc<String>| -> Result<i64, cel::ExecutionError> {
            if *answer == "real" {
                return Ok(k as i64);
            }
            Err(cel::ExecutionError::function_error("votes", "lost"))
        });
    added.expect("a new name");
    match cel::Value::resolve(&program.expr, &context) {
        Ok(cel::Value::Bool(truth)) => Some(truth),
        _ => None,
    }
}

/// Ours with the same lost answer.
fn ours(source: &str, n: u64, k: u64) -> bool {
    let condition = Condition::parse(source).unwrap();
    let is_known = |c: &Counter| c.answers == ["real"];
    // Without a number for it, a counter is unknown. Counters are in order of appearance.
    let counts: Vec<u64> = condition.counters().iter().take_while(|c| is_known(c)).map(|_| k).collect();
    let facts = BTreeMap::new();
    let (weights, log_odds) = ([], []);
    condition.is_met(&Seen {
        n,
        counts: &counts,
        weight: 0,
        weights: &weights,
        log_odds: &log_odds,
        prior: 0.5,
        facts: &facts,
    })
}

proptest! {
    #[test]
    fn whole_numbers_are_as_in_cel(source in condition(3), n in 0..15_u64, k in 0..15_u64) {
        // "real" must be the first counter, so that the lost one comes after it.
        let source = format!("votes(\"real\") >= 0 && ({source})");
        prop_assert_eq!(ours(&source, n, k), referee(&source, n, k) == Some(true), "{}", source);
    }

    #[test]
    fn no_text_makes_it_panic(source in "[nvotes(\"real) >=<&|!?:\\[\\],.0-9+*/'-]{0,60}") {
        let _ = Condition::parse(&source);
    }

    #[test]
    fn any_text_is_read_or_refused(source in ".{0,80}") {
        if let Ok(condition) = Condition::parse(&source) {
            prop_assert_eq!(condition.source(), source);
        }
    }
}
