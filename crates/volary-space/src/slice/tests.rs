use super::*;
use proptest::prelude::*;

fn table() -> Columns {
    let mut table = Columns::default();
    let vortex = vec![0.5, 0.3, 0.7, 0.71, f64::NAN, 0.0];
    assert!(table.insert("consensus_vortex", Column::Number(vortex)));
    assert!(table.insert("bands", Column::Number(vec![0.8, 0.9, 0.7, 0.8, 0.9, f64::NAN])));
    let kind = [Some("spiral"), Some("ring"), None, Some("Merger, late"), Some("ring"), Some("it's")];
    assert!(table.insert("kind", Column::text(kind.into_iter())));
    let tags =
        [Some("ring"), Some("ringed"), None, Some("odd; Two Rings;RING "), Some(""), Some("two rings")];
    assert!(table.insert("tags", Column::text(tags.into_iter())));
    assert!(table.insert(
        "retired",
        Column::Boolean(vec![Some(true), Some(false), None, None, Some(true), Some(true)])
    ));
    assert!(table.insert("chosen fraction", Column::Number(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])));
    assert!(!table.insert("short", Column::Number(vec![0.0])));
    table
}

#[track_caller]
fn check(text: &str, rows: &[usize], n_unknown: usize) {
    let filter: Filter =
        text.parse().unwrap_or_else(|e: FilterError| panic!("{e}\n{}", e.pointed(text)));
    let slice = filter.select(&table()).unwrap_or_else(|e| panic!("{e}\n{}", e.pointed(text)));
    assert_eq!(slice.mask.rows().collect::<Vec<_>>(), rows, "{text}");
    assert_eq!((slice.mask.count(), slice.n_unknown), (rows.len(), n_unknown), "{text}");
    let again: Filter = filter.to_string().parse().unwrap();
    assert_eq!(again, filter, "{filter}");
    assert_eq!(again.to_string(), filter.to_string());
}

#[test]
fn what_it_selects() {
    check("consensus(vortex) between 0.3 and 0.7", &[0, 1, 2], 1);
    check("consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7", &[0, 1], 1);
    check("consensus_vortex > 0.7", &[3], 1);
    check("0.7 < consensus_vortex", &[3], 1);
    check("bands >= consensus(vortex)", &[0, 1, 2, 3], 2);
    check("kind = 'ring' or retired", &[0, 1, 4, 5], 2);
    check("kind in ('ring', 'spiral')", &[0, 1, 4], 1);
    check("kind not in ('ring', 'spiral')", &[3, 5], 1);
    check("kind = 'it''s'", &[5], 1);
    check("kind contains 'MERGER'", &[3], 1);
    check("tags has 'ring'", &[0, 3], 1);
    check("tags not has 'RING '", &[1, 4, 5], 1);
    check("tags has 'two rings'", &[3, 5], 1);
    check("tags has '#ring'", &[0, 3], 1);
    check("tags contains 'ring'", &[0, 1, 3, 5], 1);
    check("kind is missing", &[2], 0);
    check("kind is not missing and not retired", &[1], 1);
    check("retired = false", &[1], 2);
    check("\"chosen fraction\" in (1, 2, -0)", &[0, 1, 2], 0);
    check("\"chosen fraction\" != 3", &[0, 1, 2, 4, 5], 0);
    check("\"chosen fraction\" <= 1e0 and \"chosen fraction\" >= +.5", &[1], 0);
    // `and` binds closer than `or`.
    check("retired or bands = 0.9 and kind = 'ring'", &[0, 1, 4, 5], 2);
    check("(retired or bands = 0.9) and kind = 'ring'", &[1, 4], 1);
}

#[test]
fn missing_values_follow_kleene() {
    // Row 4 has no vortex: unknown and false is false, unknown or true is true. Row 5 has no bands.
    check("consensus(vortex) > 0 and bands < 0.5", &[], 0);
    check("consensus(vortex) > 0 or bands > 0.5", &[0, 1, 2, 3, 4], 1);
    check("not consensus(vortex) > 0", &[5], 1);
    check("consensus(vortex) > 0 or not consensus(vortex) > 0", &[0, 1, 2, 3, 5], 1);
    check("consensus(vortex) is missing or not consensus(vortex) > 0", &[4, 5], 0);
}

#[test]
fn the_canonical_form() {
    let canonical = |text: &str| text.parse::<Filter>().unwrap().to_string();
    for (text, expected) in [
        ("(a>=.5 AND b <> 'x')", "a >= 0.5 and b != 'x'"),
        ("((a) and (b and c)) or d", "a and b and c or d"),
        ("a and (b or c)", "a and (b or c)"),
        ("not(a or b)", "not (a or b)"),
        ("not a in (1)", "a not in (1)"),
        ("not not a is missing", "not a is not missing"),
        ("5 > x", "x < 5"),
        ("\"plain\" = 1e20", "plain = 1e20"),
        ("\"and\" == 'it''s'", "\"and\" = 'it''s'"),
        ("consensus('cloud bands') > 0", "consensus(\"cloud bands\") > 0"),
        ("größe.px > 1", "größe.px > 1"),
    ] {
        assert_eq!(canonical(text), expected);
        assert_eq!(canonical(expected), expected);
    }
}

#[track_caller]
fn fails(text: &str, at: usize, words: &str) {
    let error = match text.parse::<Filter>() {
        Ok(filter) => filter.select(&table()).expect_err(text),
        Err(error) => error,
    };
    assert_eq!(error.characters().start, at, "{error}\n{}", error.pointed(text));
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().starts_with(&format!("at character {}: ", at + 1)));
}

#[test]
fn errors_have_a_place_and_a_next_step() {
    fails("", 0, "the filter is empty");
    fails("  ", 0, "n_votes >= 5");
    fails("consensus(vortx) > 0.5", 0, "did you mean \"consensus_vortex\"?");
    fails("kind = 'ring' and Bands > 1", 18, "did you mean \"bands\"?");
    fails("zzzzzzzz > 1", 0, "there are \"bands\"");
    fails("kind > 3", 0, "holds texts, not numbers");
    fails("bands = 'high'", 0, "numbers take no quotes");
    fails("kind < 'ring'", 0, "only numbers have an order");
    fails("bands", 0, "write a comparison");
    fails("retired between 0 and 1", 0, "true and false, not numbers");
    fails("bands > 0.3 < 0.7", 12, "x between 0.3 and 0.7");
    fails("0.3 < bands < 0.7", 12, "x between 0.3 and 0.7");
    fails("1 = 1", 0, "one side must be a column");
    fails("bands between 0.7 and 0.3", 14, "the smaller bound first");
    fails("bands > 0.5 kind = 'x'", 12, "join conditions with `and` or `or`");
    fails("(bands > 0.5", 12, "close the parenthesis");
    fails("bands > 0.5)", 11, "after a whole condition");
    fails("kind = 'ring", 7, "add ' at the end of the text");
    fails("bands > 1..2", 8, "\"1..2\" is no number");
    fails("bands > 1e999", 8, "is no number");
    fails("bands % 2", 6, "'%' has no meaning here");
    fails("kind in ('a', 2)", 14, "numbers or texts, not both");
    fails("kind in ()", 9, "a number or a text");
    fails("bands is 3", 9, "`is missing`");
    fails("bands not > 3", 10, "`not` before the condition");
    fails("and > 3", 0, "double quotes");
    fails("consensus(3) > 1", 10, "double quotes");
    fails("kind contains 3", 14, "single quotes");
    fails("kind has ring", 9, "single quotes");
    fails("has > 1", 0, "double quotes");
    fails("bands >", 7, "the end where a column or a value is needed");
    fails(&"(".repeat(1000), 64, "more than 64 deep");
    fails(&"not ".repeat(100_000 / 20), 256, "more than 64 deep");
    fails(&" ".repeat(20_001), 20_000, "20001 characters");
    let error = "größe = 3 and vortx".parse::<Filter>().unwrap().select(&table()).unwrap_err();
    assert_eq!(error.pointed("größe = 3 and vortx"), "größe = 3 and vortx\n^^^^^");
}

#[test]
fn columns_asked_for_are_named_as_the_table_names_them() {
    let filter: Filter =
        "consensus(vortex) > bands or not kind is missing or nowhere = 3".parse().unwrap();
    assert_eq!(filter.columns(&table()), ["bands", "consensus_vortex", "kind"]);
}

#[test]
fn arrow_columns_of_all_kinds() {
    use arrow_array::{
        ArrayRef, BooleanArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray,
    };
    use std::sync::Arc;
    let list = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>([
        Some(vec![Some(1)]),
        None,
    ]);
    let batch = RecordBatch::try_from_iter([
        ("f", Arc::new(Float32Array::from(vec![Some(0.5), None])) as ArrayRef),
        ("i", Arc::new(Int64Array::from(vec![Some(-3), Some(7)]))),
        ("t", Arc::new(StringArray::from(vec![None, Some("x")]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("l", Arc::new(list)),
    ])
    .unwrap();
    let mut columns = Columns::from_batches(&[batch]);
    assert_eq!(columns.names(), ["b", "f", "i", "t"]);
    let count = |columns: &Columns, text: &str| {
        let slice = text.parse::<Filter>().unwrap().select(columns).unwrap();
        (slice.mask.rows().collect::<Vec<_>>(), slice.n_unknown)
    };
    assert_eq!(count(&columns, "f < 1"), (vec![0], 1));
    assert_eq!(count(&columns, "i = -3 and b"), (vec![0], 0));
    assert_eq!(count(&columns, "t = 'x'"), (vec![1], 1));
    let text = columns.column("t").unwrap().clone();
    let longer = Column::concat(&[text, Column::text([Some("y"), Some("x")].into_iter())]).unwrap();
    let texts = |column: &Column| {
        (0..column.len()).map(|r| column.text_at(r).map(str::to_owned)).collect::<Vec<_>>()
    };
    let owned = |t: &str| Some(t.to_owned());
    assert_eq!(texts(&longer), [None, owned("x"), owned("y"), owned("x")]);
    assert_eq!(
        texts(&longer.pick(&[Some(2), None, Some(9), Some(1)])),
        [owned("y"), None, None, owned("x")]
    );
    assert_eq!(Column::concat(&[longer.clone(), Column::Number(vec![])]), None);
    assert!(!columns.insert("t", longer));
}

fn name() -> impl Strategy<Value = Name> {
    let text = prop_oneof![
        "[a-z_][a-z0-9_.]{0,5}",
        Just("and".to_owned()),
        Just("True".to_owned()),
        "\\PC{1,6}"
    ];
    let measure = proptest::option::of("[a-z_]{1,3}x");
    (measure, text).prop_map(|(measure, name)| Name { at: Span::default(), measure, name })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        proptest::num::f64::NORMAL.prop_map(Literal::Number),
        (-100..100_i32).prop_map(|n| Literal::Number(f64::from(n) / 8.0)),
        "\\PC{0,6}".prop_map(Literal::Text),
        any::<bool>().prop_map(Literal::Boolean),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let op = || (0..6_usize).prop_map(|i| Op::ALL[i]);
    let list = prop_oneof![
        proptest::collection::vec((-9..9_i32).prop_map(|n| Literal::Number(f64::from(n))), 1..4),
        proptest::collection::vec("\\PC{0,4}".prop_map(Literal::Text), 1..4),
    ];
    let leaf = prop_oneof![
        (name(), op(), literal()).prop_map(|(column, op, l)| Form::Compare {
            column,
            op,
            with: Operand::Literal(l)
        }),
        (name(), op(), name()).prop_map(|(column, op, n)| Form::Compare {
            column,
            op,
            with: Operand::Column(n)
        }),
        (name(), -9..9_i32, 0..9_i32).prop_map(|(column, low, more)| Form::Between {
            column,
            low: f64::from(low) / 4.0,
            high: f64::from(low + more) / 4.0
        }),
        (name(), list).prop_map(|(column, values)| Form::In { column, values }),
        (name(), "\\PC{0,4}").prop_map(|(column, text)| Form::Contains { column, text }),
        (name(), "\\PC{0,4}").prop_map(|(column, text)| Form::Has { column, text }),
        name().prop_map(|column| Form::Missing { column }),
        name().prop_map(|column| Form::Flag { column }),
    ];
    let at = Span::default();
    leaf.prop_map(move |form| Node { at, form }).prop_recursive(4, 24, 4, move |inner| {
        let flat = |parts: Vec<Node>, is_and: bool| {
            let mut flat = Vec::new();
            for part in parts {
                match (part.form, is_and) {
                    (Form::And(inner), true) | (Form::Or(inner), false) => flat.extend(inner),
                    (form, _) => flat.push(Node { at: Span::default(), form }),
                }
            }
            Node { at: Span::default(), form: if is_and { Form::And(flat) } else { Form::Or(flat) } }
        };
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 2..4), any::<bool>())
                .prop_map(move |(p, a)| flat(p, a)),
            inner.prop_map(move |n| Node { at, form: Form::Not(Box::new(n)) }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(root in node()) {
        let filter = Filter { root };
        let again: Filter = filter.to_string().parse().map_err(|e: FilterError| {
            TestCaseError::fail(format!("{filter}\n{e}"))
        })?;
        prop_assert_eq!(again, filter);
    }

    #[test]
    fn any_text_ends_in_an_answer(text in "\\PC{0,60}") {
        if let Err(error) = text.parse::<Filter>() {
            let n = text.chars().count();
            prop_assert!(error.characters().start <= n && error.characters().end <= n);
            prop_assert!(!error.pointed(&text).is_empty());
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_end_in_an_answer(
        words in proptest::collection::vec(prop_oneof![
            Just("and"), Just("or"), Just("not"), Just("("), Just(")"), Just("bands"), Just("kind"), Just("'a'"),
            Just("in"), Just(","), Just("1"), Just("between"), Just("is"), Just("missing"), Just("="), Just("<"),
        ], 0..20),
    ) {
        if let Ok(filter) = words.join(" ").parse::<Filter>() {
            prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter.clone()));
            if let Ok(slice) = filter.select(&table()) {
                prop_assert!(slice.mask.count() + slice.n_unknown <= 6);
            }
        }
    }

    #[test]
    fn laws_of_de_morgan(a in 0..7_i32, b in 0..7_i32) {
        let select = |text: String| text.parse::<Filter>().unwrap().select(&table()).unwrap();
        let (a, b) = (format!("consensus(vortex) > 0.{a}"), format!("bands < 0.{b}"));
        let (left, right) = (select(format!("not ({a} and {b})")), select(format!("not {a} or not {b}")));
        prop_assert_eq!(left, right);
    }
}
