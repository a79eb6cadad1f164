//! Histories to test with: votes by few people on few subjects, and what else may happen.

use proptest::prelude::*;
use volary_live::{Actor, Event, Key, Kind};

/// A vote of user `user`; users from 100 on are sessions.
pub(crate) fn vote(id: u64, at_ms: i64, subject: &str, user: u64, answer: &str) -> Event {
    let labels = if answer.is_empty() { vec![] } else { vec![answer.to_owned()] };
    let actor = if user < 100 {
        Actor::User(user.to_string())
    } else {
        Actor::of_session(Some(&user.to_string()))
    };
    let kind = Kind::Vote {
        workflow: "w".into(),
        version: "3.7".into(),
        subject: subject.into(),
        actor,
        answers: [("T0".to_owned(), labels)].into(),
    };
    event(id, at_ms, kind)
}

pub(crate) fn event(id: u64, at_ms: i64, kind: Kind) -> Event {
    Event { key: Key { source: "own".into(), id: id.to_string() }, at_ms, kind }
}

pub(crate) fn retract(id: u64, at_ms: i64, of: u64) -> Event {
    event(id, at_ms, Kind::Retract { of: of.to_string() })
}

pub(crate) fn correct(id: u64, at_ms: i64, of: u64, answer: &str) -> Event {
    let answers = [("T0".to_owned(), vec![answer.to_owned()])].into();
    event(id, at_ms, Kind::Correct { of: of.to_string(), answers })
}

pub(crate) fn subject(id: u64, at_ms: i64, subject: &str, validation: bool) -> Event {
    // Of the validation subjects, every second is bogus.
    let answer = if id.is_multiple_of(2) { "real" } else { "bogus" };
    let truth =
        [("T0".to_owned(), vec![answer.to_owned()])].into_iter().filter(|_| validation).collect();
    let facts = [("score".to_owned(), format!("0.{}", id % 10))].into();
    let kind = Kind::Subject { subject: subject.into(), validation, facts, truth };
    event(id, at_ms, kind)
}

/// An event and when it is received.
pub(crate) type Heard = (Event, i64);

/// Up to 60 events: mostly votes, times that collide and run ahead, retractions and corrections of votes
/// that may not exist, subjects that may be validation subjects.
pub(crate) fn history() -> impl Strategy<Value = Vec<Heard>> {
    let one = (0..100_u8, 0..40_i64, 0..3_u8, 0..24_u64, 0..10_u8, 0..60_u64, -3..3_i64);
    proptest::collection::vec(one, 0..60).prop_map(|drawn| {
        let mut events = Vec::new();
        for (id, (what, at_ms, on, user, answer, of, late)) in (0..).zip(drawn) {
            let on = format!("s{on}");
            let user = if user < 20 { user } else { user + 100 };
            let answer =
                ["real", "real", "real", "real", "real", "real", "real", "bogus", "not sure", ""]
                    [usize::from(answer)];
            let made = match what {
                0..80 => vote(id, at_ms, &on, user, answer),
                80..88 => retract(id, at_ms, of),
                88..94 => correct(id, at_ms, of, answer),
                94..97 => subject(id, at_ms, &on, user < 2),
                _ => event(id, at_ms, Kind::OptOut { user: user.to_string(), out: answer == "real" }),
            };
            events.push((made, at_ms + late));
        }
        events
    })
}
