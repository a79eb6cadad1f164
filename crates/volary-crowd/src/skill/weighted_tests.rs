use super::*;
use crate::skill::testing::{accuracy, ballots, honest, rows};

#[test]
fn wawa_by_hand() {
    // Plurality: 0, 0, 1 (the first of a tie). Skills: a 1/3·…: a agrees on items 0, 1, 2; b on 0; c on 1, 2.
    let votes = [
        (0, 0, 0),
        (0, 1, 0),
        (0, 2, 1),
        (1, 0, 0),
        (1, 1, 1),
        (1, 2, 0),
        (2, 0, 1),
        (2, 1, 0),
        (2, 2, 1),
    ];
    let found = Weighted::default().fit(&rows(&votes, 2));
    let skill = |w: usize| found.abilities[w].value;
    assert!((skill(0) - 1.0).abs() < 1e-15);
    assert!((skill(1) - 1.0 / 3.0).abs() < 1e-15);
    assert!((skill(2) - 2.0 / 3.0).abs() < 1e-15);
    assert!((found.of_item(0)[0] - (1.0 + 1.0 / 3.0) / 2.0).abs() < 1e-15);
    let n_effective = 4.0 / (1.0 + 1.0 / 9.0 + 4.0 / 9.0);
    assert!((found.n_effective[0] - n_effective).abs() < 1e-12);
}

#[test]
fn a_floor_lets_everyone_count() {
    // Volunteer 3 is always wrong: without a floor the iterated form turns the vote round.
    let votes: Vec<(u32, u32, u32)> = (0..20)
        .flat_map(|i| (0..4).map(move |w| (i, w, if w == 3 { 1 - i % 2 } else { i % 2 })))
        .collect();
    let ballots = rows(&votes, 2);
    let free = Weighted { iterated: true, floor: None, ..Weighted::default() }.fit(&ballots);
    let floored = Weighted { iterated: true, ..Weighted::default() }.fit(&ballots);
    assert_eq!(free.of_item(0), [1.0, 0.0]);
    assert!(floored.of_item(0)[1] > 0.0 && floored.of_item(0)[1] < 0.01);
    assert!(free.converged && floored.converged);
}

#[test]
fn weighing_helps_where_skill_varies() {
    let crowd = honest(3_000, 60, 4, 8);
    let ballots = ballots(&crowd);
    let plain = accuracy(&crate::skill::em::vote_shares(&ballots), &crowd.true_class);
    for iterated in [false, true] {
        let found = Weighted { iterated, ..Weighted::default() }.fit(&ballots);
        assert!(accuracy(&found.posterior, &crowd.true_class) > plain, "iterated {iterated}");
        let intervals = found.intervals(&ballots, 0.95);
        assert!(found.posterior.iter().zip(&intervals).all(|(p, i)| i.contains(*p)));
    }
    assert!(Weighted::default().fit(&Ballots::default()).posterior.is_empty());
    assert_eq!(Weighted::default().fit(&rows(&[(0, 0, 0)], 1)).posterior, [1.0]);
}
