//! What JSON may come in: no deeper than 64, no key twice, no NUL, no number that would lose digits.
//!
//! `serde_json` reads the last of two equal keys and turns a 30-digit id into a rounded float, both without
//! a word; RFC 8259 leaves it open, and two programs that disagree about a document can be played against
//! each other. So a document is walked once, building nothing, before anybody reads it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// Most values and keys in one document.
pub const MAX_NODES: usize = 100_000;
/// A float beyond this has no digits behind the point; an integer written so long has lost some.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Walks a document, or several of them one behind the other (NDJSON).
///
/// # Errors
/// A sentence that says what is wrong and where.
pub fn check(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("byte {} is not UTF-8; send UTF-8", error.valid_up_to()))?;
    let mut nodes = 0;
    let mut documents = 0;
    // Several documents in a row are a stream to the deserialiser: it ends where one ends.
    let mut deserializer = serde_json::Deserializer::from_str(text);
    loop {
        let mut rest = Peek(&mut deserializer);
        if rest.is_done() {
            break;
        }
        let walk = Walk { depth: 0, nodes: &mut nodes };
        walk.deserialize(&mut deserializer).map_err(|error| error.to_string())?;
        documents += 1;
    }
    if documents == 0 { Err("the body is empty; send JSON".to_owned()) } else { Ok(()) }
}

/// Whether only blanks are left.
struct Peek<'a, 'de>(&'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>);

impl Peek<'_, '_> {
    fn is_done(&mut self) -> bool {
        self.0.end().is_ok()
    }
}

struct Walk<'a> {
    depth: usize,
    nodes: &'a mut usize,
}

impl Walk<'_> {
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.nodes += 1;
        if *self.nodes > MAX_NODES {
            return Err(E::custom(format!(
                "more than {MAX_NODES} values in one body; send it in parts"
            )));
        }
        Ok(())
    }

    fn deeper<E: serde::de::Error>(&mut self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH}; flatten it")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

fn text<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\u{0}') { Err(E::custom("a text holds NUL; remove it")) } else { Ok(()) }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(mut self, _: bool) -> Result<(), E> {
        self.count()
    }

    fn visit_i64<E: serde::de::Error>(mut self, _: i64) -> Result<(), E> {
        self.count()
    }

    fn visit_u64<E: serde::de::Error>(mut self, _: u64) -> Result<(), E> {
        self.count()
    }

    fn visit_f64<E: serde::de::Error>(mut self, number: f64) -> Result<(), E> {
        if number.abs() > MAX_EXACT {
            return Err(E::custom("a number is too large to keep its digits; send it as text"));
        }
        self.count()
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.count()
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<(), E> {
        text(value)?;
        self.count()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.count()?;
        let depth = self.deeper()?;
        while items.next_element_seed(Walk { depth, nodes: self.nodes })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.count()?;
        let depth = self.deeper()?;
        let mut keys = Keys::default();
        while let Some(key) = entries.next_key::<String>()? {
            text(&key)?;
            self.count()?;
            if let Err(key) = keys.insert(key) {
                let key: String = key.chars().take(40).collect();
                return Err(A::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            entries.next_value_seed(Walk { depth, nodes: self.nodes })?;
        }
        Ok(())
    }
}

/// Keys of one object: looked through while they are few, hashed (with the standard library's keyed hash,
/// which nobody outside can make collide) when they are many.
#[derive(Default)]
struct Keys {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Keys {
    /// Gives a key back that is there already.
    fn insert(&mut self, key: String) -> Result<(), String> {
        if self.many.is_empty() {
            if self.few.contains(&key) {
                return Err(key);
            }
            self.few.push(key);
            if self.few.len() == 16 {
                self.many.extend(self.few.drain(..));
            }
            return Ok(());
        }
        if self.many.contains(&key) {
            return Err(key);
        }
        self.many.insert(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(body: &str, why: &str) {
        let error = check(body.as_bytes()).expect_err(body.get(..80).unwrap_or(body));
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn what_programs_disagree_about_is_refused() {
        refused(r#"{"id":"1","id":"2"}"#, "twice");
        refused(r#"[{"a":{"b":1,"\u0062":2}}]"#, "twice");
        let many: Vec<String> = (0..50).chain([7]).map(|n| format!(r#""k{n}":0"#)).collect();
        refused(&format!("{{{}}}", many.join(",")), "twice");
        refused(r#"{"id":"a\u0000b"}"#, "NUL");
        refused(r#"{"a\u0000b":1}"#, "NUL");
        refused(r#"{"id":123456789012345678901234567890}"#, "text");
        refused("[1e400]", "");
        refused("[NaN]", "");
        refused("[1,]", "");
        refused("{\"a\":1}}", "");
        refused("", "empty");
        refused(" \n ", "empty");
        assert!(check(b"\xc0\xaf").expect_err("not UTF-8").contains("UTF-8"));
        assert!(check(b"\xef\xbb\xbf{}").is_err(), "a byte order mark");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
        refused(&nested(MAX_DEPTH + 1), "deeper");
        refused(&"[".repeat(1_000_000), "deeper");
        let wide = |n: usize| format!("[{}]", vec!["0"; n].join(","));
        assert_eq!(check(wide(MAX_NODES - 1).as_bytes()), Ok(()));
        refused(&wide(MAX_NODES), "parts");
    }

    #[test]
    fn lines_are_several_documents() {
        assert_eq!(check(b"{\"a\":1}\n{\"a\":2}\r\n\n"), Ok(()));
        assert!(check(b"{\"a\":1}\n{\"a\":2,\"a\":3}").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_well_formed_and_shallow_passes(keys in proptest::collection::btree_set("[a-z]{1,4}", 0..40), n: i64) {
            let object: serde_json::Map<String, serde_json::Value> =
                keys.into_iter().map(|key| (key, n.into())).collect();
            prop_assert_eq!(check(serde_json::Value::Object(object).to_string().as_bytes()), Ok(()));
        }

        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }
    }
}
