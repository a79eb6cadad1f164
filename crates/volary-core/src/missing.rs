//! How other programs write that a number is missing. Of a column of texts the same words are words.

/// Whether a cell says that there is no number: empty, `NA` (R), `NaN` (pandas, astropy), `null` (SQL), …
#[must_use]
pub fn is_missing(cell: &str) -> bool {
    // `none` and `-` are answers of people, too.
    const WORDS: [&str; 7] = ["", "na", "n/a", "#n/a", "<na>", "nan", "null"];
    let cell = cell.trim();
    WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::is_missing;

    #[test]
    fn words_of_other_programs() {
        assert!(
            ["", " ", "NA", "NaN", "nan", "n/a", "#N/A", "<NA>", "NULL"].map(is_missing) == [true; 9]
        );
        assert!(["0", "inf", "NAN1", "None", "-", "North America"].map(is_missing) == [false; 6]);
    }
}
