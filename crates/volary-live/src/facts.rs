//! What is known of a subject, as text by name: which names mean something, and what they may say.
//!
//! Most facts are only carried along. A score decides what is shown, coordinates go into reports, an image is
//! served; these are checked at the door, and a subject with one that cannot be is refused whole: a score that
//! is no number must not pass for a low one.

use std::collections::BTreeMap;

/// Scores of models, `score:NAME`; `score` alone is a manifest's own.
pub const SCORE: &str = "score";

/// A fact that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}; {hint}")]
pub struct FactError {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: String,
    /// What it should say.
    pub hint: &'static str,
}

/// Whether a fact is a score.
#[must_use]
pub fn is_score(name: &str) -> bool {
    name.strip_prefix(SCORE).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The place of an image among a subject's images: `image` is the first, `image_2` the second.
fn image_number(name: &str) -> Option<u32> {
    match name.strip_prefix("image")? {
        "" => Some(1),
        rest => rest.trim_start_matches('_').parse().ok().filter(|n| (1..=99).contains(n)),
    }
}

/// Whether a fact is the name of an image file, or a link to one.
#[must_use]
pub fn is_image(name: &str) -> bool {
    image_number(name).is_some()
}

/// A subject's images in order.
#[must_use]
pub fn images(facts: &BTreeMap<String, String>) -> Vec<&str> {
    let mut found: Vec<(u32, &str)> = facts
        .iter()
        .filter_map(|(name, value)| Some((image_number(name)?, value.trim())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, value)| value).collect()
}

/// Brings facts into the form in which they are kept: a right ascension of 360° is one of 0°.
pub fn normalise(facts: &mut BTreeMap<String, String>) {
    for name in ["ra_deg", "ra"] {
        if let Some(value) = facts.get_mut(name)
            && value.trim().parse::<f64>() == Ok(360.0)
        {
            "0".clone_into(value);
        }
    }
}

/// Checks the facts that mean something.
///
/// # Errors
/// [`FactError`] names the first that cannot be.
pub fn check(facts: &BTreeMap<String, String>) -> Result<(), FactError> {
    for (name, value) in facts {
        let (is_fine, hint): (fn(f64) -> bool, _) = match name.as_str() {
            name if is_score(name) => (
                |score| (0.0..=1.0).contains(&score) && score.is_sign_positive(),
                "a score is a number from 0 to 1, written with a point; other numbers of a machine go under another name",
            ),
            "ra_deg" | "ra" => (
                |ra| (0.0..=360.0).contains(&ra),
                "write degrees from 0 to 360; a right ascension in hours goes under another name, ra_hms say",
            ),
            "dec_deg" | "dec" => (
                |dec| (-90.0..=90.0).contains(&dec),
                "write degrees from -90 to 90; a declination in minutes goes under another name, dec_dms say",
            ),
            _ => continue,
        };
        if !value.trim().parse::<f64>().is_ok_and(is_fine) {
            let shown = value.chars().take(40).collect();
            return Err(FactError { name: name.clone(), value: shown, hint });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, value: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn m5_a_score_that_is_none_is_refused_and_not_taken_for_bogus() {
        for value in ["NaN", "inf", "-inf", "0,7", "-0.0", "-0.1", "1.0000001", "1.2", "", " ", "high"] {
            for name in ["score", "score:real_bogus"] {
                assert!(check(&facts(name, value)).is_err(), "{name} {value}");
            }
            assert_eq!(check(&facts("score_board", value)), Ok(()), "another name");
        }
        for value in ["0", "0.7", "1", "1e-30", " 0.5 "] {
            assert_eq!(check(&facts("score", value)), Ok(()), "{value}");
        }
    }

    #[test]
    fn m6_coordinates_are_degrees_on_the_sky() {
        for (name, value) in [
            ("ra_deg", "-1"),
            ("ra_deg", "360.0001"),
            ("ra", "1e308"),
            ("ra", "12:34:56"),
            ("ra_deg", "NaN"),
            ("dec_deg", "90.0001"),
            ("dec", "-91"),
            ("dec", "inf"),
        ] {
            assert!(check(&facts(name, value)).is_err(), "{name} {value}");
        }
        for (name, value) in [("ra_deg", "0"), ("ra", "359.999"), ("dec_deg", "-90"), ("dec", "90")] {
            assert_eq!(check(&facts(name, value)), Ok(()), "{name} {value}");
        }
        let mut all_round = facts("ra_deg", "360.0");
        assert_eq!(check(&all_round), Ok(()));
        normalise(&mut all_round);
        assert_eq!(all_round["ra_deg"], "0");
    }

    #[test]
    fn images_are_in_their_order() {
        let given =
            [("image_10", "j"), ("image", "a"), ("image2", "b"), ("images", "x"), ("image_3", " ")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(images(&given), ["a", "b", "j"]);
        assert!(!is_image("image_0") && !is_image("image_100") && !is_image("image_name"));
    }
}
