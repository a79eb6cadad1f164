use super::*;
use proptest::prelude::*;

fn hardware() -> Hardware {
    Hardware {
        processor: "Test".to_owned(),
        n_threads: 8,
        system: "linux x86_64".to_owned(),
        graphics: None,
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn an_hour_of_one_thread_by_the_stated_power() {
    let power = PowerModel {
        watts_per_thread: 10.0,
        pue: 1.5,
        grid_g_per_kwh: Some(200.0),
        grid_source: Some("a table of 2026".to_owned()),
    };
    power.check().unwrap();
    let spent = Spent { wall_s: 1800.0, cpu_s: Some(3600.0), ..Spent::default() };
    let cost = Cost::of(&spent, &hardware(), &power);
    // 10 W for an hour are 10 Wh; × 0.3, 0.6, 1; × 1.5.
    let energy = cost.energy_wh;
    assert!(close(energy.low, 4.5) && close(energy.mid, 9.0) && close(energy.high, 15.0), "{energy:?}");
    let grams = cost.emissions_g.unwrap();
    assert!(close(grams.low, 0.9) && close(grams.mid, 1.8) && close(grams.high, 3.0), "{grams:?}");
    assert_eq!(cost.method, Method::CpuTime);
    assert!(cost.how.contains("3600.0 s of processor time × 10.00 W"), "{}", cost.how);
    let idle = Cost::of(&Spent { wall_s: 1e4, cpu_s: Some(0.0), ..spent }, &hardware(), &power);
    assert_eq!(idle.energy_wh, Span::default());
}

#[test]
fn counted_joules_are_shared_with_whoever_else_worked() {
    let power = PowerModel::default();
    // 100 s on 8 threads: 200 of 800 possible seconds, of 400 that were worked.
    let spent = Spent {
        wall_s: 100.0,
        cpu_s: Some(200.0),
        joules: Some(36_000.0),
        busy_s: Some(400.0),
        ..Spent::default()
    };
    let cost = Cost::of(&spent, &hardware(), &power);
    assert_eq!(cost.method, Method::Rapl);
    let energy = cost.energy_wh;
    assert!(close(energy.low, 2.5) && close(energy.mid, 5.0) && close(energy.high, 10.0), "{energy:?}");
    assert_eq!(cost.emissions_g, None, "no grid, no emissions");
    let card = Hardware { graphics: Some("gpu".to_owned()), ..hardware() };
    let cost = Cost::of(&spent, &card, &power);
    assert!(cost.not_counted.contains(&"graphics card (gpu)".to_owned()));
    assert_eq!((cost.graphics_method, cost.energy_wh), (None, energy));
    // One that counts: 7200 J are 2 Wh, all of it or nothing.
    let counted = Spent { graphics_joules: Some(7200.0), ..spent };
    let cost = Cost::of(&counted, &card, &power);
    let with = cost.energy_wh;
    assert!(close(with.low, 2.5) && close(with.mid, 7.0) && close(with.high, 12.0), "{with:?}");
    assert!(
        cost.graphics_method == Some(Method::Nvml)
            && cost.how.contains("7200 J counted by the graphics")
    );
    assert!(!cost.not_counted.iter().any(|what| what.contains("graphics")));
    // A card that was not used is not this run's.
    assert_eq!(Cost::of(&counted, &hardware(), &power).energy_wh, energy);
}

#[test]
fn counters_that_run_over_and_parts_that_count_twice() {
    let folder = tempfile::tempdir().unwrap();
    let zone = |id: &str, name: &str, uj: &str| {
        let path = folder.path().join(id);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("name"), format!("{name}\n")).unwrap();
        std::fs::write(path.join("energy_uj"), uj).unwrap();
        std::fs::write(path.join("max_energy_range_uj"), "10000000\n").unwrap();
    };
    assert!(Rapl::open(folder.path()).is_none());
    assert!(Rapl::open(&folder.path().join("none")).is_none());
    zone("intel-rapl:0", "package-0", "9000000\n");
    zone("intel-rapl:0:0", "core", "5000000\n");
    zone("intel-rapl:0:1", "dram", "0\n");
    zone("intel-rapl:1", "package-1", "0\n");
    zone("intel-rapl:2", "psys", "1\n");
    zone("intel-rapl:3", "package-2", "odd");
    let mut rapl = Rapl::open(folder.path()).unwrap();
    assert_eq!(rapl.joules(), Some(0.0));
    // 2 J on the first package, over its end; 1 on the second; half a joule of memory.
    zone("intel-rapl:0", "package-0", "1000000");
    zone("intel-rapl:0:0", "core", "6000000");
    zone("intel-rapl:0:1", "dram", "500000");
    zone("intel-rapl:1", "package-1", "1000000");
    assert_eq!(rapl.joules(), Some(3.5));
    assert_eq!(rapl.joules(), Some(3.5), "nothing more, since nothing more was used");
    std::fs::write(folder.path().join("intel-rapl:1/energy_uj"), "gone").unwrap();
    assert_eq!(rapl.joules(), None);
}

#[test]
fn the_busy_time_of_a_machine() {
    let stat = "cpu  100 20 30 4000 50 6 7 80 90 10\ncpu0 1 1 1 1\n";
    assert_eq!(busy_seconds(stat), Some(1.63));
    for odd in ["", "cpu", "cpu x", "cpu0 1 2 3 4 5 6 7", "cpu  1 2 3"] {
        assert_eq!(busy_seconds(odd), None, "{odd:?}");
    }
    assert_eq!(processor_name("x: y\nmodel name\t: AMD EPYC\n"), "AMD EPYC");
    assert_eq!(processor_name("odd"), "unknown");
}

#[test]
fn a_ledger_goes_round_and_its_sum_is_the_sum() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(COST_FILE);
    assert_eq!(Ledger::read(&path).unwrap(), Ledger::default());
    let power = PowerModel {
        grid_g_per_kwh: Some(100.0),
        grid_source: Some("x".to_owned()),
        ..PowerModel::default()
    };
    let cost = |s: f64, power: &PowerModel| {
        Cost::of(&Spent { wall_s: s, cpu_s: Some(2.0 * s), ..Spent::default() }, &hardware(), power)
    };
    let ledger = Ledger::default().with(&cost(10.0, &power)).with(&cost(20.0, &power));
    ledger.write(&path).unwrap();
    assert_eq!(Ledger::read(&path).unwrap(), ledger);
    let total = ledger.total();
    assert_eq!((total.n_runs, total.wall_s, total.cpu_s), (2, 30.0, 60.0));
    let whole = cost(30.0, &power);
    assert!(close(total.energy_wh.mid, whole.energy_wh.mid));
    assert!(close(total.emissions_g.unwrap().high, whole.emissions_g.unwrap().high));
    // A sum of what is known and what is not is not known.
    let without = ledger.with(&cost(1.0, &PowerModel::default()));
    assert_eq!(without.total().emissions_g, None);
    assert_eq!(Ledger::default().total().emissions_g, None);
    std::fs::write(&path, "{").unwrap();
    assert!(Ledger::read(&path).unwrap_err().to_string().contains("not a list of costs"));
}

#[test]
fn a_budget_is_spent_by_all_runs_together() {
    let total = Total {
        wall_s: 3600.0,
        cpu_s: 7200.0,
        energy_wh: Span { low: 1.0, mid: 2.0, high: 3.0 },
        ..Total::default()
    };
    assert_eq!(Budget::default().spent(&total), None);
    let cases = [
        (Budget { hours: Some(1.0), ..Budget::default() }, true),
        (Budget { hours: Some(1.1), ..Budget::default() }, false),
        (Budget { cpu_hours: Some(2.0), ..Budget::default() }, true),
        (Budget { energy_kwh: Some(0.002), ..Budget::default() }, true),
        (Budget { energy_kwh: Some(0.0025), hours: Some(2.0), ..Budget::default() }, false),
    ];
    for (budget, is_spent) in cases {
        budget.check().unwrap();
        assert_eq!(budget.spent(&total).is_some(), is_spent, "{budget:?}");
    }
    for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Budget { cpu_hours: Some(odd), ..Budget::default() }.check().is_err(), "{odd}");
    }
}

#[test]
fn a_power_that_cannot_be_is_refused() {
    let with = |change: fn(&mut PowerModel)| {
        let mut power = PowerModel::default();
        change(&mut power);
        power.check().map_err(|e| e.to_string())
    };
    assert!(with(|_| ()).is_ok());
    for change in [
        (|p| p.watts_per_thread = 0.0) as fn(&mut PowerModel),
        |p| p.watts_per_thread = f64::NAN,
        |p| p.pue = 0.9,
        |p| p.grid_g_per_kwh = Some(100.0),
        |p| p.grid_source = Some("x".to_owned()),
        |p| {
            p.grid_g_per_kwh = Some(100.0);
            p.grid_source = Some("  ".to_owned());
        },
    ] {
        assert!(with(change).unwrap_err().contains("volary.toml"));
    }
}

proptest! {
    #[test]
    fn the_three_numbers_are_in_order_whatever_was_measured(
        wall_s in 0.0..1e6_f64,
        cpu_s in proptest::option::of(0.0..1e7_f64),
        joules in proptest::option::of(0.0..1e9_f64),
        busy_s in proptest::option::of(0.0..1e7_f64),
        n_threads in 1_usize..300,
    ) {
        let spent = Spent { wall_s, cpu_s, joules, busy_s, ..Spent::default() };
        let cost = Cost::of(&spent, &Hardware { n_threads, ..hardware() }, &PowerModel::default());
        let Span { low, mid, high } = cost.energy_wh;
        prop_assert!(0.0 <= low && low <= mid && mid <= high && high.is_finite(), "{:?}", cost);
        if let Some(joules) = joules {
            prop_assert!(high <= joules / 3600.0 * 1.000001 + 1e-12);
        }
    }
}

#[test]
fn numbers_of_a_budget_have_digits_however_small_they_are() {
    for (x, shown) in [
        (0.0, "0"),
        (1.25e-6, "0.00000125"),
        (1.8e-7, "0.00000018"),
        (0.123_456, "0.1235"),
        (0.9999, "0.9999"),
        (12.0, "12"),
        (12.345_6, "12.35"),
        (123_456.7, "123457"),
    ] {
        assert_eq!(to_digits(x), shown);
    }
    let budget = Budget { energy_kwh: Some(8e-7), ..Budget::default() };
    let of = |wh: f64| Total { energy_wh: Span { low: wh, mid: wh, high: wh }, ..Total::default() };
    let why = budget.would_pass(&of(4.5e-4), &of(4e-4)).unwrap();
    assert!(why.contains("0.00000045 are used") && why.contains("may take 0.0000004"), "{why}");
    let why = budget.spent(&of(1.25e-3)).unwrap();
    assert!(why.contains("energy_kwh = 0.0000008") && why.contains("0.00000125 are used"), "{why}");
}

#[test]
fn what_would_pass_the_budget_is_said_before_it_does() {
    let budget = Budget { energy_kwh: Some(1.0), ..Budget::default() };
    let total = |kwh: f64| {
        let wh = 1000.0 * kwh;
        Total { energy_wh: Span { low: wh, mid: wh, high: wh }, ..Total::default() }
    };
    assert_eq!(budget.would_pass(&total(0.5), &total(0.4)), None);
    assert_eq!(budget.would_pass(&total(0.5), &total(0.5)), None);
    let why = budget.would_pass(&total(0.7), &total(0.4)).unwrap();
    assert!(why.starts_with("the budget would be passed: energy_kwh = 1 in volary.toml"), "{why}");
    // Of the first candidate nothing is known: it is begun, unless all is spent.
    assert_eq!(budget.would_pass(&total(0.99), &Total::default()), None);
    assert!(budget.would_pass(&total(1.0), &Total::default()).is_some());
    assert_eq!(Budget::default().would_pass(&total(9.0), &total(9.0)), None);
}
