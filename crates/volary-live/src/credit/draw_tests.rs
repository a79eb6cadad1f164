use super::*;
use crate::alert::Voter;
use crate::event::Key;

fn key() -> DayKey {
    DayKey::new([7; 32], [9; 32])
}

fn alert(subject: &str, voters: &[&str]) -> Alert {
    let voter = |(at, user): (usize, &&str)| Voter {
        actor: match user.strip_prefix('?') {
            Some(session) => Actor::Anonymous(session.to_owned()),
            None => Actor::User((*user).to_owned()),
        },
        vote: Key { source: "own".into(), id: at.to_string() },
    };
    Alert {
        number: 1,
        subject: subject.into(),
        workflow: "w".into(),
        major: "1".into(),
        rule: "alert".into(),
        policy: "p".into(),
        project: "kilonova-seekers".into(),
        at_ms: 1_795_900_000_000,
        n: 8,
        k: voters.len() as u64,
        p_low: 0.0,
        p_high: 0.0,
        voters: voters.iter().enumerate().map(voter).collect(),
        event_set_hash: "e".into(),
        previous: String::new(),
        hash: String::new(),
    }
    .sealed()
}

const EIGHT: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

fn users(drawn: &[Drawn]) -> Vec<&str> {
    drawn.iter().map(|d| d.user.as_str()).collect()
}

#[test]
fn the_draw_is_uniform_over_the_56_subsets() {
    let n = 20_000;
    let mut counts = std::collections::BTreeMap::<Vec<String>, u32>::new();
    let (mut together, mut first) = (0, 0);
    for subject in 0..n {
        let mut five: Vec<String> =
            named(&order(&alert(&subject.to_string(), &EIGHT), &key()), |_| true)
                .into_iter()
                .map(|d| d.user)
                .collect();
        five.sort();
        first += u32::from(five.contains(&"1".to_owned()));
        together += u32::from(five.contains(&"1".to_owned()) && five.contains(&"2".to_owned()));
        *counts.entry(five).or_default() += 1;
    }
    assert_eq!(counts.len(), 56);
    let expected = f64::from(n) / 56.0;
    let chi2: f64 = counts.values().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
    // 55 degrees of freedom: 111 is passed once in 100,000 draws.
    assert!(chi2 < 111.0, "{chi2}");
    let is_near = |count: u32, p: f64| {
        let sd = (f64::from(n) * p * (1.0 - p)).sqrt();
        (f64::from(count) - f64::from(n) * p).abs() < 4.0 * sd
    };
    assert!(is_near(first, 5.0 / 8.0) && is_near(together, 5.0 / 8.0 * 4.0 / 7.0), "{first} {together}");
}

#[test]
fn order_of_voters_and_repeats_do_not_matter_and_every_byte_does() {
    let of = |alert: &Alert| order(alert, &key());
    let one = alert("s", &EIGHT);
    let mut turned = one.clone();
    turned.voters.reverse();
    turned.voters.push(turned.voters[0].clone());
    assert_eq!(of(&one), of(&turned));
    let changed = Alert { hash: one.hash.replace(&one.hash[..1], "g"), ..one.clone() };
    assert_ne!(of(&one), of(&changed));
    assert_ne!(of(&one), order(&one, &DayKey::new([8; 32], [9; 32])));
    assert_ne!(of(&alert("s", &EIGHT)), of(&alert("t", &EIGHT)));
}

#[test]
fn who_withdraws_is_replaced_by_the_next_and_few_are_all_named() {
    let whole = order(&alert("s", &EIGHT), &key());
    let gone = whole[2].user.clone();
    let without = named(&whole, |user| user != gone);
    let expected: Vec<&str> = users(&whole).into_iter().filter(|u| *u != gone).take(5).collect();
    assert_eq!(users(&without), expected);
    for n in [0, 1, 4, 5, 8] {
        let some = named(&order(&alert("s", &EIGHT[..n]), &key()), |_| true);
        assert_eq!(some.len(), n.min(5));
    }
    let guests = order(&alert("s", &["?a", "1", "?b", "2", "?c", "?d", "?e", "?f"]), &key());
    assert_eq!(guests.len(), 2, "nobody can name a session");
}

#[test]
fn the_key_was_promised_before() {
    let alert = alert("s", &EIGHT);
    let promised = key().commitment();
    assert_eq!(day(&alert), "2026-11-28");
    assert_eq!(check(&alert, &key(), Some((alert.at_ms - 1, &promised))), Ok(()));
    let late = check(&alert, &key(), Some((alert.at_ms + 1, &promised)));
    assert_eq!(late, Err(DrawError::TooLate("2026-11-28".into())));
    let other = DayKey::new([1; 32], [9; 32]);
    assert!(matches!(check(&alert, &other, Some((0, &promised))), Err(DrawError::OtherKey(_))));
    assert!(matches!(check(&alert, &key(), None), Err(DrawError::NotCommitted(_))));
    assert_eq!(DayKey::parse(&key().to_text()), Ok(key()));
    assert_eq!(DayKey::parse("abc"), Err(DrawError::BadKey));
    assert_eq!(DayKey::parse(&"é".repeat(64)), Err(DrawError::BadKey));
    assert_eq!(format!("{:?}", key()), "DayKey(secret)");
}

#[test]
fn the_team_is_first_only_when_it_was() {
    let alert = alert("s", &EIGHT);
    let first = |after_ms: i64| came_first(&alert, Some(alert.at_ms + after_ms));
    assert_eq!([first(1_000), first(0), first(-1_000)], [true, true, false]);
    assert!(came_first(&alert, None));
}

/// The same draw in another language, from nothing but the specification.
const PYTHON: &str = r"
import hashlib, hmac, sys
for line in sys.stdin:
    subject, digest, *users = line.split()
    message = lambda u: b'\0'.join([b'credit/v1', b'kilonova-seekers', subject.encode(), digest.encode(), u.encode()])
    tag = lambda u: hmac.new(bytes([7]) * 32, message(u), hashlib.sha256).hexdigest()
    print(*sorted(users, key=tag)[:5])
print(hashlib.sha256(bytes([7]) * 32 + bytes([9]) * 32).hexdigest())
";

#[test]
fn python_draws_the_same_five() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let started = Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = started else {
        eprintln!("skipped: python3 is not installed");
        return;
    };
    let (mut input, mut expected) = (String::new(), String::new());
    for subject in 0..10_000 {
        let alert = alert(&subject.to_string(), &EIGHT);
        input.push_str(&format!("{subject} {} {}\n", alert.hash, EIGHT.join(" ")));
        expected.push_str(&users(&named(&order(&alert, &key()), |_| true)).join(" "));
        expected.push('\n');
    }
    expected.push_str(&key().commitment());
    let mut stdin = python.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().expect("ends");
    writer.join().expect("no panic").expect("written");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
}
