//! Cells that a spreadsheet would take for a formula, in every CSV that is written and read back.

use crate::support::{Place, Row, export};

/// What a spreadsheet would take for a formula is text in every CSV, and is read back as it was.
#[test]
fn answers_that_look_like_formulas_come_back_as_they_were() {
    let place = Place::new();
    let answers = ["-1", "=x", "+", "@SUM(A1)", "'=y", "\tz", "Yes", "=HYPERLINK(\"http://x\")"];
    let mut rows = Vec::new();
    for (i, answer) in answers.iter().enumerate() {
        for who in 0..4_u64 {
            let id = 10 * i as u64 + who + 1;
            rows.push(Row::answer(id, &format!("Nym_{who}"), &format!("s{i}"), answer));
        }
    }
    place.write("export.csv", export(&rows).replace("\"Test\"", "\"=Test()\""));
    let consensus = |input: &str, output: &str| {
        place.record(&["consensus", input, "-o", output]);
    };
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["extract", "export.csv", "-o", "exact", "--to", "parquet"]);
    consensus("export.csv", "a.csv");
    consensus("extracts", "b.csv");
    consensus("exact", "c.csv");
    assert_eq!(place.read("a.csv"), place.read("b.csv"));
    assert_eq!(place.read("a.csv"), place.read("c.csv"));
    let written: std::collections::BTreeSet<String> =
        place.table("extracts/votes.csv").iter().map(|row| row["answer"].clone()).collect();
    for (answer, cell) in [("-1", "-1"), ("=x", "'=x"), ("+", "'+"), ("'=y", "''=y"), ("Yes", "Yes")] {
        assert!(written.contains(cell), "{answer}: {written:?}");
    }
    // A truth table in the same words, and one that a person typed without an apostrophe, judge alike.
    place.write("truth.csv", "subject_id,answer\ns0,-1\ns1,=x\ns2,'+\ns4,''=y\n");
    let record = place.record(&["consensus", "extracts", "--truth", "truth.csv", "-o", "d.csv"]);
    let text = record["summary"].to_string();
    assert!(text.contains("accuracy"), "{text}");
    // `flatten` is for people, `dedup` writes an export again, and notebooks read the tables of panoptes_aggregation.
    place.record(&["flatten", "export.csv", "-o", "flat.csv"]);
    assert!(place.read("flat.csv").contains("'=x"));
    place.record(&["dedup", "export.csv", "-o", "once.csv"]);
    assert!(place.read("once.csv").contains("'=Test()"));
    consensus("once.csv", "e.csv");
    assert_eq!(place.read("a.csv"), place.read("e.csv"));
    place.record(&["extract", "export.csv", "--format", "panoptes", "-o", "panoptes"]);
    place.record(&["reduce", "panoptes/question_extractor_extractions.csv", "-o", "panoptes"]);
    let names = place.table("panoptes/answer_names_extractions.csv");
    assert!(names.iter().any(|row| row["label"] == "'=x"), "{names:?}");
    // No cell of any CSV is a formula; numbers stay.
    let mut n_files = 0;
    for file in place
        .files()
        .iter()
        .filter(|f| f.ends_with(".csv") && !["export.csv", "truth.csv"].contains(&f.as_str()))
    {
        n_files += 1;
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).from_path(place.path(file)).unwrap();
        for record in reader.records().map(Result::unwrap) {
            for cell in record.iter().filter(|cell| cell.parse::<f64>().is_err()) {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{file}: {cell:?}");
            }
        }
    }
    assert!(n_files > 12, "{n_files}");
}
