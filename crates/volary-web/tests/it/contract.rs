//! Every answer that a test gets is held against `openapi.json`: the route, the status, and each member of the
//! body, so that the description cannot say one thing and the server another.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::site::Answer;

struct Contract {
    paths: Vec<(Vec<String>, Value)>,
    components: Value,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(&volary_web::openapi_json()).expect("is there");
    let mut components = document["components"].take();
    close(&mut components);
    let paths = document["paths"].as_object().expect("is there");
    let split = |(path, methods): (&String, &Value)| {
        (path.split('/').map(str::to_owned).collect(), methods.clone())
    };
    Contract { paths: paths.iter().map(split).collect(), components }
});

/// Members that are not described are errors here; clients may not count on it. What is a part of something
/// larger (`allOf`) is closed there, not by itself.
fn close(components: &mut Value) {
    let text = components.to_string();
    let is_part =
        |name: &str| text.contains(&format!("\"allOf\":[{{\"$ref\":\"#/components/schemas/{name}\""));
    let schemas = components["schemas"].as_object_mut().expect("is there");
    for (name, schema) in schemas.iter_mut().filter(|(name, _)| !is_part(name)) {
        let schema = schema.as_object_mut().unwrap_or_else(|| panic!("{name} is a schema"));
        if schema.contains_key("properties") || schema.contains_key("allOf") {
            schema.entry("unevaluatedProperties").or_insert(Value::Bool(false));
        }
    }
}

impl Contract {
    /// The operation of a path; one with fewer placeholders goes first, as in the router.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let asked: Vec<&str> = path.split(['?', '#']).next()?.split('/').collect();
        let fits = |parts: &[String]| {
            parts.len() == asked.len()
                && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
        };
        let found = self.paths.iter().filter(|(parts, _)| fits(parts));
        let n_open = |parts: &[String]| parts.iter().filter(|part| part.starts_with('{')).count();
        let (_, methods) = found.min_by_key(|(parts, _)| n_open(parts))?;
        methods.get(method.to_ascii_lowercase())
    }
}

/// Panics where the answer is not what the description says.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let Some(operation) = CONTRACT.operation(method, path) else { return };
    // What the outermost layer says is alike everywhere; 304 has no body.
    if answer.status == 304 || answer.status == 0 || answer.text.is_empty() {
        return;
    }
    // A chosen part of the members is not all that is required.
    if path.contains("fields=") {
        return;
    }
    let described = &operation["responses"][answer.status.to_string()];
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = if kind == "application/problem+json" {
        json!({ "$ref": "#/components/schemas/ProblemDocument" })
    } else {
        assert!(described.is_object(), "{method} {path}: {} is not described", answer.status);
        let content = &described["content"][kind];
        assert!(content.is_object(), "{method} {path}: {kind} of {} is not described", answer.status);
        if kind != "application/json" {
            return;
        }
        content["schema"].clone()
    };
    let mut whole = schema;
    whole["components"] = CONTRACT.components.clone();
    let validator = jsonschema::draft202012::new(&whole).unwrap_or_else(|e| panic!("{path}: {e}"));
    let body = answer.json();
    let wrong: Vec<String> =
        validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{method} {path} {}: {wrong:#?}\n{body:#}", answer.status);
}

#[test]
#[should_panic(expected = "nobody_described")]
fn a_member_that_is_not_described_is_found() {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let text = r#"{"subjects": [{"id": "1", "nobody_described": 1}]}"#.to_owned();
    check("POST", "/api/v1/subjects", &Answer { status: 201, headers, text });
}
