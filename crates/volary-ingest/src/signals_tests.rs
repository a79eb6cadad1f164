use super::*;

fn read(text: &str) -> (SignalTable, ReadReport) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let (table, report) = read_signals(file.path(), &Progress::default()).unwrap();
    assert!(report.adds_up());
    (table, report)
}

#[test]
fn signals_with_every_kind_of_trouble() {
    let (table, report) = read(
        "syntheticid,signalid,synxmin,synxmax,prad,note\n\
         1413.0,a,1,2,1.5,x\n1413,b,4,3,,y\n7,c,5,5,1,\n7,d,nan,6,1,\n7,e,1,inf,1,\n,f,1,2,1,\n1413,a,1,2,9,\n",
    );
    assert_eq!(table.id, ["a", "b", "a"]);
    assert_eq!(table.simulation, ["1413"; 3]);
    assert_eq!((table.x_min_days[1], table.x_max_days[1]), (3.0, 4.0));
    assert_eq!(report.left_out["a signal of no length"], 1);
    assert_eq!(report.left_out["bound is not a number"], 2);
    assert_eq!(report.left_out["no simulation and no subject"], 1);
    assert_eq!(report.problems.count(ProblemKind::DuplicateRow), 1);
    assert_eq!(table.columns.len(), 1, "a column of words is none of numbers");
    assert_eq!(table.columns[0].name, "prad");
    assert!(table.columns[0].values[1].is_nan() && table.columns[0].values[2] == 9.0);
}

#[test]
fn the_released_table_and_a_truth_table() {
    let (table, _) = read(
        "kepid fits period prad transitid syntheticid synxmin synxmax\n\
         757076 /data/x.fits 5.13 1.9 1413_0 1413 962.5683607 962.6283721\n",
    );
    assert_eq!((table.id[0].as_str(), table.simulation[0].as_str()), ("1413_0", "1413"));
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["kepid", "period", "prad"]);
    let (table, _) = read(
        "subject_id,kepler_id,xmin,xmax,period,snr,kind\ns1,5,1,2,40,9.5,koi\ns1,5,3,4,40,9.5,koi\n",
    );
    assert_eq!(
        (table.id.as_slice(), table.subject.as_slice()),
        (&["1".to_owned(), "2".to_owned()][..], &["s1".to_owned(), "s1".to_owned()][..])
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "xmin,xmax\n1,2\n").unwrap();
    let error = read_signals(file.path(), &Progress::default()).unwrap_err().to_string();
    assert!(error.contains("syntheticid or subject_id"), "{error}");
}

#[test]
fn the_golden_tables_are_read_whole() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/planet_hunters/golden/input");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let (table, report) = read_signals(&folder.join("syntheticdata.csv"), &Progress::default()).unwrap();
    assert_eq!((table.len(), report.problems.total()), (77, 0));
    let simulations: BTreeSet<&str> = table.simulation.iter().map(String::as_str).collect();
    assert_eq!(simulations.len(), 32);
    let (table, report) = read_signals(&folder.join("truth.csv"), &Progress::default()).unwrap();
    assert_eq!((table.len(), report.problems.total()), (29, 0));
}
