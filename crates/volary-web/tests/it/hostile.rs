//! What comes from those who mean harm, or whose programs are broken: rows H1 to H19 of the specification.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::json;
use volary_web::{Rate, Role, Tokens};

use crate::site::{LIMIT, Site, answer, vote};

#[test]
fn h1_a_token_is_needed_ours_and_not_in_the_url() {
    let site = Site::start();
    let elsewhere = tempfile::tempdir().expect("is there");
    let other = Tokens::open(&elsewhere.path().join("t")).expect("is there");
    let other = other.make("x", [Role::Admin], jiff::Timestamp::UNIX_EPOCH).expect("is there");
    let body = vote(1, "s", 1, "real").to_string();
    let path = "/api/v1/classifications";
    let bare = site.ask("POST", path, None, &body).is(401);
    assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
    site.ask("POST", path, Some(&other), &body).is(401);
    let secret = site.write.rsplit_once('_').expect("is there").1;
    for url in [
        format!("{path}?access_token={}", site.write),
        format!("{path}?token={}", site.write),
        format!("{path}?Token=x"),
        format!("{path}?page={}", site.write),
        format!("/api/v1/{}/classifications", site.write),
    ] {
        site.ask("POST", &url, Some(&site.write), &body).is(400);
        site.ask("POST", &url, None, &body).is(400);
    }
    // A subject may be called what it will.
    site.get("/subjects/volary_s_1", &site.read).is(404);
    assert!(!site.log_text().contains(secret), "a token in a URL is not logged");
    let two = format!("Bearer {}", site.read);
    let headers = [("authorization", two.as_str()), ("authorization", two.as_str())];
    site.send("GET", "/api/v1/alerts", &headers, b"").is(401);
    for value in
        ["", "Bearer", "Bearer ", "bearer x", "Basic", "Basic !!!", "Digest a", "Bearer volary__"]
    {
        site.send("GET", "/api/v1/alerts", &[("authorization", value)], b"").is(401);
    }
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 0);
}

#[test]
fn h2_h16_a_page_of_another_site_gets_nothing() {
    let site = Site::start();
    let bearer = format!("Bearer {}", site.write);
    let body = vote(1, "s", 1, "real").to_string();
    let post = |headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        site.send("POST", "/api/v1/classifications", &all, body.as_bytes())
    };
    for headers in [
        [("origin", "https://attacker.example")],
        [("origin", "null")],
        [("origin", "http://127.0.0.1:1")],
        [("origin", "http://127.0.0.1.attacker.example")],
        [("cookie", "session=1")],
        [("sec-fetch-site", "cross-site")],
    ] {
        post(&headers).is(403);
    }
    let form =
        [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    site.send("POST", "/api/v1/classifications", &form, b"a=b").is(415);
    let text = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    site.send("POST", "/api/v1/classifications", &text, body.as_bytes()).is(415);
    let read = format!("Bearer {}", site.read);
    for upgrade in [("upgrade", "websocket"), ("accept", "text/event-stream")] {
        let headers =
            [("authorization", read.as_str()), ("origin", "https://attacker.example"), upgrade];
        site.send("GET", "/api/v1/events", &headers, b"").is(403);
    }
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 0);
    // The server's own page may.
    post(&[("origin", &format!("http://{}", site.address))]).is(201);
    // And nobody is told that other sites may read.
    let answer = site
        .send(
            "OPTIONS",
            "/api/v1/classifications",
            &[
                ("authorization", &bearer),
                ("origin", &format!("http://{}", site.address)),
                ("access-control-request-method", "POST"),
            ],
            b"",
        )
        .is(405);
    assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(
        answer.header("content-security-policy").expect("is there").contains("frame-ancestors 'none'")
    );
}

#[test]
fn h3_another_hosts_name_is_refused() {
    let site = Site::start();
    let port = site.address.port();
    let ask = |host: &str| {
        site.raw(format!("GET /api/v1/version HTTP/1.1\r\n{host}connection: close\r\n\r\n").as_bytes())
    };
    for host in [
        "attacker.example",
        "127.0.0.1.attacker.example",
        "127.0.0.1:x",
        "",
        "localhost.",
        "[::1",
        "127.0.0.1@attacker.example",
    ] {
        ask(&format!("host: {host}\r\n")).is(421);
    }
    ask("").is(421);
    assert!([400, 421].contains(&ask("host: localhost\r\nhost: attacker.example\r\n").status));
    for host in [
        format!("127.0.0.1:{port}"),
        format!("LOCALHOST:{port}"),
        "localhost".to_owned(),
        format!("[::1]:{port}"),
    ] {
        ask(&format!("host: {host}\r\n")).is(200);
    }
    site.raw(format!("GET http://attacker.example/api/v1/version HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n").as_bytes()).is(421);
}

#[test]
fn h4_bombs_are_refused_and_others_are_served() {
    let site = Site::with(|settings| {
        settings.body_timeout = Duration::from_millis(400);
        settings.head_timeout = Duration::from_millis(400);
    });
    let post = |body: &str| site.ask("POST", "/api/v1/classifications", Some(&site.write), body);
    post(&"[".repeat(1_000_000)).is(400);
    let keys: Vec<String> = (0..60_000).map(|n| format!("\"k{n}\":0")).collect();
    post(&format!("{{{}}}", keys.join(","))).is(400);
    post(&format!("[{}", "1,".repeat(2 << 20))).is(413);
    post(r#"{"id":"1","id":"2"}"#).is(400);
    post(r#"{"id":"a\u0000"}"#).is(400);
    post("").is(400);
    post("\u{feff}{}").is(400);
    let head = format!(
        "POST /api/v1/classifications HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        site.address, site.write
    );
    // A body that never ends, without saying so: more than is taken, and then too slow.
    let mut stream = site.connect();
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n").as_bytes())
        .expect("is there");
    let chunk = format!("10000\r\n{}\r\n", "1".repeat(0x10000));
    for _ in 0..17 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    answer(&mut stream).is(413);
    let mut slow = site.connect();
    slow.write_all(format!("{head}content-length: 100\r\nconnection: close\r\n\r\n{{").as_bytes())
        .expect("is there");
    answer(&mut slow).is(408);
    // A head that drips in: closed, however slowly it comes.
    let mut drip = site.connect();
    let started = Instant::now();
    for byte in "GET /api/v1/version HTTP/1.1\r\n".repeat(100).bytes() {
        if drip.write_all(&[byte]).is_err() || started.elapsed() > LIMIT {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(started.elapsed() < LIMIT, "never closed");
    // All the while others are served.
    post(&vote(1, "s", 1, "real").to_string()).is(201);
}

#[test]
fn h5_heads_that_programs_disagree_about_are_refused() {
    let site = Site::start();
    let base = format!(
        "POST /api/v1/classifications HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        site.address, site.write
    );
    let body = vote(1, "s", 1, "real").to_string();
    let n = body.len();
    for head in [
        format!("content-length: {n}\r\ncontent-length: {}\r\n", n + 1),
        format!("content-length: {n}, {}\r\n", n + 1),
        "content-length: -1\r\n".to_owned(),
        "content-length: +5\r\n".to_owned(),
        "content-length: 99999999999999999999\r\n".to_owned(),
        format!("x: a\r\n folded\r\ncontent-length: {n}\r\n"),
        format!("x: a\0b\r\ncontent-length: {n}\r\n"),
        format!("x y: a\r\ncontent-length: {n}\r\n"),
        format!("content-length : {n}\r\n"),
        "transfer-encoding: gzip\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
    ] {
        let answer = site.raw(format!("{base}{head}\r\n{body}").as_bytes());
        assert_eq!(answer.status, 400, "{head:?}: {}", answer.text);
    }
    let big = format!("{base}x: {}\r\n\r\n", "a".repeat(100_000));
    assert!([400, 431].contains(&site.raw(big.as_bytes()).status));
    let many: String = (0..500).map(|n| format!("x{n}: a\r\n")).collect();
    assert!([400, 431].contains(&site.raw(format!("{base}{many}\r\n").as_bytes()).status));
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 0);
    // Both lengths: read by the chunks alone, as RFC 9112 has it, and nothing behind them is a request.
    let both = format!(
        "{base}transfer-encoding: chunked\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{n:x}\r\n{body}\r\n0\r\n\r\n"
    );
    let smuggled = format!("{both}GET /api/v1/version HTTP/1.1\r\nhost: {}\r\n\r\n", site.address);
    let answer = site.raw(smuggled.as_bytes());
    assert!([201, 400].contains(&answer.status), "{}", answer.status);
    assert!(!answer.text.contains("HTTP/1.1"), "one answer, then the end: {}", answer.text);
}

#[test]
fn h6_paths_lead_nowhere() {
    let site = Site::start();
    for path in [
        "/subjects/..%2f..%2fdb",
        "/subjects/%2e%2e%2f%2e%2e%2ftokens.toml",
        "/subjects/../../../etc/passwd",
        "//subjects",
        "/subjects//",
        "/subjects/a/b/c",
        "/subjects/s;admin=true",
        "/subjects/%C3%28",
        "/subjects/%c0%af",
        "/subjects/a%0d%0ab",
        "/subjects/%00",
        "/subjects/s%00.json",
        "/.env",
        "/subjects/%",
    ] {
        let answer = site.get(path, &site.admin);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    let long = format!("/subjects/{}", "a".repeat(300));
    site.get(&long, &site.admin).is(404);
}

#[test]
fn h7_ids_are_only_text() {
    let site = Site::start();
    site.post("/subjects", &site.write, &json!([{"id": "1"}, {"id": "2"}])).is(201);
    for id in ["1%20OR%201=1", "%27%3B%20DROP%20TABLE%20events%3B--", "1%22", "%25", "_", "%241"] {
        site.get(&format!("/subjects/{id}"), &site.read).is(404);
        let none = site
            .get(&format!("/subject_reductions?subject_id={id}&workflow_id={id}"), &site.read)
            .is(200);
        assert_eq!(none.json()["subject_reductions"], json!([]));
        let none = site.get(&format!("/classifications?subject_id={id}"), &site.read).is(200);
        assert_eq!(none.json()["classifications"], json!([]));
    }
    site.get("/subjects/%5Cu0000", &site.read).is(404);
    let nasty = "'; DROP TABLE events;--";
    site.post("/classifications", &site.write, &vote(nasty, nasty, 1, nasty)).is(201);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 3);
    site.post("/classifications", &site.write, &vote("a\u{7}", "s", 1, "real")).is(422);
}

#[test]
fn h13_one_who_sends_too_much_waits_and_others_do_not() {
    let site = Site::with(|settings| settings.rate_per_token = Rate { per_second: 10.0, burst: 5.0 });
    let ask = |token: &str| site.get("/subjects/next?volunteer=1", token);
    let statuses: Vec<u16> = (0..20).map(|_| ask(&site.write).status).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 15, "{statuses:?}");
    let refused = ask(&site.write).is(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    ask(&site.admin).is(200);
    site.clock.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed);
    ask(&site.write).is(200);
    let site = Site::with(|settings| settings.rate = Rate { per_second: 1.0, burst: 3.0 });
    let statuses: Vec<u16> =
        (0..5).map(|_| site.ask("GET", "/api/v1/alerts", None, "").status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429], "those without a token too");
    // One volunteer among those that one token speaks for.
    let site = Site::with(|settings| {
        settings.rate_per_volunteer = Rate { per_second: 10.0, burst: 3.0 };
    });
    let cast = |id: &str, user| site.post("/classifications", &site.write, &vote(id, "s", user, "real"));
    for id in ["1", "2", "3"] {
        cast(id, 7).is(201);
    }
    let refused = cast("4", 7).is(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    cast("5", 8).is(201);
    let both = json!([vote("6", "s", 9, "real"), vote("7", "s", 7, "real")]);
    site.post("/classifications", &site.write, &both).is(429);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_votes, 4, "nothing of the list is stored");
    site.clock.fetch_add(100, std::sync::atomic::Ordering::Relaxed);
    cast("4", 7).is(201);
}

#[test]
fn h15_ranges_methods_and_conditions_are_capped() {
    let site = Site::start();
    let bearer = format!("Bearer {}", site.read);
    let ranges: Vec<String> = (0..8_000).map(|n| format!("{n}-{n}")).collect();
    let headers =
        [("authorization", bearer.as_str()), ("range", &format!("bytes={}", ranges.join(",")))];
    let answer = site.send("GET", "/api/v1/alerts", &headers, b"");
    assert!([200, 431].contains(&answer.status), "ranges are not served: {}", answer.status);
    let tags = vec!["\"x\""; 5_000].join(",");
    let headers = [("authorization", bearer.as_str()), ("if-none-match", &*tags)];
    site.send("GET", "/api/v1/alerts", &headers, b"").is(200);
    for method in ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"] {
        let answer = site.send(method, "/api/v1/alerts", &[("authorization", &bearer)], b"");
        assert!([400, 404, 405, 421].contains(&answer.status), "{method}: {}", answer.status);
    }
    let head = site.send("HEAD", "/api/v1/alerts", &[("authorization", &bearer)], b"").is(200);
    assert_eq!(head.text, "");
    let none = site.send("HEAD", "/api/v1/nothing", &[("authorization", &bearer)], b"");
    assert_eq!((none.status, none.text.as_str()), (404, ""));
    // A foreign method makes no new label among the metrics.
    let metrics = site.get("/metrics", &site.read).is(200).text;
    assert!(!metrics.contains("BREW") && metrics.contains("method=\"other\""), "{metrics}");
}

#[test]
fn h16_idle_connections_are_capped_and_closed() {
    let site = Site::with(|settings| {
        settings.max_connections = 20;
        settings.head_timeout = Duration::from_millis(500);
    });
    let mut idle: Vec<_> = (0..100).map(|_| site.connect()).collect();
    // Those beyond the cap are turned away at once, the others when they have said nothing for a while.
    let started = Instant::now();
    let texts: Vec<String> = idle
        .iter_mut()
        .map(|stream| {
            let mut text = String::new();
            let _ = stream.read_to_string(&mut text);
            text
        })
        .collect();
    assert!(started.elapsed() < LIMIT, "all were closed");
    let n_away = texts.iter().filter(|text| text.starts_with("HTTP/1.1 503")).count();
    assert_eq!(n_away, 80, "{texts:?}");
    site.ask("GET", "/api/v1/version", None, "").is(200);
    assert_eq!(site.metric("volary_connections_refused_total"), 80.0);
}

#[test]
fn h17_packed_bodies_are_not_unpacked() {
    let site = Site::start();
    let bearer = format!("Bearer {}", site.write);
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "chunked"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        site.send("POST", "/api/v1/classifications", &headers, &[0x1f, 0x8b, 8, 0]).is(415);
    }
}

#[test]
fn h19_no_line_of_the_log_can_be_forged() {
    let site = Site::start();
    // Control characters do not even get into a header.
    let escape = [("user-agent", "x\u{1b}[2J")];
    assert_eq!(site.send("GET", "/api/v1/alerts", &escape, b"").status, 400);
    let agent = "x\u{9b}31m\u{202e}evil\tend";
    let before = site.log.lock().expect("no panic").len();
    site.send("GET", "/api/v1/alerts%0A2027-01-01%20fake", &[("user-agent", agent)], b"").is(401);
    site.send("GET", "/api/v1/alerts", &[("user-agent", &"a".repeat(5_000))], b"").is(401);
    let lines = site.log.lock().expect("no panic")[before..].to_vec();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert!(line.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{line:?}");
        assert!(line.len() < 1_500, "{}", line.len());
    }
}

#[test]
fn what_the_framework_refuses_is_a_problem_too() {
    let site = Site::start();
    site.get("/nothing", &site.read).is(404);
    site.ask("GET", "/nothing", Some(&site.read), "").is(404);
    site.ask("PUT", "/api/v1/alerts", Some(&site.read), "{}").is(405);
    site.ask("POST", "/api/v1/subjects", Some(&site.write), "{").is(400);
    site.ask("POST", "/api/v1/subjects", Some(&site.write), "{}").is(422);
    let problem = site.get("/nothing?secret=1", &site.read).is(404).json();
    assert_eq!(problem["instance"], "/api/v1/nothing");
    assert_eq!(problem["type"], "/problems/not-found");
}

#[test]
fn who_mistypes_an_address_gets_the_page_and_a_program_a_problem() {
    let site = Site::start();
    let by_hand = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/nonsense", "/a/b", "/assets/gone.js"] {
        let answer = site.send("GET", path, &by_hand, b"");
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(
            answer.text.contains("<div id=\"app\"") && answer.header("etag").is_none(),
            "{}",
            answer.text
        );
        assert!(
            answer.header("content-security-policy").is_some_and(|policy| policy.contains("img-src"))
        );
    }
    site.send("GET", "/nonsense", &[("accept", "application/json")], b"").is(404);
    site.send("GET", "/nonsense", &[], b"").is(404);
    site.send("POST", "/nonsense", &by_hand, b"").is(404);
    let bearer = format!("Bearer {}", site.read);
    site.send("GET", "/api/v1/nonsense", &[by_hand[0], ("authorization", &bearer)], b"").is(404);
}
