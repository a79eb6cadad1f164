//! The page: the built files of `web/`, in the binary, and which path gets which.
//!
//! They hold nothing of the project, so anybody on the machine may have them; what they show comes through the
//! API, with a key. A browser keeps them and asks each time whether they are still the same (an ETag, 304).

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use crate::problem::Problem;
use crate::reply::etag;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
struct Built;

/// Scripts and styles from here only, none inline; pictures that the page asked for; nobody frames it.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Paths that the page knows by itself; the same list stands in `web/src/lib/route.ts`.
const ROUTES: [&str; 10] = [
    "/",
    "/space",
    "/subjects",
    "/confusion",
    "/anomaly",
    "/live",
    "/volunteers",
    "/classify",
    "/jobs",
    "/help",
];

/// The built files, by name.
pub fn files() -> impl Iterator<Item = (String, Vec<u8>)> {
    Built::iter().filter_map(|name| Some((name.to_string(), Built::get(&name)?.data.into_owned())))
}

/// Whether a path is one of the page's.
#[must_use]
pub fn is_route(path: &str) -> bool {
    let subject = path.strip_prefix("/subjects/").is_some_and(|id| !id.is_empty() && !id.contains('/'));
    subject || ROUTES.contains(&path)
}

/// An answer that is the page although it has failed: the page itself says that there is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaysSo;

/// Whether somebody typed the path or followed a link to it: a program asks for no HTML.
fn is_looked_at(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    path != "/api" && !path.starts_with("/api/") && accept.contains("text/html")
}

/// Whatever no other route takes.
pub(crate) async fn serve(method: Method, uri: Uri, asked: HeaderMap) -> Result<Response, Problem> {
    let path = uri.path();
    let name = if is_route(path) { "index.html" } else { path.trim_start_matches('/') };
    let is_known = Built::iter().any(|known| known == name);
    let is_read = matches!(method, Method::GET | Method::HEAD);
    if let Some(file) = Built::get("index.html")
        && !is_known
        && is_read
        && is_looked_at(path, &asked)
    {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        ];
        let mut answer = (StatusCode::NOT_FOUND, headers, file.data.into_owned()).into_response();
        answer.extensions_mut().insert(SaysSo);
        return Ok(answer);
    }
    let Some(file) = Built::get(name).filter(|_| is_known) else {
        return Err(Problem::not_found(
            "there is nothing at this path; openapi.json lists what there is",
        ));
    };
    if !is_read {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the page is only read"));
    }
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    let tag = HeaderValue::from_str(&etag(&file.data)).expect("hexadecimal is a header value");
    let fixed = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let headers = [
        fixed(header::CONTENT_TYPE, kind),
        fixed(header::CACHE_CONTROL, "no-cache"),
        fixed(header::CONTENT_SECURITY_POLICY, POLICY),
        fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::ETAG, tag),
    ];
    Ok((headers, file.data.into_owned()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_server_know_the_same_paths() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/lib/route.ts");
        let text = std::fs::read_to_string(source).unwrap();
        let paths: Vec<&str> =
            text.split("path: '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
        assert_eq!(paths, ROUTES);
        assert!(is_route("/subjects/a%2Fb") && !is_route("/subjects/") && !is_route("/subjects/a/b"));
    }

    #[test]
    fn no_built_file_has_an_inline_script_or_asks_another_host() {
        let all: Vec<(String, Vec<u8>)> = files().collect();
        let html = all.iter().find(|(name, _)| name == "index.html").expect("is built");
        let html = String::from_utf8(html.1.clone()).unwrap();
        for script in html.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src=\"/assets/"), "{script}");
        }
        assert!(!html.contains("style=\"") && !html.contains("<style"), "{html}");
        for (name, bytes) in &all {
            let text = String::from_utf8_lossy(bytes);
            for url in text.split("https://").skip(1).chain(text.split("http://").skip(1)) {
                // Names of XML, and where a message of Svelte is explained.
                let is_name = ["www.w3.org/", "svelte.dev/"].iter().any(|known| url.starts_with(known));
                assert!(is_name, "{name} names {}", url.chars().take(40).collect::<String>());
            }
        }
    }
}
