use proptest::prelude::*;

use super::*;

#[test]
fn the_names_of_the_specification_get_their_verdicts() {
    let removed = [
        "example.com",
        "see www.example.com",
        "bit.ly/abc",
        "xn--e1afmkfd.xn--p1ai",
        "a@b.co",
        "mailto:a@b.co",
        "hxxp://bad.tld",
        "a[at]b.co",
        "a (at) b (dot) co",
        "a at b dot co",
        "example。com",
        "ｅｘａｍｐｌｅ．ｃｏｍ",
        "пример.рф",
        "user@localhost",
        "http://x.y/z",
        "exam\u{200b}ple.com",
        "\u{202e}moc.elpmaxe",
        "EXAMPLE.COM!",
        "127.0.0.1",
        "10.0.0.1:8080",
        "[2001:db8::1]",
        "me＠example.org",
        "visit example.com now",
        "example.co.uk",
        "javascript:alert(1)",
        "data:text/html,x",
        "tel:+1555",
        "HTTPS://EXAMPLE.ORG",
        "ftp://10.0.0.1/x",
        "a{at}b{dot}co",
        "a [ at ] b [ dot ] co",
        "ехample.com",
        "exam\u{ad}ple.com",
        "exam\u{2060}ple.com",
        "ｗｗｗ．example．org",
        "jo@sub.example.museum",
        "“example.com”",
        "(example.com)",
        "«example.com»",
        "「example.com」",
        "•example.com•",
        "",
        " \u{200b}\u{ad} ",
        "\u{0}\u{7}",
    ];
    for name in removed {
        assert!(verdict(name).is_err(), "{name:?} is shown as {:?}", verdict(name));
    }
    let kept = [
        "J.R.R. Tolkien",
        "St.John",
        "Dr. A. B. (ESO)",
        "node.js fan",
        "astro.nut",
        "李雷",
        "@handle",
        "alice",
        "O'Neill (ESO)",
        "Smith, J.",
        "Look at me",
        "Zoë",
        "Łukasz",
        "محمد",
        "10cats",
        "a.b.c",
        "раypal",
        "data",
        "tel:",
        "Meet at dot",
        "\u{5d3}\u{5d5}\u{5d3}",
        "Ιvan",
        "{{x}}",
        "$(id)",
        "';--",
        "x-_-x",
        "v1.2.3",
        "12:34",
        "=SUM(A1)",
        "<b>bold</b>",
        "👩‍🚀".split('\u{200d}').next().expect("a part"),
    ];
    for name in kept {
        assert_eq!(verdict(name).as_deref(), Ok(name), "{name:?}");
    }
}

/// Signs and blanks around an address, which readers see through.
#[test]
fn addresses_are_found_behind_signs_and_blanks_and_people_are_left_alone() {
    let removed = [
        "//evil.com",
        "/evil.com",
        "//evil.co.uk",
        "//1.2.3.4/x",
        "http:evil.com",
        "see:evil.com",
        "@evil.com",
        "[evil.com]",
        "{evil.com}",
        "=evil.com",
        "+evil.com",
        "$evil.com",
        "^evil.com",
        "-evil.com-",
        "_evil.com_",
        "\\\\evil.com",
        "/a/evil.com/b",
        "evil.com&x",
        "a|evil.com%20",
        "see...evil.com",
        "evil .com",
        "evil. com",
        "evil . com",
        "evil. com. Hello",
        "evil . co . uk",
        "evil. co. uk",
        "volary. app",
        "evil .io",
        "joe @ gmail . com",
        "joe @ gmail.com",
        "joe@ gmail. com",
        "evil dot com/x",
        "//evil dot co dot uk",
        "127 . 0 . 0 . 1",
        "0x7f.1",
        "//0x7f.0.0.1/",
        "0177.0.0.1",
        "/2001:db8::1/",
        "J. Smith, //evil.com",
        "J. R. evil.com",
    ];
    for name in removed {
        assert!(verdict(name).is_err(), "{name:?} is shown as {:?}", verdict(name));
    }
    let kept = [
        "J. R. Smith",
        "J.R. Smith",
        "St. John",
        "St. Louis",
        "Dr. Who",
        "Dr. Ng",
        "Mr. Cool",
        "Prof. Green",
        "M. Black",
        "J. de Vries",
        "J. Li, Ph. D.",
        "A.B.",
        "A. B.",
        "O'Neil",
        "Mary.Ann",
        "Mary . Ann",
        "node.js fan",
        "me / you",
        "he/him",
        "Joe @ home",
        "@ home",
        "C++ / C#",
        "AC/DC",
        "foo::bar",
        "12:34:56",
        "3.14",
        "10.5",
        "v1.2.3.4",
        "0xdeadbeef",
        "1 . 2",
        "...",
        ". . .",
        "a . b",
        "-._.-",
        "Hello. I am Ann.",
        "Sgt. Pepper & Co.",
        "Cats & Co",
    ];
    for name in kept {
        assert_eq!(verdict(name).as_deref(), Ok(name), "{name:?}");
    }
}

#[test]
fn the_next_name_of_the_chain_is_taken() {
    let names = |credited: &str, display: &str, login: &str| {
        let some = |s: &str| Some(s.to_owned());
        Names { credited: some(credited), display: some(display), login: some(login) }
    };
    assert_eq!(resolve(&names("Ada", "x", "y")), "Ada");
    assert_eq!(resolve(&names("ada@x.org", "Ada L.", "y")), "Ada L.");
    assert_eq!(resolve(&names("", "example.com", "ada")), "ada");
    assert_eq!(resolve(&names("a@b.co", "c@d.co", "example.com")), WITHHELD);
    assert_eq!(resolve(&Names::default()), WITHHELD);
}

#[test]
fn a_name_is_one_visible_line_of_bounded_length() {
    assert_eq!(display_form(" A\u{202e}da\n\tLove\u{200b}lace "), "Ada Lovelace");
    assert_eq!(display_form("e\u{301}"), "é");
    assert_eq!(display_form(&"x".repeat(300)).len(), 100);
    assert!(display_form(&format!("a{}", "\u{301}".repeat(10_000))).chars().count() <= 12);
    assert!(display_form(&"a\u{301}".repeat(1_000_000)).graphemes(true).count() <= 100);
}

#[test]
fn each_format_makes_names_inert() {
    for name in ["=HYPERLINK(\"x\")", "+1", "-1", "@SUM", "\tx", " =1", "＝1", "|cmd"] {
        assert!(for_spreadsheet(name).starts_with('\''), "{name:?}");
    }
    assert_eq!(for_spreadsheet("Zoë = Z"), "Zoë = Z");
    assert_eq!(for_html("<script>\"'&"), "<bdi>&lt;script&gt;&quot;&#39;&amp;</bdi>");
    assert_eq!(for_latex("\\input{x}"), "\\textbackslash{}input\\{x\\}");
    assert_eq!(
        for_latex("& % $ # _ { } ~ ^"),
        "\\& \\% \\$ \\# \\_ \\{ \\} \\textasciitilde{} \\textasciicircum{}"
    );
    assert_eq!(for_report("Smith, J."), "Smith J.");
    assert_eq!(for_report("O'Neill (ESO)"), "O'Neill ESO");
    assert_eq!(for_report("\"; DROP\nTABLE"), "DROP TABLE");
}

/// The order that the specification saw in ICU4X 2.4, which is CLDR's root.
#[test]
fn names_sort_as_unicode_says() {
    let right = [
        "_anon",
        "10cats",
        "9cats",
        "Æon",
        "Angel",
        "Ángel",
        "Asa",
        "Åsa",
        "Emile",
        "émile",
        "eric",
        "Éric",
        "Lucas",
        "Łukasz",
        "Oberg",
        "Öberg",
        "Ørsted",
        "ß-fan",
        "ssfan",
        "Zé",
        "zoe",
        "Zoë",
        "Иван",
        "いろは",
        "李雷",
    ];
    let mut names = right;
    names.reverse();
    names.sort_by(|a, b| compare(a, b));
    assert_eq!(names, right);
    // Equal to the collation, and still two names.
    assert_ne!(compare("e\u{301}", "é"), Ordering::Equal);
    assert_ne!(compare("ab", "a\u{200b}b"), Ordering::Equal);
}

/// Perl's `Unicode::Collate` 1.31 (DUCET), which is not ours: the same order of names of letters.
#[test]
fn names_of_letters_sort_as_perl_sorts_them() {
    let right = [
        "Angel",
        "Ángel",
        "Asa",
        "Åsa",
        "Emile",
        "émile",
        "eric",
        "Éric",
        "Lucas",
        "Łukasz",
        "Oberg",
        "Öberg",
        "Ørsted",
        "zoe",
        "Zoë",
        "Иван",
        "いろは",
    ];
    assert!(right.windows(2).all(|w| compare(w[0], w[1]) == Ordering::Less));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_filter_takes_anything_and_doing_it_twice_changes_nothing(name in any::<String>()) {
        let once = display_form(&name);
        prop_assert_eq!(&display_form(&once), &once);
        prop_assert!(!once.chars().any(is_invisible));
        if let Ok(shown) = verdict(&name) {
            prop_assert_eq!(verdict(&shown), Ok(shown.clone()));
        }
        let _ = (for_html(&name), for_latex(&name), for_report(&name), for_spreadsheet(&name));
    }

    #[test]
    fn the_order_is_total(a in any::<String>(), b in any::<String>(), c in any::<String>()) {
        prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
        if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
            prop_assert!(compare(&a, &c) != Ordering::Greater);
        }
    }

    #[test]
    fn html_holds_no_tag_and_latex_no_command(name in any::<String>()) {
        let html = for_html(&name);
        let inner = html.strip_prefix("<bdi>").and_then(|h| h.strip_suffix("</bdi>")).expect("wrapped");
        prop_assert!(!inner.contains(['<', '>', '"', '\'']));
        // What begins a command, an argument, a comment, a formula stands behind a backslash, or is spelt out.
        let latex = for_latex(&name)
            .replace("\\textasciitilde{}", "").replace("\\textasciicircum{}", "").replace("\\textbackslash{}", "");
        let mut before = ' ';
        for c in latex.chars() {
            prop_assert!(!"&%$#_{}".contains(c) || before == '\\', "{}", latex);
            prop_assert!(before != '\\' || "&%$#_{}".contains(c), "{}", latex);
            prop_assert!(!"~^".contains(c));
            before = if before == '\\' { ' ' } else { c };
        }
    }
}
