//! `volary simulate images`: an image project with known truth, written as the files that a project has.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::json;
use volary_ingest::IngestError;
use volary_ingest::images::png_bytes;
use volary_ingest::output::{AtomicFile, write_whole};
use volary_ingest::time::format_ms;

use crate::session::{Session, run_json_for};
use crate::simulated_images::{ImageParams, Scene, SimulatedSubject, Vote, subjects, votes};

/// Pictures drawn from a known truth, and volunteers who tick what they see.
///
/// Writes `images/` (PNG), `subjects.csv` (subject_id, file, group, place), `votes.csv` (how many ticked each
/// class), `classifications.csv` (the same votes as an export) and `truth.csv` (what is really there, and how many
/// were meant to tick it). The confusion is planted: subjects with two features, lookalikes, faint ones.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary simulate images -o jupiter
  volary simulate images -o large --subjects 20000 --size 384 --lookalikes 0.2
  volary simulate images -o sky --scene galaxies --two-features 0.05")]
pub(crate) struct Args {
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// What the pictures are of.
    #[arg(long, value_enum, default_value = "jupiter")]
    scene: Scene,
    /// Subjects.
    #[arg(long, default_value_t = 2000)]
    subjects: u32,
    /// Width and height of a picture, px.
    #[arg(long, default_value_t = 96, value_name = "PX")]
    size: u32,
    /// Share of subjects with two features; of odd galaxies.
    #[arg(long, default_value_t = 0.15, value_name = "SHARE")]
    two_features: f64,
    /// Share of subjects that half take for a vortex and that have none (Jupiter).
    #[arg(long, default_value_t = 0.15, value_name = "SHARE")]
    lookalikes: f64,
    /// Share of subjects with a vortex that half do not see (Jupiter).
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    faint: f64,
    /// Share of subjects that show the place of the one before, a little moved: one group.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    copies: f64,
    /// Volunteers.
    #[arg(long, default_value_t = 300)]
    volunteers: u32,
    /// Votes per subject, give or take a fifth.
    #[arg(long, default_value_t = 12)]
    per_subject: u32,
}

impl Args {
    fn params(&self, seed: u64) -> Result<ImageParams> {
        let shares = [self.two_features, self.lookalikes, self.faint];
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        if !shares.iter().chain([&self.copies]).all(is_share) || shares.iter().sum::<f64>() > 1.0 {
            bail!(
                "shares are between 0 and 1, and --two-features, --lookalikes and --faint together at most 1"
            );
        }
        if !(8..=2048).contains(&self.size) {
            bail!("--size is between 8 and 2048 px");
        }
        if self.subjects == 0 || self.per_subject == 0 || self.volunteers == 0 {
            bail!("--subjects, --per-subject and --volunteers are at least 1");
        }
        Ok(ImageParams {
            scene: self.scene,
            n_subjects: self.subjects,
            size_px: self.size,
            two_features: self.two_features,
            lookalikes: self.lookalikes,
            faint: self.faint,
            copies: self.copies,
            n_volunteers: self.volunteers,
            votes_per_subject: self.per_subject,
            seed,
        })
    }
}

/// Id of the first subject.
const FIRST: u32 = 80_000_001;

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let params = args.params(session.global.seed)?;
    let subjects = subjects(&params);
    let votes = votes(&params, &subjects);
    let path = |name: &str| args.output.join(name);
    write_pictures(&path("images"), &params, &subjects, &session)?;
    write_manifest(&path("subjects.csv"), &subjects)?;
    write_votes(&path("votes.csv"), params.scene, &subjects, &votes)?;
    write_export(&path("classifications.csv"), params.scene, &votes)?;
    write_truth(&path("truth.csv"), params.scene, &subjects)?;
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    subjects.iter().for_each(|s| *kinds.entry(s.kind).or_default() += 1);
    let summary = &mut session.summary;
    summary.count("n_subjects", "subjects", subjects.len() as u64);
    for (kind, n) in kinds {
        summary.count(&format!("n_{kind}"), &format!("  {}", kind.replace('_', " ")), n);
    }
    if params.scene == Scene::Jupiter {
        let n = subjects.iter().filter(|s| s.is_confusing()).count();
        summary.count("n_confusing", "half see a vortex", n as u64);
    }
    summary.count("n_classifications", "classifications", votes.len() as u64);
    summary.note(&format!("written to {}", args.output.display()));
    session.finish(Some(&run_json_for(&args.output)))
}

fn write_pictures(
    folder: &Path,
    params: &ImageParams,
    subjects: &[SimulatedSubject],
    session: &Session,
) -> Result<()> {
    let is_watched = !session.global.json && std::io::stderr().is_terminal();
    let n = subjects.len() as u64;
    let bar = if is_watched { ProgressBar::new(n) } else { ProgressBar::hidden() };
    (FIRST..).zip(subjects).collect::<Vec<_>>().into_par_iter().try_for_each(|(id, subject)| {
        if session.progress.is_stopped() {
            return Err(anyhow::Error::from(IngestError::Stopped));
        }
        let size = params.size_px;
        let png = png_bytes(size as usize, size as usize, &subject.picture(size))?;
        write_whole(&folder.join(format!("{id}.png")), &png)?;
        bar.inc(1);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

fn write_manifest(path: &Path, subjects: &[SimulatedSubject]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "subject_id,file,group,latitude_deg,perijove")?;
    for (id, subject) in (FIRST..).zip(subjects) {
        // Where a place is follows from its number, so that copies agree.
        let hash = u64::from(subject.group).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let latitude = (hash % 1400) as f64 / 10.0 - 70.0;
        writeln!(file, "{id},images/{id}.png,{},{latitude:.1},{}", subject.group, 13 + hash % 24)?;
    }
    file.commit()?;
    Ok(())
}

fn write_votes(path: &Path, scene: Scene, subjects: &[SimulatedSubject], votes: &[Vote]) -> Result<()> {
    let mut counts = vec![[0_u32; 4]; subjects.len()];
    for vote in votes {
        let count = &mut counts[vote.subject as usize];
        count[0] += 1;
        count[1..].iter_mut().zip(vote.ticked).for_each(|(n, ticked)| *n += u32::from(ticked));
    }
    let mut file = AtomicFile::create(path)?;
    writeln!(file, "subject_id,file,n_votes,{}", scene.classes().join(","))?;
    for (id, [n, a, b, c]) in (FIRST..).zip(counts) {
        writeln!(file, "{id},images/{id}.png,{n},{a},{b},{c}")?;
    }
    file.commit()?;
    Ok(())
}

fn write_truth(path: &Path, scene: Scene, subjects: &[SimulatedSubject]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let names = scene.classes();
    let chances = names.map(|name| format!("p_{name}"));
    writeln!(file, "subject_id,kind,group,{},{}", names.join(","), chances.join(","))?;
    for (id, subject) in (FIRST..).zip(subjects) {
        write!(file, "{id},{},{}", subject.kind, subject.group)?;
        for value in subject.truth.iter().chain(&subject.p_tick) {
            write!(file, ",{value:.4}")?;
        }
        writeln!(file)?;
    }
    file.commit()?;
    Ok(())
}

/// Where simulated time starts: 2024-06-01T00:00:00Z.
const START_MS: i64 = 1_717_200_000_000;

/// The votes as the platform exports them: one question of several answers.
fn write_export(path: &Path, scene: Scene, votes: &[Vote]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(
        file,
        "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,created_at,\
         gold_standard,expert,metadata,annotations,subject_data,subject_ids"
    )?;
    let quoted = |value: &serde_json::Value| format!("\"{}\"", value.to_string().replace('"', "\"\""));
    for (i, vote) in (0_u32..).zip(votes) {
        let created_ms = START_MS + 2000 * i64::from(i);
        let id = FIRST + vote.subject;
        let ticked: Vec<&str> = scene
            .classes()
            .into_iter()
            .zip(vote.ticked)
            .filter(|(_, t)| *t)
            .map(|(name, _)| name)
            .collect();
        let annotations = json!([{"task": "T0", "task_label": "What do you see?", "value": ticked}]);
        let metadata = json!({
            "source": "api", "started_at": format_ms(created_ms - 9000), "finished_at": format_ms(created_ms),
            "live_project": true,
        });
        let data = json!({id.to_string(): {"retired": null, "file": format!("{id}.png")}});
        let created = format_ms(created_ms).replace('T', " ").replace('Z', " UTC");
        let (name, user_id) = (vote.volunteer, 1_600_000 + vote.volunteer);
        writeln!(
            file,
            "{},simulated_{name:04},{user_id},0123456789abcdef,201,What do you see?,3.1,{created},,,{},{},{},{id}",
            500_000_000 + i,
            quoted(&metadata),
            quoted(&annotations),
            quoted(&data),
        )?;
    }
    file.commit()?;
    Ok(())
}
