//! Interned text: each different string is kept once and stands in the columns as a number.
//!
//! Exports repeat themselves (the same 25,000 volunteers, the same five answers a million times), so a
//! column of [`Symbol`]s is a twentieth of the text and compares in one instruction. A symbol means
//! something only beside the [`Pool`] that made it.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A string of a [`Pool`], by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The first symbol of every pool; the smallest in order.
    pub const FIRST: Self = Self(0);

    /// Position in the pool: the first string interned is 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The same as the 32 bits that it is.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Strings, each once, in the order in which they were first seen.
///
/// ```
/// let mut pool = volary_core::Pool::default();
/// let yes = pool.intern("Yes");
/// assert_eq!(pool.intern("Yes"), yes);
/// assert_eq!(pool.text(yes), "Yes");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pool {
    text: String,
    ends: Vec<usize>,
    lookup: HashTable<u32>,
}

// A fixed hash seed: output never depends on it, and runs are repeatable to the instruction.
fn hash(text: &str) -> u64 {
    FixedState::with_seed(0x5eed).hash_one(text.as_bytes())
}

impl Pool {
    /// Returns the symbol of `text`, adding it when it is new.
    ///
    /// # Panics
    /// When more than 2^32 different strings are interned.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hashed = hash(text);
        let found =
            self.lookup.find(hashed, |&i| span(&self.text, &self.ends, i as usize) == text).copied();
        if let Some(index) = found {
            return Symbol(index);
        }
        let index = u32::try_from(self.ends.len()).expect("fewer than 2^32 different strings");
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let (all, ends) = (&self.text, &self.ends);
        self.lookup.insert_unique(hashed, index, |&i| hash(span(all, ends, i as usize)));
        Symbol(index)
    }

    /// The symbol of `text` where it has been interned.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Symbol> {
        self.lookup
            .find(hash(text), |&i| span(&self.text, &self.ends, i as usize) == text)
            .map(|&i| Symbol(i))
    }

    /// The string behind a symbol of this pool.
    #[must_use]
    pub fn text(&self, symbol: Symbol) -> &str {
        span(&self.text, &self.ends, symbol.index())
    }

    /// The string at a position, where there is one.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&str> {
        (index < self.len()).then(|| span(&self.text, &self.ends, index))
    }

    /// How many different strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing was interned yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All strings, in the order of their symbols.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| span(&self.text, &self.ends, i))
    }

    /// Interns every string of `other` here: `result[s.index()]` is the symbol in `self` of `s` in
    /// `other`.
    pub fn absorb(&mut self, other: &Pool) -> Vec<Symbol> {
        other.iter().map(|text| self.intern(text)).collect()
    }

    /// Bytes held, for memory accounting.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 8 + self.lookup.capacity() * 5
    }
}

fn span<'a>(text: &'a str, ends: &[usize], index: usize) -> &'a str {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &text[start..ends[index]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_symbol_gives_back_its_text(words in proptest::collection::vec(".*", 0..60)) {
            let mut pool = Pool::default();
            let symbols: Vec<_> = words.iter().map(|w| pool.intern(w)).collect();
            for (word, symbol) in words.iter().zip(&symbols) {
                prop_assert_eq!(pool.text(*symbol), word);
                prop_assert_eq!(pool.get(word), Some(*symbol));
            }
            let mut unique = words.clone();
            unique.sort();
            unique.dedup();
            prop_assert_eq!(pool.len(), unique.len());
        }
    }

    #[test]
    fn absorbing_translates_symbols() {
        let (mut here, mut there) = (Pool::default(), Pool::default());
        here.intern("a");
        let b = there.intern("b");
        let a = there.intern("a");
        let map = here.absorb(&there);
        assert_eq!(here.text(map[b.index()]), "b");
        assert_eq!(here.text(map[a.index()]), "a");
        assert_eq!(here.len(), 2);
    }
}
