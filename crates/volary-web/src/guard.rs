//! The outermost layer: who may come in, and how every answer leaves.
//!
//! In order: rate of all, host, tokens in the URL, origin, token, rate of the token, time. On the way out:
//! problems are written out, 304 where the asker has it, headers, numbers, the log. Paths are logged without
//! their query, because that is where people put secrets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::Shared;
use crate::extract::Asker;
use crate::page::SaysSo;
use crate::problem::Problem;
use crate::signature;

/// Answered without a token: nothing of the project is in them.
const OPEN: [&str; 3] = ["/api/v1/healthz", "/api/v1/version", "/api/v1/openapi.json"];
/// Answered to whoever signs.
const SIGNED: &str = "/api/v1/webhooks/";
/// Lasts as long as the asker listens.
const ENDLESS: &str = "/api/v1/events";
/// As long as a whole table takes.
const LONG: &str = "/api/v1/exports/";
/// What people decide: each time a line in the log.
const AUDITED: [&str; 6] = [
    "/api/v1/log",
    "/api/v1/workflows/{id}/retired_subjects",
    "/api/v1/workflows/{id}/unretire_subjects",
    "/api/v1/alerts/{id}/actions",
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
];
/// How often the project was read anew since the server started.
const REVISION: HeaderName = HeaderName::from_static("volary-revision");
/// Parameters that people put tokens into.
const SECRET_PARAMETERS: [&str; 7] =
    ["token", "access_token", "auth_token", "bearer", "api_key", "apikey", "authorization"];

/// The layer.
pub(crate) async fn guard(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = app.request_id();
    let (method, path) = (request.method().clone(), shown_path(request.uri()));
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = matched.unwrap_or_else(|| "none".to_owned());
    let wanted = request.headers().get(header::IF_NONE_MATCH).cloned();
    let agent = request.headers().get(header::USER_AGENT).map(HeaderValue::as_bytes);
    let agent = String::from_utf8_lossy(agent.unwrap_or_default()).into_owned();
    let mut who = String::new();
    let admitted = admit(&app, &request);
    let mut response = match admitted {
        Err(problem) => {
            app.metrics.add("volary_refused_total", format!("reason=\"{}\"", problem.kind), 1);
            axum::response::IntoResponse::into_response(problem)
        }
        Ok(asker) => {
            if let Some(token) = &asker.0 {
                who.clone_from(&token.id);
            }
            request.extensions_mut().insert(asker);
            if path == ENDLESS || path.starts_with(LONG) {
                next.run(request).await
            } else {
                let limit = app.settings.answer_timeout + app.settings.body_timeout;
                match tokio::time::timeout(limit, next.run(request)).await {
                    Ok(response) => response,
                    Err(_) => axum::response::IntoResponse::into_response(Problem::busy(
                        "the answer took too long; ask again, an id is not taken twice",
                    )),
                }
            }
        }
    };
    let why = finish(&mut response, &method, &path, &request_id, wanted.as_ref());
    // A page that holds a part of one reading of the project must not put a part of another beside it.
    let revision = app.revision.load(Ordering::Relaxed);
    response.headers_mut().insert(REVISION, revision.into());
    let status = response.status();
    let labels =
        format!("route=\"{route}\",method=\"{}\",status=\"{}\"", known_method(&method), status.as_u16());
    app.metrics.add("volary_requests_total", labels, 1);
    if path != ENDLESS {
        app.metrics.took(&route, started.elapsed().as_secs_f64());
    }
    if status.is_client_error() || status.is_server_error() {
        let mut pairs = vec![
            ("request", request_id.as_str()),
            ("method", method.as_str()),
            ("path", path.as_str()),
            ("status", status.as_str()),
            ("token", who.as_str()),
            ("agent", agent.as_str()),
        ];
        if let Some(why) = &why {
            pairs.push(("why", why));
        }
        app.log("refused", &pairs);
    }
    if status.is_success() && AUDITED.contains(&route.as_str()) && changes(&method) {
        let pairs = [("request", request_id.as_str()), ("path", path.as_str()), ("token", who.as_str())];
        app.log("changed", &pairs);
    }
    response
}

/// Whether a method changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Methods are a label of a metric; a foreign one must not make new labels.
fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::HEAD | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// The path without the query, and nothing of it if a token stands in it.
fn shown_path(uri: &Uri) -> String {
    let path = uri.path();
    if holds_token(path) { "(withheld)".to_owned() } else { path.chars().take(300).collect() }
}

/// Whether a token of ours, or most of one, stands in a text.
fn holds_token(text: &str) -> bool {
    let is_token = |(at, prefix): (usize, &str)| {
        let rest = &text[at + prefix.len()..];
        let Some((id, secret)) = rest.split_once('_') else { return false };
        let n = secret.bytes().take_while(u8::is_ascii_alphanumeric).count();
        id.len() == 8 && id.bytes().all(|b| b.is_ascii_alphanumeric()) && n >= 32
    };
    text.match_indices("volary_").any(is_token)
}

fn admit(app: &Shared, request: &Request) -> Result<Asker, Problem> {
    let (headers, uri) = (request.headers(), request.uri());
    let now_ms = app.now_ms();
    let too_many = |wait_ms| app.too_many(wait_ms, "wait as long as Retry-After says; send in batches");
    app.of_all.take("", now_ms).map_err(too_many)?;
    let host = check_host(app, headers, uri)?;
    check_url(uri)?;
    check_origin(headers, request.method(), &host, uri.path())?;
    let path = uri.path();
    if OPEN.contains(&path) || is_page(path) {
        return Ok(Asker(None));
    }
    let is_signed = path.starts_with(SIGNED) && headers.contains_key(signature::HEADER);
    if is_signed {
        return Ok(Asker(None));
    }
    let unknown = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "send `Authorization: Bearer TOKEN`; `volary token` makes one",
        )
    };
    let text = bearer(headers).ok_or_else(unknown)?;
    let token = app.tokens.find(&text, now_ms).ok_or_else(unknown)?;
    app.by_token.take(&token.id, now_ms).map_err(too_many)?;
    Ok(Asker(Some(token)))
}

/// Stops DNS rebinding: a page of `attacker.example` whose name now points here still says so.
fn check_host(app: &Shared, headers: &HeaderMap, uri: &Uri) -> Result<String, Problem> {
    let mut said = headers.get_all(header::HOST).iter();
    let first = said.next().and_then(|value| value.to_str().ok());
    if said.next().is_some() {
        return Err(Problem::bad_request("there are two Host headers"));
    }
    let host = uri.authority().map(|a| a.as_str()).or(first).unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if port_is_one && app.hosts.contains(&name.to_ascii_lowercase()) {
        return Ok(host.to_ascii_lowercase());
    }
    let detail = "this server is not known by that host name; name it in the settings if it should be";
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

fn check_url(uri: &Uri) -> Result<(), Problem> {
    let path = uri.path();
    if path.contains("%00") {
        return Err(Problem::bad_request("the path holds NUL"));
    }
    let query = uri.query().unwrap_or_default();
    let names_secret = query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) || holds_token(value)
    });
    if names_secret || holds_token(path) {
        let detail = "a token in a URL ends up in logs and histories; send it as `Authorization: Bearer`, \
                      and revoke this one";
        return Err(Problem::bad_request(detail).kind("token-in-url", "A token never goes into a URL"));
    }
    Ok(())
}

/// No other site's page may ask for anything. There are no cookies, so a request that relies on one is not
/// from a client of ours.
fn check_origin(headers: &HeaderMap, method: &Method, host: &str, path: &str) -> Result<(), Problem> {
    let forbidden = || {
        let detail = "a page of another site may not use this server";
        Problem::new(StatusCode::FORBIDDEN, detail).kind("cross-origin", "Not from there")
    };
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text(header::ORIGIN) {
        let own = ["http://", "https://"].iter().any(|scheme| {
            origin.to_ascii_lowercase().strip_prefix(scheme).is_some_and(|rest| rest == host)
        });
        return if own { Ok(()) } else { Err(forbidden()) };
    }
    let changes = changes(method);
    let site = text(HeaderName::from_static("sec-fetch-site"));
    // A link to the page may stand anywhere; the page holds nothing until somebody gives it a key.
    let mode = text(HeaderName::from_static("sec-fetch-mode"));
    if is_page(path) && *method == Method::GET && mode == Some("navigate") {
        return Ok(());
    }
    let is_cross = site.is_some_and(|site| site == "cross-site" || site == "same-site");
    if is_cross || (changes && headers.contains_key(header::COOKIE)) { Err(forbidden()) } else { Ok(()) }
}

/// `Bearer TOKEN`; or `Basic`, whose password is then the token: all that Caesar can send.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut said = headers.get_all(header::AUTHORIZATION).iter();
    let value = said.next()?.to_str().ok()?;
    if said.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let decoded = data_encoding::BASE64.decode(rest.trim().as_bytes()).ok()?;
    let pair = String::from_utf8(decoded).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether a path is the page's own: its files hold nothing of the project.
fn is_page(path: &str) -> bool {
    path != "/api" && !path.starts_with("/api/")
}

/// Writes problems out and sets the headers; gives what is only for the log.
fn finish(
    response: &mut Response,
    method: &Method,
    path: &str,
    request_id: &str,
    wanted: Option<&HeaderValue>,
) -> Option<String> {
    let status = response.status();
    let mut why = None;
    let says_so = response.extensions().get::<SaysSo>().is_some();
    if (status.is_client_error() || status.is_server_error()) && !says_so {
        let own = response.extensions_mut().remove::<Problem>();
        // What the framework refused by itself says why in a body that nobody needs.
        let mut problem = own.unwrap_or_else(|| Problem::new(status, detail_of(status)));
        why = problem.take_log().map(|log| log.0);
        let document = problem.document(path, request_id);
        let body = serde_json::to_vec(&document).expect("text always serialises");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        headers.remove(header::ETAG);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        *response.body_mut() = if method == Method::HEAD { Body::empty() } else { Body::from(body) };
    } else if status == StatusCode::OK
        && matches!(*method, Method::GET | Method::HEAD)
        && let (Some(wanted), Some(tag)) = (wanted, response.headers().get(header::ETAG))
        && has_it(wanted, tag)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // A file of the page brings its own, which lets it show pictures that it asked for.
    let policy = HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    if !headers.contains_key(header::CACHE_CONTROL) {
        // To be asked again each time; with the entity tag that costs little.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    why
}

fn detail_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this path; openapi.json lists what there is",
        StatusCode::METHOD_NOT_ALLOWED => "this path takes other methods; openapi.json lists them",
        _ if status.is_server_error() => "the server failed; its log says why",
        _ => "the request cannot be read",
    }
}

fn has_it(wanted: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(wanted), Ok(tag)) = (wanted.to_str(), tag.to_str()) else { return false };
    wanted
        .split(',')
        .take(64)
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

/// Gives the layer its state.
pub(crate) fn wrap(router: axum::Router, app: &Shared) -> axum::Router {
    router.layer(axum::middleware::from_fn_with_state(Arc::clone(app), guard))
}
