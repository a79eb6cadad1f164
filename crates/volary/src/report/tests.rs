use volary_core::Votes;
use volary_core::votes::{QuestionKind, VotesBuilder};
use volary_crowd::{CrowdParams, simulate};

use super::samples::{Sample, galaxies, scripts};
use super::text::{clean, cut, escape, fitted, label, percent, plain, thinned, two_lines};
use super::{Section, figures, render, sections};

/// What no page of ours may hold.
pub(super) fn check(html: &str) {
    for bad in
        ["NaN", "inf\"", "<script", "http://", "https://", "javascript:", "src=", "\u{202E}", "\u{0}"]
    {
        // The one address that a report names is the page's, on this machine.
        let page = format!("<a href=\"{}/subjects/", super::confusing::PAGE);
        let html = html.replace("http://www.w3.org/2000/svg", "").replace(&page, "");
        let at =
            html.find(bad).map(|at| html[at.saturating_sub(80)..].chars().take(160).collect::<String>());
        assert_eq!(at, None, "{bad}");
    }
    for tag in ["section", "figure", "table", "div", "svg", "bdi", "span", "td", "text", "p", "h4"] {
        let opened =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|s| s.split('"').next()).collect();
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n, "ids are unique");
}

fn ids(sections: &[Section]) -> Vec<&str> {
    sections.iter().map(|s| s.id).collect()
}

/// Keeps a page for looking at, where `VOLARY_REPORT_DIR` says so.
fn keep(name: &str, html: &str) {
    if let Ok(dir) = std::env::var("VOLARY_REPORT_DIR") {
        std::fs::write(std::path::Path::new(&dir).join(name), html).unwrap();
    }
}

#[test]
fn a_page_of_galaxies() {
    let sample = galaxies(600);
    let html = render(&sample.input()).unwrap();
    check(&html);
    keep("report.html", &html);
    let all = figures(&sample.input()).unwrap();
    for figure in &all {
        assert!(figure.svg.starts_with("<svg role=\"img\" aria-label="), "{}", figure.name);
        assert!(html.contains(figure.svg.trim()) && figure.caption.len() > 40, "{}", figure.name);
        keep(&format!("{}.svg", figure.name), &figure.svg);
    }
    let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
    assert!(names.contains(&"retirement_1") && names.contains(&"agreement_alpha"), "{names:?}");
    assert!(names.contains(&"lorenz_curve") && names.contains(&"reliability_q0"), "{names:?}");
    assert!(names.contains(&"model_choice_0") && names.contains(&"skill_bits_0"), "{names:?}");
    let sections = sections(&sample.input()).unwrap();
    assert_eq!(
        ids(&sections),
        [
            "progress",
            "consensus",
            "confusing",
            "agreement",
            "volunteers",
            "models",
            "methods",
            "retirement",
            "input"
        ]
    );
    assert_eq!(html, render(&galaxies(600).input()).unwrap(), "same input, same bytes");
}

#[test]
fn labels_in_any_script_and_in_markup() {
    let sample = scripts();
    let html = render(&sample.input()).unwrap();
    check(&html);
    keep("scripts.html", &html);
    assert!(html.contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"));
    assert!(html.contains("<bdi>שלום עולם</bdi>"));
    assert!(html.contains("<h1><bdi>&lt;b&gt;תואר&lt;/b&gt; &amp; &quot;scripts&quot;</bdi></h1>"));
    assert!(ids(&sections(&sample.input()).unwrap()).contains(&"surveys"));
}

#[test]
fn no_volunteer_is_listed() {
    let sample = galaxies(80);
    let html = render(&sample.input()).unwrap();
    assert!(sample.votes.volunteers.iter().all(|name| !html.contains(name.as_str())));
}

#[test]
fn nothing_is_little_to_show() {
    let sample = Sample::of(Votes::default());
    let html = render(&sample.input()).unwrap();
    check(&html);
    assert!(html.contains("no classifications"));
    assert!(figures(&sample.input()).unwrap().is_empty());
}

#[test]
fn one_vote_is_a_page() {
    for (answer, time) in [(Some("yes"), None), (None, Some(0)), (Some("yes"), Some(i64::MAX))] {
        let mut builder = VotesBuilder::default();
        let c = builder.classification("", "s", "v", time, "1");
        builder.vote(c, "T0", QuestionKind::Single, answer);
        let html = render(&Sample::of(builder.finish()).input()).unwrap();
        check(&html);
        keep("one.html", &html);
        assert!(html.contains("<b>1 volunteer</b> made <b>1 classification</b> of <b>1 subject</b>"));
    }
}

#[test]
fn two_hundred_answers_are_cut_to_a_dozen() {
    let mut builder = VotesBuilder::default();
    for i in 0..3000_usize {
        let c = builder.classification(
            "",
            &(i % 100).to_string(),
            &(i / 100).to_string(),
            None,
            &i.to_string(),
        );
        let answer = format!("answer {}", (i * i) % 200);
        builder.offer("", "T0", QuestionKind::Single, &format!("answer {}", i % 200));
        builder.vote(c, "T0", QuestionKind::Single, Some(&answer));
    }
    let html = render(&Sample::of(builder.finish()).input()).unwrap();
    check(&html);
    keep("answers.html", &html);
    assert!(html.contains("188 more share"));
    assert!(html.len() < 300_000, "{}", html.len());
}

#[test]
fn a_million_votes_take_a_moment() {
    let params = CrowdParams {
        n_subjects: 50_000,
        n_volunteers: 20_000,
        n_classes: 3,
        votes_per_subject: 20.0,
        min_votes: 5,
        max_votes: 60,
        ..CrowdParams::default()
    };
    let sample = Sample::of(simulate(&params).unwrap().to_votes());
    let html = render(&sample.input()).unwrap();
    check(&html);
    keep("million.html", &html);
    assert!(html.len() < 1_000_000, "{}", html.len());
}

#[test]
fn words_and_numbers() {
    assert_eq!(escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    assert_eq!(clean(" a\u{202E}b\n\tc\u{0} "), "ab c");
    assert_eq!(cut("abcdef", 4), "abc…");
    assert_eq!(cut("abe\u{301}f", 5), "abe\u{301}f");
    assert_eq!(cut("abe\u{301}f", 4), "ab…");
    assert_eq!(label("abcdef", 4), "<bdi title=\"abcdef\">abc…</bdi>");
    assert_eq!(label(" \u{7}", 4), "<bdi class=\"empty\">(empty)</bdi>");
    assert_eq!((plain("ab", 9).as_str(), plain("שלום", 9).as_str()), ("ab", "\u{2068}שלום\u{2069}"));
    assert!(fitted(&"wide".repeat(50), 12.0, 100.0).chars().count() < 20);
    assert_eq!(fitted("short", 12.0, 100.0), "short");
    assert_eq!(two_lines("vote fraction, wilson", 12.0, 100.0), ["vote fraction,", "wilson"]);
    assert_eq!(two_lines("", 12.0, 100.0), ["(empty)"]);
    assert_eq!((percent(0.9999).as_str(), percent(1.0).as_str()), (">99.9%", "100%"));
    assert_eq!((percent(0.0001).as_str(), percent(f64::NAN).as_str()), ("<0.1%", "–"));
    assert_eq!(thinned(&[1, 2, 3, 4, 5], 3), [&1, &3, &5]);
}
