//! A Planet Hunters that never was: stars, transits, and volunteers who mark them.
//!
//! The shape follows the paper's own numbers ([`SimulationParams::paper`]): 1,252,539 classifications in
//! 1,856,573 rows by 31,781 volunteers on 111,876 subjects of 3,262 M dwarfs, 15,233 of them simulations.
//! What is in the sky: [`super::simulate_sky`]; who looks at what: [`super::simulate_people`]; what they
//! mark: [`super::simulate_views`]. The volunteers' habits are assumptions, tuned to what is published (the
//! share of views without marks, rows per view, the range of widths that the page allowed), so that methods
//! can be compared and intervals checked; absolute numbers do not transfer to the real project.
//!
//! Volunteers do not learn, tire or copy each other. One seed gives one world, on any number of threads.

use volary_core::marks::{Marks, MarksBuilder, SignalTable, Stamps};

use super::simulate_people::{People, deal};
use super::simulate_sky::Sky;
use super::simulate_views::{Views, mark};
use crate::error::CrowdError;

/// What world to simulate; [`simulate`] checks it.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulationParams {
    /// Classifications in all.
    pub n_classifications: u32,
    /// Volunteers; each makes at least one classification.
    pub n_volunteers: u32,
    /// Rows of the table, exactly where that can be reached by leaving out or adding stray marks; `None`
    /// leaves it to chance (about 1.48 a classification).
    pub n_rows: Option<u32>,
    /// Subjects (30-day segments of light curves), simulations among them.
    pub n_subjects: u32,
    /// Subjects with injected transits.
    pub n_simulations: u32,
    /// Stars.
    pub n_stars: u32,
    /// Share of the stars with a real transiting planet.
    pub planet_share: f64,
    /// Share of the volunteers who are shown simulations.
    pub shown_simulations: f64,
    /// Spread of the volunteers' activity: standard deviation of its logarithm.
    pub activity_sigma: f64,
    /// Signal to noise at which the usual volunteer finds half of the signals that they would find if they
    /// were deep.
    pub median_snr: f64,
    /// Spread of that among volunteers: standard deviation of its logarithm. 0 makes all alike.
    pub skill_sigma: f64,
    /// Mean number of stray marks in a view, apart from those that something in the light curve invites.
    pub stray_marks: f64,
    /// Seed.
    pub seed: u64,
}

impl SimulationParams {
    /// The paper's own size.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            n_classifications: 1_252_539,
            n_volunteers: 31_781,
            n_rows: Some(1_856_573),
            n_subjects: 111_876,
            n_simulations: 15_233,
            n_stars: 3_262,
            planet_share: 0.034,
            shown_simulations: 0.46,
            activity_sigma: 1.8,
            median_snr: 3.5,
            skill_sigma: 0.35,
            stray_marks: 0.66,
            seed: 0,
        }
    }

    /// The same at another size: 1 is the paper's, 0.01 a hundredth of it.
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        let paper = Self::paper();
        let part = |n: u32, least: f64| (f64::from(n) * scale).round().clamp(least, 4e9) as u32;
        let n_volunteers = part(paper.n_volunteers, 15.0);
        let n_subjects = part(paper.n_subjects, 4.0);
        Self {
            n_classifications: part(paper.n_classifications, f64::from(n_volunteers.max(n_subjects))),
            n_volunteers,
            n_rows: paper.n_rows.map(|n| part(n, 1.0)),
            n_subjects,
            n_simulations: part(paper.n_simulations, 1.0),
            n_stars: part(paper.n_stars, 3.0),
            // A small sky still needs some real planets to be found.
            planet_share: if scale < 0.1 { 0.1 } else { paper.planet_share },
            ..paper
        }
    }

    fn check(&self) -> Result<(), CrowdError> {
        let must = |ok: bool, name, value: f64, must| {
            if ok { Ok(()) } else { Err(CrowdError::Simulation { name, value, must }) }
        };
        let (views, people) = (f64::from(self.n_classifications), f64::from(self.n_volunteers));
        let subjects = f64::from(self.n_subjects);
        must(people >= 2.0, "n_volunteers", people, "at least 2")?;
        must(views >= people, "n_classifications", views, "at least one for each volunteer")?;
        must(subjects >= 1.0, "n_subjects", subjects, "at least 1")?;
        must(views >= subjects, "n_classifications", views, "at least one for each subject")?;
        let fits = views <= subjects * people;
        must(fits, "n_classifications", views, "at most one for each volunteer and subject")?;
        let simulations = f64::from(self.n_simulations);
        must(simulations <= subjects, "n_simulations", simulations, "at most n_subjects")?;
        let segments = f64::from(self.n_stars) * f64::from(super::simulate_sky::SEGMENTS_PER_STAR);
        let real = subjects - simulations;
        must(
            segments >= real.max(1.0),
            "n_stars",
            f64::from(self.n_stars),
            "enough: a star has 51 segments",
        )?;
        for (name, share) in
            [("planet_share", self.planet_share), ("shown_simulations", self.shown_simulations)]
        {
            must((0.0..=1.0).contains(&share), name, share, "between 0 and 1")?;
        }
        let positive = |x: f64, most: f64| (0.0..=most).contains(&x);
        must(
            positive(self.activity_sigma, 5.0),
            "activity_sigma",
            self.activity_sigma,
            "between 0 and 5",
        )?;
        must(positive(self.skill_sigma, 3.0), "skill_sigma", self.skill_sigma, "between 0 and 3")?;
        must(positive(self.stray_marks, 20.0), "stray_marks", self.stray_marks, "between 0 and 20")?;
        let snr = self.median_snr;
        must(snr > 0.0 && snr.is_finite(), "median_snr", snr, "a positive number")
    }
}

/// A simulated world: sky, people, and what they marked.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedWorld {
    /// Stars, subjects and signals.
    pub sky: Sky,
    /// Volunteers, with their true skill.
    pub people: People,
    /// Views and marks, in the order of time.
    pub views: Views,
}

/// Simulates a world.
///
/// # Errors
/// [`CrowdError::Simulation`] for a parameter out of its range.
pub fn simulate(params: &SimulationParams) -> Result<SimulatedWorld, CrowdError> {
    params.check()?;
    let sky = Sky::new(params);
    let people = People::new(params);
    let deck = deal(params, &people, &sky);
    let views = mark(params, &sky, &people, &deck);
    Ok(SimulatedWorld { sky, people, views })
}

impl SimulatedWorld {
    /// The views and marks as the pipeline reads them, with the names of the files: what writing
    /// `classifications.csv` and reading it back gives, except that volunteers have their plain names and
    /// not the keys of them.
    #[must_use]
    pub fn to_marks(&self) -> Marks {
        let mut builder = MarksBuilder::default();
        let subjects = &self.sky.subjects;
        let at: Vec<u32> = subjects.iter().map(|s| builder.subject(&s.id)).collect();
        for (subject, &index) in subjects.iter().zip(&at) {
            let star = self.sky.stars[subject.star as usize].kepler_id.to_string();
            builder.light_curve(index, &star, self.sky.start_days(subject));
            if let Some(simulation) = subject.simulation {
                builder.simulated(index, &simulation.to_string());
            }
        }
        let people: Vec<u32> = self.people.rows.iter().map(|p| builder.volunteer(&p.name)).collect();
        for view in 0..self.views.len() {
            let (subject, volunteer) =
                (self.views.subject[view] as usize, self.views.volunteer[view] as usize);
            let created = self.views.created_ms[view];
            let index =
                builder.view_by_index(at[subject], people[volunteer], Some(created), view as u128);
            for mark in self.views.marks_of(view) {
                builder.mark(index, self.views.x_min_days[mark], self.views.x_max_days[mark]);
            }
        }
        builder.finish()
    }

    /// The injected signals (`simulated`) or the real transits, as a reader gives them.
    #[must_use]
    pub fn signal_table(&self, simulated: bool) -> SignalTable {
        self.sky.signal_table(simulated)
    }

    /// The stamps of a subject's light curve (the whole quarter).
    #[must_use]
    pub fn stamps_of(&self, subject: usize) -> Stamps {
        let subject = &self.sky.subjects[subject];
        self.sky.stamps(subject.star, subject.quarter)
    }
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
