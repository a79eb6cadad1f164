use super::*;
use crate::canon::set_hash;

fn alert() -> Alert {
    Alert {
        number: 1,
        subject: "s1".into(),
        workflow: "w".into(),
        major: "1".into(),
        rule: "alert".into(),
        policy: "abc".into(),
        project: "ks".into(),
        at_ms: 1_795_900_000_000,
        n: 9,
        k: 8,
        p_low: 0.0,
        p_high: 0.0,
        voters: vec![],
        event_set_hash: set_hash([].into_iter()),
        previous: String::new(),
        hash: String::new(),
    }
}

fn team() -> Team {
    Team {
        project: "Kilonova Seekers".into(),
        members: "T. Killestein".into(),
        collaboration: "GOTO".into(),
        reporting_group: 66,
        data_source: 66,
        at_type: 1,
    }
}

fn facts(change: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual = [
        ("ra_deg", "150.25"),
        ("dec_deg", "-2.5"),
        ("discovery_time", "2026-11-28 01:02:03"),
        ("magnitude", "19.2"),
        ("filter", "GOTO-L"),
        ("instrument", "GOTO-S"),
        ("internal_name", "GOTO26abc"),
        ("non_detection_time", "2026-11-26 01:00:00"),
        ("limiting_magnitude", "20.5"),
    ];
    usual.iter().chain(change).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn both_dialects_are_as_written_down() {
    let names = ["Ada".to_owned(), "Smith, J.".to_owned(), "O'Neill (ESO)".to_owned()];
    let sky = report(&alert(), &names, &facts(&[]), &team(), Dialect::SkyPortal).expect("complete");
    assert_eq!(
        sky,
        r#"{
  "at_report": {
    "0": {
      "ra": {
        "value": 150.25
      },
      "dec": {
        "value": -2.5
      },
      "reporting_group_id": 66,
      "discovery_data_source_id": 66,
      "reporter": "Ada, Smith J. and O'Neill ESO (Kilonova Seekers volunteers), T. Killestein, on behalf of GOTO",
      "discovery_datetime": "2026-11-28 01:02:03",
      "at_type": 1,
      "internal_name": "GOTO26abc",
      "remarks": "Volunteers' consensus at 2026-11-28T21:06:40Z: 8 of 9 votes when the rule was met (policy abc).",
      "non_detection": {
        "obsdate": "2026-11-26 01:00:00",
        "limiting_flux": 20.5,
        "flux_units": "1",
        "filter_value": "GOTO-L",
        "instrument_value": "GOTO-S"
      },
      "photometry": {
        "photometry_group": {
          "0": {
            "obsdate": "2026-11-28 01:02:03",
            "flux": 19.2,
            "flux_units": "1",
            "filter_value": "GOTO-L",
            "instrument_value": "GOTO-S"
          }
        }
      }
    }
  }
}
"#
    );
    let tom = report(&alert(), &names, &facts(&[]), &team(), Dialect::TomTns).expect("complete");
    for (usual, theirs) in [
        ("reporting_group_id", "reporting_groupid"),
        ("discovery_data_source_id", "data_source_groupid"),
        ("flux_units", "flux_unitid"),
        ("filter_value", "filterid"),
        ("instrument_value", "instrumentid"),
    ] {
        assert!(!tom.contains(usual) && tom.contains(theirs), "{usual}");
    }
}

#[test]
fn what_is_missing_is_listed() {
    let report = |facts| report(&alert(), &[], &facts, &team(), Dialect::SkyPortal);
    let error = report(facts(&[("magnitude", " "), ("limiting_magnitude", "")])).expect_err("missing");
    assert_eq!(
        error.to_string(),
        "subject s1 lacks magnitude, limiting_magnitude; add these facts to its subject event"
    );
    let archival = [("non_detection_time", ""), ("limiting_magnitude", ""), ("archival_remarks", "DSS")];
    assert!(report(facts(&archival)).expect("complete").contains(r#""archival_remarks": "DSS""#));
    assert!(report(facts(&[("ra_deg", "360")])).expect("complete").contains(r#""value": 0.0"#));
    for (fact, value) in [
        ("ra_deg", "361"),
        ("ra_deg", "12:34:56"),
        ("dec_deg", "90.0001"),
        ("magnitude", "NaN"),
        ("ra_deg", "1e308"),
    ] {
        assert!(matches!(report(facts(&[(fact, value)])), Err(ReportError::Number { .. })), "{value}");
    }
}

#[test]
fn names_stay_one_person_each() {
    let of = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        reporter(&names, &Team { members: String::new(), collaboration: String::new(), ..team() })
    };
    assert_eq!(of(&[]), "Volunteers of Kilonova Seekers");
    assert_eq!(of(&["Ada"]), "Ada (Kilonova Seekers volunteer)");
    assert_eq!(of(&["\"; DROP\nx", "李雷"]), "DROP x and 李雷 (Kilonova Seekers volunteers)");
}

#[test]
fn two_arcseconds_are_one_object() {
    let arcsec = 1.0 / 3600.0;
    assert!(is_one_object((10.0, 0.0), (10.0 + 1.9 * arcsec, 0.0)));
    assert!(!is_one_object((10.0, 0.0), (10.0 + 2.1 * arcsec, 0.0)));
    // Right ascension shrinks towards the pole, and wraps.
    assert!(is_one_object((10.0, 89.0), (10.0 + 60.0 * arcsec, 89.0)));
    assert!(is_one_object((359.999_9, 0.0), (0.000_1, 0.0)));
}
