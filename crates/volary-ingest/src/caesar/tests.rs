use super::*;
use volary_core::caesar::{
    Comparison, Effect, Expr, ExtractorKind, ReducerKind, RepeatedClassifications, Scalar,
};

fn read(text: &str) -> Result<(CaesarConfig, Problems), String> {
    let mut problems = Problems::default();
    parse(text.as_bytes(), &mut problems).map(|config| (config, problems))
}

fn fails(text: &str, words: &[&str]) {
    let error = read(text).expect_err(text);
    for word in words {
        assert!(error.contains(word), "{error}");
    }
}

/// A configuration with one rule of this condition.
fn with(condition: &str) -> String {
    format!(r#"{{"rules": [{{"if": {condition}, "then": [{{"action": "retire_subject"}}]}}]}}"#)
}

#[test]
fn the_shape_of_the_documentation() {
    let (config, problems) = read(
        r#"{"extractors_config": {"who": {"type": "who"}, "s": {"type": "survey", "nothing_here_choice": "NTHNGHR"}},
            "reducers_config": {"count": {"type": "count"}, "swap": {"type": "external"}},
            "rules_config": [{"if": ["gte", ["lookup", "survey-total-VHCL"], ["const", 1]],
                              "then": [{"action": "retire_subject", "reason": "flagged"}]}]}"#,
    )
    .unwrap();
    assert_eq!(problems.total(), 0);
    assert_eq!(config.extractors[0].kind, ExtractorKind::Who);
    let survey =
        ExtractorKind::Survey { task: "T0".to_owned(), nothing_here: Some("NTHNGHR".to_owned()) };
    assert_eq!(config.extractors[1].kind, survey);
    assert_eq!(config.reducers[1].kind, ReducerKind::Outside("external".to_owned()));
    assert_eq!(config.rules[0].effects, [Effect::Retire { reason: "flagged".to_owned() }]);
    let Expr::Compare(Comparison::GreaterOrEqual, operands) = &config.rules[0].condition else {
        panic!("{:?}", config.rules[0])
    };
    let reducer = "survey-total-VHCL".to_owned();
    assert_eq!(operands[0], Expr::Lookup { reducer, key: None, default: Scalar::Null });
    assert_eq!(config.rules[0].name, "rules_config[0]");
}

#[test]
fn the_shape_of_the_rest_interface() {
    let (config, problems) = read(
        r#"{"id": 338, "rules_applied": "first_matching_rule",
            "extractors": [{"id": 1, "key": "t1", "type": "Extractors::QuestionExtractor", "config": {"task_key": "T1"},
                            "minimum_workflow_version": "2.1"}],
            "reducers": [{"key": "c", "type": "summary_stats", "topic": "reduce_by_subject",
                          "reduction_mode": "running_reduction", "grouping": {"field_name": "t1.0"},
                          "config": {"summarize_field": "t1.1", "operations": ["mean", "mode"]},
                          "filters": {"from": "5", "to": -1, "repeated_classifications": "keep_last",
                                      "extractor_keys": "t1", "training_behavior": "experiment_only",
                                      "empty_extracts": "ignore_empty", "form": 3}}],
            "user_rules": [{}],
            "subject_rules": [{"id": 4, "name": "done", "condition": "[\"const\", true]",
              "subject_rule_effects": [{"action": "add_subject_to_set", "config": {"subject_set_id": 7}},
                                       {"action": "retire_subject", "config": {"reason": "consensus"}}]}]}"#,
    )
    .unwrap();
    assert_eq!(config.workflow.as_deref(), Some("338"));
    assert_eq!(config.applied, RulesApplied::FirstMatching);
    assert_eq!(config.extractors[0].kind, ExtractorKind::Question { task: "T1".to_owned() });
    let reducer = &config.reducers[0];
    assert!(reducer.running && !reducer.by_user);
    assert_eq!(reducer.grouping, Some(("t1".to_owned(), "0".to_owned())));
    let f = &reducer.filters;
    assert_eq!((f.from, f.to, f.repeated), (5, -1, RepeatedClassifications::KeepLast));
    assert!(f.ignore_empty && f.extractor_keys == ["t1"]);
    assert_eq!((config.rules[0].name.as_str(), config.rules[0].effects.len()), ("done", 2));
    // The version, the training filter, the misspelt `form`, the rules about volunteers.
    assert_eq!(problems.total(), 4);
    assert_eq!(problems.count(ProblemKind::Misspelt), 1);
}

#[test]
fn every_operator_is_read() {
    let x = r#"["lookup", "a.b", 0]"#;
    for operator in ["lt", "lte", "gt", "gte", "eq", "and", "or", "+", "-", "*", "/", "%"] {
        read(&with(&format!(r#"["{operator}", {x}, ["const", 5]]"#))).unwrap();
    }
    for operator in ["not", "upcase", "downcase", "int", "float"] {
        read(&with(&format!(r#"["{operator}", {x}]"#))).unwrap();
    }
    for operator in ["any", "all"] {
        read(&with(&format!(r#"["{operator}", "a", ["gt", ["lookup", "value", 0], ["const", 2]]]"#)))
            .unwrap();
    }
    for value in ["5", "0.8", "\"text\"", "true", "null"] {
        read(&with(&format!(r#"["const", {value}]"#))).unwrap();
    }
}

#[test]
fn what_caesar_does_not_have_is_named_with_its_place() {
    fails(
        &with(r#"["and", ["gte", ["lookup", "a.b", 0], ["const", 1]], ["xor", ["const", 1]]]"#),
        &["rules[0].if[2]", "unknown operator \"xor\""],
    );
    fails(&with(r#"["not"]"#), &["rules[0].if", "`not` takes 1 operands, not 0"]);
    fails(&with(r#"["const", [1]]"#), &["a value is a number"]);
    fails(&with(r#"["lookup", 5, 0]"#), &["`lookup` takes a key"]);
    fails(&with("5"), &["begins with an operator, not 5"]);
    fails(&with("[5]"), &["the first item is the operator"]);
    fails(&with("[]"), &["begins with an operator"]);
    fails(&with("\"[\""), &["rules[0].if: not JSON"]);
    let parts = |what: &str| format!(r#"{{{what}, "rules": []}}"#);
    fails(
        &parts(r#""extractors": {"t": {"type": "telepathy"}}"#),
        &["extractors.t", "unknown extractor \"telepathy\""],
    );
    fails(
        &parts(r#""reducers": [{"key": "r", "type": "magic"}]"#),
        &["reducers[0]", "unknown reducer \"magic\""],
    );
    fails(&parts(r#""reducers": [{"type": "count"}]"#), &["reducers[0]", "no `key`"]);
    fails(&parts(r#""reducers": {"r": {}}"#), &["reducers.r", "no `type`"]);
    fails(&parts(r#""reducers": {"r": {"type": "unique_count"}}"#), &["needs a `field`"]);
    let summary =
        r#""reducers": {"r": {"type": "summary_stats", "summarize_field": "a", "operations": "guess"}}"#;
    fails(&parts(summary), &["unknown operation \"guess\""]);
    let filter =
        r#""reducers": {"r": {"type": "count", "filters": {"repeated_classifications": "keep_some"}}}"#;
    fails(&parts(filter), &["reducers.r.filters.repeated_classifications", "keep_some"]);
    fails(&parts(r#""reducers": {"r": {"type": "count", "topic": "by_moon"}}"#), &["topic is"]);
    fails(
        &parts(r#""reducers": {"r": {"type": "count", "grouping": {"field_name": "x"}}}"#),
        &["extractor.field"],
    );
    fails(&parts(r#""rules_applied": "none_of_them""#), &["rules_applied", "first_matching_rule"]);
    fails(
        r#"{"rules": [{"if": ["const", true], "then": [{"action": "explode"}]}]}"#,
        &["unknown effect \"explode\""],
    );
    fails(r#"{"rules": [{"then": []}]}"#, &["rules[0]", "no `condition`"]);
    fails(r#"{"reducers": {}}"#, &["no rules"]);
    fails("[1]", &["one JSON object"]);
    fails("", &["not JSON"]);
    fails("{\"rules\": [", &["not JSON"]);
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}[\"const\", 1]{}", "[\"not\", ".repeat(5000), "]".repeat(5000));
    fails(&with(&deep), &["not JSON"]);
}

#[test]
fn a_file_is_read_with_its_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("caesar.json");
    std::fs::write(&path, format!("\u{feff}{}", with(r#"["const", true]"#))).unwrap();
    let file = read_caesar(&path, &Progress::default()).unwrap();
    assert_eq!((file.config.rules.len(), file.digest.blake3.len()), (1, 64));
    std::fs::write(&path, "nothing").unwrap();
    let error = read_caesar(&path, &Progress::default()).unwrap_err().to_string();
    assert!(error.contains("caesar.json") && error.contains("not JSON"), "{error}");
}
