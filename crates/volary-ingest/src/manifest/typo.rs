//! Which known name a name was probably meant to be.
//!
//! By the letters to change, add, take away or swap with their neighbour (Damerau 1964,
//! doi:10.1145/363958.363994, each place edited once). One such letter in a short name, two in a long one:
//! more would find words that mean something else.

/// Names shorter than this are words of their own with one letter changed.
const SHORTEST: usize = 5;
/// Names from this length on may have two wrong letters.
const LONG: usize = 8;

/// The nearest of the known names, where one is near enough; `None` where the name is itself known.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let mut best = None;
    for candidate in known {
        let steps = distance(name, candidate);
        if steps == 0 {
            return None;
        }
        let allowed = match candidate.len() {
            ..SHORTEST => 0,
            SHORTEST..LONG => 1,
            _ => 2,
        };
        if steps <= allowed && best.is_none_or(|(least, _)| steps < least) {
            best = Some((steps, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Letters to change, add, take away or swap; long names are compared by their first 64 letters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let change = row[j] + usize::from(a[i] != b[j]);
            let mut least = change.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        for (a, b, steps) in [
            ("training_chance", "training_chances", 1),
            ("feedabck", "feedback", 1),
            ("trianing_sbject", "training_subject", 2),
            ("", "ab", 2),
            ("ca", "abc", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }

    #[test]
    fn near_enough_and_not() {
        let known = ["id", "answer", "tolerance", "toleranceA", "successMessage"];
        assert_eq!(nearest("tolernace", known), Some("tolerance"));
        assert_eq!(nearest("toleranceB", known), Some("tolerance"));
        assert_eq!(nearest("sucessMesage", known), Some("successMessage"));
        assert_eq!(nearest("answers", known), Some("answer"));
        for name in ["id", "ix", "tolerance", "message", "answered_by", ""] {
            assert_eq!(nearest(name, known), None, "{name}");
        }
    }
}
