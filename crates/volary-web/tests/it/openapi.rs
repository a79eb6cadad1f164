//! The description that is checked in is the one that the code gives.

use crate::site::Site;

#[test]
fn the_file_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let generated = volary_web::openapi_json();
    if std::env::var_os("VOLARY_WRITE_OPENAPI").is_some() {
        std::fs::write(path, &generated).expect("written");
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == generated, "openapi.json is old; run this test with VOLARY_WRITE_OPENAPI=1");
}

#[test]
fn every_path_is_described_needs_a_token_and_is_there() {
    let site = Site::start();
    let document: serde_json::Value =
        serde_json::from_str(&volary_web::openapi_json()).expect("is there");
    let paths = document["paths"].as_object().expect("is there");
    assert!(paths.len() > 20, "{}", paths.len());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("is there") {
            let what = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{what} has no summary");
            let concrete = path.replace("{id}", "1").replace("{n}", "0").replace("{name}", "a");
            let open = ["/healthz", "/version", "/openapi.json"].iter().any(|end| path.ends_with(end));
            assert_eq!(operation["security"].is_array(), !open, "{what}");
            let bare = site.ask(method, &concrete, None, "{}");
            assert_eq!(bare.status == 401, !open, "{what}: {}", bare.status);
            if path.ends_with("/events") {
                // Never ends.
                continue;
            }
            let known = site.ask(method, &concrete, Some(&site.admin), "{}");
            assert_ne!(known.status, 405, "{what}");
            assert!(known.status != 404 || path.contains("{id}"), "{what}: {}", known.text);
        }
    }
}
