#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_space::slice::{Column, Columns, Filter};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Filter>() {
        Ok(filter) => {
            // What is printed is read again, as the same.
            let again: Filter = filter.to_string().parse().expect("the canonical form is read");
            assert_eq!(filter, again);
            let mut table = Columns::default();
            assert!(table.insert("n", Column::Number(vec![0.0, 1.5, f64::NAN])));
            assert!(table.insert("t", Column::text([Some("a"), None, Some("b")].into_iter())));
            assert!(table.insert("b", Column::Boolean(vec![Some(true), Some(false), None])));
            match filter.select(&table) {
                Ok(slice) => assert!(slice.mask.count() + slice.n_unknown <= 3),
                Err(error) => assert!(!error.pointed(text).is_empty()),
            }
        }
        Err(error) => {
            let n_chars = text.chars().count();
            assert!(error.characters().start <= n_chars && error.characters().end <= n_chars);
            assert!(!error.pointed(text).is_empty());
        }
    }
});
