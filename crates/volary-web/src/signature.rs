//! Signatures of webhooks, in and out: HMAC-SHA-256 over the raw bytes with a time and a number used once.
//!
//! `Volary-Signature: t=1764367200,n=5f1c…,v1=9ab3…` where `v1` is the HMAC of `t`, a full stop, `n`, a full
//! stop and the body as it was sent. A receiver refuses what is older than five minutes and what it has
//! seen. The form is that of the webhooks people know from payment services.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header.
pub const HEADER: &str = "volary-signature";
/// How far a sender's clock may be off, and how long a number is remembered.
pub const WINDOW_S: i64 = 300;
/// Most numbers remembered; beyond that new requests are refused rather than old ones forgotten.
const MAX_NONCES: usize = 200_000;
/// A longer number used once is refused.
const MAX_NONCE_BYTES: usize = 64;

/// A secret that does not print.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Of a text, without the blanks around it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().as_bytes().to_vec())
    }

    fn mac(&self, t: i64, nonce: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{t}.{nonce}.").as_bytes());
        mac.update(body);
        mac
    }

    /// The header's value for a body sent at `t` (seconds since 1970, UTC).
    #[must_use]
    pub fn sign(&self, t: i64, nonce: &str, body: &[u8]) -> String {
        let v1 = HEXLOWER.encode(&self.mac(t, nonce, body).finalize().into_bytes());
        format!("t={t},n={nonce},v1={v1}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not of the form.
    #[error("the signature is not of the form t=SECONDS,n=NONCE,v1=HEX")]
    Malformed,
    /// Too old, or from the future, or from before this server started.
    #[error(
        "the signature's time is off by more than {WINDOW_S} seconds, or from before the server started; sign again"
    )]
    Stale,
    /// The HMAC differs.
    #[error("the signature does not belong to this body; sign the bytes as they are sent")]
    Wrong,
    /// Seen before.
    #[error("this request was received before; sign again with another nonce")]
    Replayed,
    /// Too many at once.
    #[error("too many signed requests within {WINDOW_S} seconds; send them in batches")]
    TooMany,
}

/// Checks signatures, and remembers what was used.
#[derive(Debug)]
pub struct Verifier {
    secret: Secret,
    /// Older requests may have been seen by the process before this one.
    started_s: i64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    nonces: HashSet<String>,
    by_time: BTreeMap<i64, Vec<String>>,
}

impl Verifier {
    /// Of a server started at `started_s` (seconds since 1970, UTC).
    #[must_use]
    pub fn new(secret: Secret, started_s: i64) -> Self {
        Self { secret, started_s, used: Mutex::default() }
    }

    /// Whether this is a first, fresh and authentic request.
    ///
    /// # Errors
    /// [`SignatureError`] says why not.
    pub fn verify(&self, header: &str, body: &[u8], now_s: i64) -> Result<(), SignatureError> {
        let (mut t, mut nonce, mut v1) = (None, None, None);
        for part in header.split(',') {
            match part.trim().split_once('=').ok_or(SignatureError::Malformed)? {
                ("t", value) => t = value.parse::<i64>().ok(),
                ("n", value) => nonce = Some(value),
                ("v1", value) => v1 = HEXLOWER.decode(value.as_bytes()).ok(),
                // Later versions may add parts.
                _ => {}
            }
        }
        let (Some(t), Some(nonce), Some(v1)) = (t, nonce, v1) else {
            return Err(SignatureError::Malformed);
        };
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
            return Err(SignatureError::Malformed);
        }
        // First whether it is authentic, in constant time; only then is anything said or remembered of it.
        self.secret.mac(t, nonce, body).verify_slice(&v1).map_err(|_| SignatureError::Wrong)?;
        if t.abs_diff(now_s) > WINDOW_S.unsigned_abs() || t < self.started_s {
            return Err(SignatureError::Stale);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget_before(now_s - WINDOW_S);
        if used.nonces.contains(nonce) {
            return Err(SignatureError::Replayed);
        }
        if used.nonces.len() >= MAX_NONCES {
            return Err(SignatureError::TooMany);
        }
        used.nonces.insert(nonce.to_owned());
        used.by_time.entry(t).or_default().push(nonce.to_owned());
        Ok(())
    }
}

impl Used {
    fn forget_before(&mut self, t: i64) {
        while let Some(oldest) = self.by_time.first_entry().filter(|entry| *entry.key() < t) {
            for nonce in oldest.remove() {
                self.nonces.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn verifier() -> Verifier {
        Verifier::new(Secret::new("correct horse\n"), NOW - 10_000)
    }

    #[test]
    fn the_signature_is_that_of_python() {
        // hmac.new(b"correct horse", b"1800000000.n1.{}", "sha256").hexdigest()
        let expected =
            "t=1800000000,n=n1,v1=19693806ee8ce5831f239cdf7fb1cc3c7654c1072819dd3afdfc6a3aee447244";
        let signed = Secret::new("correct horse").sign(NOW, "n1", b"{}");
        assert_eq!(signed, expected);
    }

    #[test]
    fn only_fresh_authentic_first_requests_pass() {
        let secret = Secret::new("correct horse");
        let check = |header: &str, body: &[u8], now| verifier().verify(header, body, now);
        let good = secret.sign(NOW, "n1", b"{\"a\":1}");
        assert_eq!(check(&good, b"{\"a\":1}", NOW), Ok(()));
        assert_eq!(check(&good, b"{\"a\": 1}", NOW), Err(SignatureError::Wrong), "re-serialised");
        assert_eq!(check(&good[..good.len() - 2], b"{\"a\":1}", NOW), Err(SignatureError::Wrong));
        assert_eq!(check(&good[..good.len() - 1], b"{\"a\":1}", NOW), Err(SignatureError::Malformed));
        assert_eq!(check(&good.replace("n1", "n2"), b"{\"a\":1}", NOW), Err(SignatureError::Wrong));
        assert_eq!(check(&good.replace("t=18", "t=19"), b"{\"a\":1}", NOW), Err(SignatureError::Wrong));
        let other = Secret::new("other").sign(NOW, "n1", b"{\"a\":1}");
        assert_eq!(check(&other, b"{\"a\":1}", NOW), Err(SignatureError::Wrong));
        for now in [NOW + 301, NOW - 301, i64::MAX, i64::MIN] {
            assert_eq!(check(&good, b"{\"a\":1}", now), Err(SignatureError::Stale), "{now}");
        }
        let early = secret.sign(NOW - 10_001, "n1", b"{}");
        assert_eq!(check(&early, b"{}", NOW - 9_990), Err(SignatureError::Stale), "before the start");
        for header in ["", "t=1", "v1=00", "t=x,n=1,v1=00", "n=,t=1,v1=00", "garbage"] {
            assert_eq!(check(header, b"{}", NOW), Err(SignatureError::Malformed), "{header}");
        }
    }

    #[test]
    fn a_request_passes_once_and_is_forgotten_when_it_is_stale() {
        let (secret, verifier) = (Secret::new("correct horse"), verifier());
        let header = secret.sign(NOW, "n1", b"{}");
        assert_eq!(verifier.verify(&header, b"{}", NOW), Ok(()));
        for now in NOW..=NOW + WINDOW_S {
            assert_eq!(verifier.verify(&header, b"{}", now), Err(SignatureError::Replayed));
        }
        let later = secret.sign(NOW + 400, "n2", b"{}");
        assert_eq!(verifier.verify(&later, b"{}", NOW + 400), Ok(()));
        let used = verifier.used.lock().unwrap();
        assert_eq!((used.nonces.len(), used.by_time.len()), (1, 1));
    }

    #[test]
    fn a_secret_does_not_print() {
        assert!(!format!("{:?}", verifier()).contains("horse"));
    }
}
