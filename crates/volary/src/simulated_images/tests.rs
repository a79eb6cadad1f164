use super::*;

fn params() -> ImageParams {
    ImageParams {
        scene: Scene::Jupiter,
        n_subjects: 400,
        size_px: 24,
        two_features: 0.2,
        lookalikes: 0.2,
        faint: 0.1,
        copies: 0.1,
        n_volunteers: 100,
        votes_per_subject: 20,
        seed: 3,
    }
}

#[test]
fn what_is_planted_is_there() {
    let all = subjects(&params());
    let share = |test: &dyn Fn(&SimulatedSubject) -> bool| {
        all.iter().filter(|s| test(s)).count() as f64 / all.len() as f64
    };
    // Four standard deviations of a share of 0.2 in 400 are 0.08.
    assert!((share(&|s| s.kind.ends_with("like_vortex")) - 0.2).abs() < 0.08);
    assert!((share(&|s| s.kind.starts_with("vortex_and")) - 0.2).abs() < 0.08);
    assert!((share(&|s| s.kind == "faint_vortex") - 0.1).abs() < 0.06);
    assert!((share(&SimulatedSubject::is_confusing) - 0.3).abs() < 0.1);
    let copies = all.windows(2).filter(|w| w[0].group == w[1].group).count();
    assert!((20..70).contains(&copies), "{copies}");
}

#[test]
fn volunteers_tick_what_was_planted() {
    let params = params();
    let all = subjects(&params);
    let votes = votes(&params, &all);
    let (mut seen, mut expected, mut ticked) = (0.0, 0.0, 0.0);
    for vote in votes.iter().filter(|v| all[v.subject as usize].kind.ends_with("like_vortex")) {
        seen += 1.0;
        expected += all[vote.subject as usize].p_tick[0];
        ticked += f64::from(vote.ticked[0]);
    }
    // Readiness has mean 0 on the logit, so it hardly moves a mean near a half.
    assert!((ticked - expected).abs() / seen < 0.05, "{ticked} of {expected} in {seen}");
    let mut pairs: Vec<(u32, u32)> = votes.iter().map(|v| (v.subject, v.volunteer)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), votes.len(), "nobody sees a subject twice");
    assert_eq!(votes, super::votes(&params, &all));
}

#[test]
fn pictures_depend_on_the_seed_and_on_nothing_else() {
    for scene in [Scene::Jupiter, Scene::Galaxies] {
        let params = ImageParams { scene, n_subjects: 12, ..params() };
        let pictures = |params: &ImageParams| -> Vec<Vec<u8>> {
            subjects(params).iter().map(|s| s.picture(params.size_px)).collect()
        };
        let first = pictures(&params);
        assert!(first.iter().all(|p| p.len() == 24 * 24 * 3));
        assert_eq!(first, pictures(&params));
        let more = pictures(&ImageParams { n_subjects: 20, ..params });
        assert_eq!(first, more[..12], "more subjects do not change the first");
        assert_ne!(first, pictures(&ImageParams { seed: 4, ..params }));
        // Pictures differ, and none is of one colour.
        let distinct: std::collections::BTreeSet<&Vec<u8>> = first.iter().collect();
        assert_eq!(distinct.len(), 12);
        let spread = |p: &Vec<u8>| p.iter().max().unwrap() - p.iter().min().unwrap();
        assert!(first.iter().all(|p| spread(p) > 20));
    }
}
