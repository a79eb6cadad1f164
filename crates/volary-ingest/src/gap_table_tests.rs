use super::*;

fn read(gaps: &str, cadences: Option<&str>) -> (CurveTable, Vec<ReadReport>) {
    let folder = tempfile::tempdir().unwrap();
    let (g, c) = (folder.path().join("gaps.csv"), folder.path().join("cadences.csv"));
    std::fs::write(&g, gaps).unwrap();
    std::fs::write(&c, cadences.unwrap_or_default()).unwrap();
    let (table, reports) = read_gaps(&g, cadences.map(|_| c.as_path()), &Progress::default()).unwrap();
    assert!(reports.iter().all(ReadReport::adds_up));
    (table, reports)
}

#[test]
fn runs_of_indices_with_every_kind_of_trouble() {
    let (table, reports) = read(
        "kepler_id,quarter,first_nan_index,last_nan_index,gap_start,gap_end\n\
         007,1,3,4,,\n7,1,9,8,,\n7,1,5,6,,\n7,1,18,40,,\n7,1,50,60,,\n7,1,-1,2,,\n8,1,1,2,,\n7,9,1,2,,\n",
        Some(
            "kepler_id,quarter,t_first,dt,n_cadences\n7,1,100,0.5,20\n9,1,nan,0.5,20\n9,2,1,0,20\n9,3,1,1,0\n",
        ),
    );
    assert_eq!(table.star, ["7"]);
    let missing = vec![(3, 6), (8, 9), (18, 19)];
    assert_eq!(table.stamps, [Stamps::Regular { first_days: 100.0, step_days: 0.5, n: 20, missing }]);
    assert_eq!((reports[0].rows_used, reports[1].rows_used), (1, 4));
    assert_eq!(reports[0].left_out["not a light curve"], 2);
    assert_eq!(reports[1].left_out["no such light curve"], 2);
    assert_eq!(reports[1].left_out["gap beyond the end"], 1);
    assert_eq!(reports[1].left_out["not a number"], 1);
    assert_eq!(reports[1].problems.count(ProblemKind::OddValue), 3, "one reversed, two too long");
    let problem = reports[1].problems.examples().find(|p| p.row == 6).unwrap();
    assert_eq!(problem.column, "first_nan_index");
}

#[test]
fn spans_by_star_or_subject() {
    let (table, reports) = read(
        "kepler_id,gap_start,gap_end\n0012,1,2\n12,1.5,3\n12,9,8\n,1,2\n12,nan,2\n12,1,inf\n",
        None,
    );
    assert_eq!(table.star, ["12"]);
    assert_eq!(reports[0].left_out["not a number"], 2);
    let Stamps::Spans { missing_days, .. } = &table.stamps[0] else { panic!("spans") };
    assert_eq!(missing_days, &[(1.0, 3.0), (8.0, 9.0)]);
    let (table, _) = read("subject_id\tstart\tend\nabc\t1\t2\n", None);
    assert_eq!((table.subject[0].as_str(), table.star[0].as_str()), ("abc", ""));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.csv");
    std::fs::write(&path, "kepler_id,first_nan_index,last_nan_index\n1,2,3\n").unwrap();
    let error = read_gaps(&path, None, &Progress::default()).unwrap_err().to_string();
    assert!(error.contains("need the table of cadences"), "{error}");
}

/// The golden case: every cadence and every gap, with the days that stand beside the indices.
#[test]
fn the_golden_tables_agree_with_themselves() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/planet_hunters/golden/input");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let (gaps, cadences) = (folder.join("gaps.csv"), folder.join("cadences.csv"));
    let (table, reports) = read_gaps(&gaps, Some(&cadences), &Progress::default()).unwrap();
    assert!(reports.iter().all(|r| r.problems.total() == 0 && r.left_out.is_empty()));
    let (spans, _) = read_gaps(&gaps, None, &Progress::default()).unwrap();
    for (star, stamps) in table.star.iter().zip(&table.stamps) {
        let Stamps::Regular { first_days, step_days, missing, .. } = stamps else { panic!("regular") };
        let at = spans.star.iter().position(|s| s == star).unwrap();
        let Stamps::Spans { missing_days, .. } = &spans.stamps[at] else { panic!("spans") };
        for &(a, b) in missing {
            let (from, to) =
                (first_days + f64::from(a) * step_days, first_days + f64::from(b) * step_days);
            assert!(
                missing_days.iter().any(|m| m.0 <= from + 1e-9 && to <= m.1 + 1e-9),
                "{star} {from}..{to}"
            );
        }
    }
}
