#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_live::credit::names::{
    MAX_GRAPHEMES, compare, display_form, for_html, for_latex, for_report, for_spreadsheet, verdict,
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (a, b) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let shown = display_form(&text);
    assert_eq!(display_form(&shown), shown, "doing it twice changes nothing");
    assert!(shown.chars().count() <= MAX_GRAPHEMES * 12);
    if let Ok(name) = verdict(&text) {
        assert_eq!(verdict(&name).as_ref(), Ok(&name), "what was found harmless stays harmless");
        assert!(!for_spreadsheet(&name).starts_with(['=', '+', '-', '@', '\t', '\r']));
        let html = for_html(&name);
        let inner = html.strip_prefix("<bdi>").and_then(|text| text.strip_suffix("</bdi>"));
        assert!(inner.is_some_and(|text| !text.contains(['<', '>', '"'])), "{html}");
        assert!(!for_latex(&name).contains("\\input"));
        assert!(!for_report(&name).chars().any(char::is_control));
    }
    assert_eq!(compare(a, b), compare(b, a).reverse());
    assert!(compare(a, a).is_eq());
});
