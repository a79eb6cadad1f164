//! Five of the eight, by a keyed draw that anybody with the day's key can repeat.
//!
//! Each voter's tag is HMAC-SHA-256 under the day's key over the alert's hash and the user id; the five
//! lowest tags are named. The key's SHA-256 is in the log before the day's first alert, so the operator
//! cannot choose it after seeing the voters, and voters do not know it when they vote. The whole order is a
//! reserve list: who withdraws is replaced by the next, without a new draw. No random numbers are used,
//! so order, repeats and crashes change nothing, and another language gives the same five.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::alert::Alert;
use crate::event::Actor;

/// How many are named.
pub const N_NAMED: usize = 5;
/// Bytes of a day's key and of its nonce.
pub const KEY_BYTES: usize = 32;

/// The secret of a day. It prints nothing, so that no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct DayKey {
    key: [u8; KEY_BYTES],
    nonce: [u8; KEY_BYTES],
}

impl std::fmt::Debug for DayKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DayKey(secret)")
    }
}

/// Why a draw cannot be made or does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrawError {
    /// The key file is not two keys.
    #[error("a key file holds {expected} hexadecimal digits and this one does not; make one with `volary credit --new-key`", expected = KEY_BYTES * 4)]
    BadKey,
    /// Nobody was told of the key.
    #[error("no commitment for {0} is in the log; commit a key before the day begins, and draw with it")]
    NotCommitted(String),
    /// Another key was promised.
    #[error("this is not the key that was committed for {0}; find the key file of that day")]
    OtherKey(String),
    /// It could have been chosen to fit.
    #[error(
        "the commitment for {0} came after the alert, so that the draw proves nothing; credit all eight"
    )]
    TooLate(String),
}

impl DayKey {
    /// From 64 random bytes: the key, then its nonce.
    #[must_use]
    pub fn new(key: [u8; KEY_BYTES], nonce: [u8; KEY_BYTES]) -> Self {
        Self { key, nonce }
    }

    /// From the text of a key file.
    ///
    /// # Errors
    /// [`DrawError::BadKey`].
    pub fn parse(text: &str) -> Result<Self, DrawError> {
        let digits = text.trim().as_bytes();
        if digits.len() != KEY_BYTES * 4 {
            return Err(DrawError::BadKey);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut bytes = [0; KEY_BYTES * 2];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let (high, low) = (value(pair[0]), value(pair[1]));
            *byte = high.zip(low).map(|(h, l)| h * 16 + l).ok_or(DrawError::BadKey)?;
        }
        let mut made = Self { key: [0; KEY_BYTES], nonce: [0; KEY_BYTES] };
        made.key.copy_from_slice(&bytes[..KEY_BYTES]);
        made.nonce.copy_from_slice(&bytes[KEY_BYTES..]);
        Ok(made)
    }

    /// The text of a key file.
    #[must_use]
    pub fn to_text(&self) -> String {
        hex(&[self.key, self.nonce].concat())
    }

    /// What is published before the day begins: SHA-256 of key and nonce.
    #[must_use]
    pub fn commitment(&self) -> String {
        hex(&Sha256::digest([self.key, self.nonce].concat()))
    }

    fn tag(&self, alert: &Alert, user: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        // Ids hold no control characters, so that NUL keeps the parts apart.
        for part in ["credit/v1", &alert.project, &alert.subject, &alert.hash] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(user.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A voter with the tag by which the draw goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// User id.
    pub user: String,
    /// The tag; each volunteer may be shown their own and the last one that was named.
    pub tag: String,
}

/// The voters of an alert in the order of the draw. Anonymous ones cannot be named, and are not in it.
#[must_use]
pub fn order(alert: &Alert, key: &DayKey) -> Vec<Drawn> {
    let mut users: Vec<&String> = alert
        .voters
        .iter()
        .filter_map(|voter| match &voter.actor {
            Actor::User(user) => Some(user),
            Actor::Anonymous(_) => None,
        })
        .collect();
    users.sort();
    users.dedup();
    let mut drawn: Vec<Drawn> =
        users.into_iter().map(|user| Drawn { user: user.clone(), tag: key.tag(alert, user) }).collect();
    drawn.sort_by(|a, b| a.tag.cmp(&b.tag).then_with(|| a.user.cmp(&b.user)));
    drawn
}

/// The five to name: the first in the order who may be named.
#[must_use]
pub fn named(order: &[Drawn], may_be_named: impl Fn(&str) -> bool) -> Vec<Drawn> {
    order.iter().filter(|drawn| may_be_named(&drawn.user)).take(N_NAMED).cloned().collect()
}

/// The day of an alert, whose key draws for it: `2026-11-28`, UTC.
#[must_use]
pub fn day(alert: &Alert) -> String {
    jiff::Timestamp::from_millisecond(alert.at_ms)
        .map(|time| time.to_string()[..10].to_owned())
        .unwrap_or_default()
}

/// Checks that `key` is the one that was promised for the alert's day, before the alert.
///
/// `commitment`: when it was heard, and what it says.
///
/// # Errors
/// [`DrawError`] says what is wrong.
pub fn check(alert: &Alert, key: &DayKey, commitment: Option<(i64, &str)>) -> Result<(), DrawError> {
    let day = day(alert);
    let Some((heard_ms, promised)) = commitment else { return Err(DrawError::NotCommitted(day)) };
    if promised != key.commitment() {
        return Err(DrawError::OtherKey(day));
    }
    if heard_ms > alert.at_ms { Err(DrawError::TooLate(day)) } else { Ok(()) }
}

/// Whether the volunteers came first: no report by the team before the alert, on our clock. A tie is
/// theirs.
#[must_use]
pub fn came_first(alert: &Alert, team_report_ms: Option<i64>) -> bool {
    team_report_ms.is_none_or(|report_ms| alert.at_ms <= report_ms)
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
