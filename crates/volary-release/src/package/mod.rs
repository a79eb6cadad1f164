//! The package: one folder with data, metadata in the formats that machines read, a README for people,
//! checksums, and what is known about its biases and its privacy.
//!
//! ```text
//! README.md LICENSE CITATION.cff SHA256SUMS
//! datapackage.json croissant.json ro-crate-metadata.json datacite.json prov.json
//! known_biases.json privacy_report.json policy.json
//! models/*/{card.md,config.json,metrics.json,cost.json,lineage.json,weights.safetensors}
//! data/{counts,consensus,shapes,gold,skill,votes,volunteers,histograms}.{parquet,csv,vot}
//! ```
//!
//! Same inputs, same key, same bytes: rows are sorted, and the day of the release is a setting. It is built
//! beside its place and renamed when whole, attacked and found to hold.

mod derived;
mod inputs;
mod manifest;
mod metadata;
mod models;
mod noise;
mod on_gold;
mod protect;
mod readme;
mod rows;
mod utility;
mod vocabulary;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use serde_json::{Value, json};
use volary_ingest::Progress;
use volary_ingest::output::write_whole;
use volary_ingest::tables::for_each_batch;

pub use inputs::Inputs;
pub(crate) use manifest::{digest, media_type};
pub(crate) use metadata::KINDS;
pub(crate) use models::{MODEL_FILES, N_NEEDED, check as check_card, words as model_words};
pub(crate) use readme::attacks as told_attacks;
pub(crate) use vocabulary::vocabulary;

use self::manifest::{FileEntry, Manifest, TableEntry, json_bytes};
use self::noise::Budgeted;
use self::on_gold::{Beside, Known};
use self::protect::Protection;
use self::rows::Desk;
use crate::attack::{self, Knowledge, Outcome, Sighting, Truth, Version, View};
use crate::bias::Registry;
use crate::error::ReleaseError;
use crate::key::ReleaseKey;
use crate::names::NameSet;
use crate::optout::OptOuts;
use crate::policy::Policy;
use crate::pseudonym::{Linking, Pseudonyms};
use crate::settings::{Privacy, Settings};
use crate::tables::Written;
use crate::tier::Tier;
use crate::votes::{NO_ANSWER, Vote, Votes};

/// The file of checksums.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The file that says which tables there are (Frictionless).
pub(crate) const DESCRIPTION: &str = "datapackage.json";

/// Tables, and how many rows each has.
type TableRows = Vec<(&'static str, u64)>;

/// What was built, for the team; some of it is not in the package.
#[derive(Clone, Debug)]
pub struct Built {
    /// Table and number of rows.
    pub tables: TableRows,
    /// Rows of votes that did not leave, by reason.
    pub left_out: Vec<(&'static str, u64)>,
    /// People of the opt-out list who had voted. Not in the package: it would help to find them.
    pub n_opted_out: u64,
    /// The attacks.
    pub attacks: Vec<Outcome>,
    /// `privacy_report.json`.
    pub privacy: Value,
    /// What is not in the package because its input was not given.
    pub missing: Vec<&'static str>,
    /// What the team should know before it publishes this.
    pub warnings: Vec<String>,
    /// Bytes.
    pub n_bytes: u64,
}

/// Builds a package at `target`, a folder that is not there yet.
///
/// # Errors
/// [`ReleaseError::Refused`] where the inputs do not go together or an attack finds more people than the
/// settings allow; nothing is left at `target` then. Else as the readers and writers say.
pub fn build(
    settings: &Settings,
    inputs: &Inputs,
    key: &ReleaseKey,
    target: &Path,
    progress: &Progress,
) -> Result<Built, ReleaseError> {
    if target.exists() {
        let what = "there is something already; choose another folder, or remove it";
        return Err(ReleaseError::package(target, what));
    }
    let biases_path = inputs.biases.as_ref().ok_or_else(|| {
        let what = "a release carries its known biases: name a biases.toml (an empty one says that none are known)";
        ReleaseError::Refused(what.to_owned())
    })?;
    let biases = Registry::read(biases_path)?;
    let optouts = inputs.optouts.as_deref().map(OptOuts::read).transpose()?.unwrap_or_default();
    derived::made_without(inputs, &optouts)?;
    let policy = inputs.policy.as_deref().map(Policy::read).transpose()?;
    policy.as_ref().map_or(Ok(()), |policy| policy.rules(settings))?;
    if settings.tier >= Tier::C && !votes_are_attacked(settings, inputs) {
        return Err(ReleaseError::Refused(format!(
            "tier {:?} leaves with the report of its attacks only: give --names, and --talk or --credits (or say `nobody_is_public = true` under [privacy] where nobody is credited and nobody comments)",
            settings.tier
        )));
    }
    let pseudonyms = pseudonyms(settings, key)?;
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(ReleaseError::writing(parent))?;
    let folder = tempfile::Builder::new()
        .prefix(".volary-")
        .suffix(".part")
        .tempdir_in(parent)
        .map_err(ReleaseError::writing(parent))?;

    let mut votes = match (&inputs.votes, &inputs.shapes) {
        (Some(path), _) => Votes::read(path, &optouts, &pseudonyms, progress)?,
        (None, Some(_)) => Votes::default(),
        (None, None) => {
            let what = "nothing to release: give a table of votes, or of shapes";
            return Err(ReleaseError::Refused(what.to_owned()));
        }
    };
    if inputs.shapes.is_some() {
        nobody_out_drew(inputs.shapes_members.as_deref(), &optouts, progress)?;
    }
    let people =
        inputs::people(inputs.volunteers.as_deref(), inputs.people.as_deref(), &votes, progress)?;
    let public = inputs.public_subjects.as_deref().map(|p| inputs::subjects(p, progress)).transpose()?;
    // Before anything is taken out: what is rare depends on what others did.
    let noisy = Budgeted::plan(settings, inputs.noise_ledger.as_deref(), &votes, key)?;
    let all_counts = votes.counts();
    let n_rows_read = votes.rows.len() as u64;
    let gold =
        inputs.gold.as_deref().map(|p| inputs::gold(p, progress)).transpose()?.unwrap_or_default();
    let sliced = inputs.slices.as_deref().map(|path| (path, inputs.sliced_by.as_slice()));
    let known = match gold.as_slice() {
        [] => None,
        gold => Some(Known::of(&votes, &all_counts, gold, sliced, progress)?),
    };
    let (mut majority, mut dawid_skene) = (Beside::default(), Beside::default());
    if let Some(known) = &known {
        majority.before = Some(known.by_majority(&all_counts));
        dawid_skene.before =
            known.by_dawid_skene(&votes, &|vote| vote.who.volunteer().map(|who| who as u32));
    }
    let knowledge = knowledge(settings, inputs, &votes)?;
    let names = names(settings, inputs, &votes)?;
    if let Some(names) = &names {
        votes.take_out_names(names);
    }
    votes.take_out_rare(settings.privacy.min_volunteers);
    votes.take_out_repeats();
    let counts = votes.counts();
    let mut warnings: Vec<String> = Vec::new();
    let unsaid = noisy.as_ref().map_or(&[][..], |noisy| noisy.noisy().unsaid.as_slice());
    if !unsaid.is_empty() {
        // For the team only: that nobody gave an answer is what the noise hides.
        warnings.push(format!("[[noise.questions]] names what nobody said: {}", unsaid.join(", ")));
    }
    let (tables, protected, skill_ranks) = {
        let desk = Desk { folder: folder.path(), tier: settings.tier, votes: &votes };
        let mut tables: Vec<Written> = Vec::new();
        if inputs.votes.is_some() {
            tables.push(desk.counts(&counts)?);
        }
        if let Some(path) = &inputs.shapes {
            tables.push(desk.shapes(path, settings.privacy.min_volunteers, progress)?);
        }
        if let Some(path) = &inputs.consensus {
            tables.push(desk.consensus(path, &all_counts, &counts, progress)?);
        }
        if inputs.gold.is_some() {
            tables.push(desk.gold(&gold)?);
        }
        tables.extend(desk.skill(&people, settings.privacy.k)?);
        if let Some(noisy) = &noisy {
            tables.push(desk.histograms(noisy.noisy())?);
        }
        let public = public.unwrap_or_default();
        if !public.is_empty() && !public.iter().any(|subject| votes.subject(subject).is_some()) {
            return Err(ReleaseError::Refused(
                "none of the subjects of --public-subjects is among the votes, so that nobody is protected there: give those of this project, by subject_id".to_owned(),
            ));
        }
        let protection =
            Protection::plan(settings.tier, &settings.privacy, &votes, &people, &public, &pseudonyms)?;
        if settings.tier >= Tier::B && inputs.votes.is_some() {
            tables.push(desk.votes(&protection)?);
        }
        let mut protected = json!({
            "time": protection.time(),
            "n_public_subjects": protection.n_public(),
        });
        if settings.tier >= Tier::C && inputs.votes.is_some() {
            tables.push(desk.volunteers(&protection, &people)?);
            protected["k_anonymity"] = json!(protection.volunteers().0.report);
            protected["n_linked_visits"] = json!(protection.n_linked_pairs());
            if protection.n_linked_pairs() == 0 {
                warnings.push("nobody is linked from subject to subject: too few did enough, or their groups are too small (k, l, min_classifications), so that this is tier B in all but its name".to_owned());
            }
        }
        let is_linked = settings.tier >= Tier::C && inputs.votes.is_some();
        let skill_ranks =
            if is_linked { utility::skill_ranks(&votes, &counts, &protection) } else { None };
        if let Some(known) = &known {
            majority.after = Some(known.by_majority(&counts));
            if settings.tier >= Tier::B {
                let voter = |vote: &Vote| {
                    vote.who.volunteer().filter(|_| protection.is_linked(vote)).map(|who| who as u32)
                };
                dawid_skene.after = known.by_dawid_skene(&votes, &voter);
            }
        }
        (tables, protected, skill_ranks)
    };
    // What is known of the votes is told by now; the view of ten million is the next large thing.
    let n_released = votes.rows.len() as u64;
    let on_gold = known.map(|known| known.report(&majority, &dawid_skene));
    let utility =
        utility::report([&all_counts, &counts], on_gold, [n_rows_read, n_released], skill_ranks);
    votes.rows = Vec::new();
    let is_attacked = !inputs.knowledge.is_empty() || inputs.previous.is_some();
    let view = if is_attacked { View::open(folder.path(), progress)? } else { View::default() };
    let truth = Truth::new(&pseudonyms, &view);
    let mut attacks = attack::run(&view, &knowledge, &truth, settings.privacy.most_found);
    if let Some(previous) = &inputs.previous {
        let before = Before {
            folder: previous,
            view: View::open(previous, progress)?,
            pseudonyms: match &inputs.previous_key {
                Some(path) => {
                    Some(pseudonyms_of(previous, settings, &ReleaseKey::read(path, previous)?)?)
                }
                None => pseudonyms_if_of(previous, settings, key)?,
            },
        };
        let after = Version { folder: folder.path(), view: &view, truth: Some(&truth) };
        let out_now = optouts.all_keys();
        let out_now: Vec<&str> = out_now.iter().map(String::as_str).collect();
        let everybody: Vec<&str> =
            votes.volunteers.iter().map(String::as_str).chain(out_now.iter().copied()).collect();
        let between = Between { out_now: &out_now, everybody: &everybody };
        attacks.extend(before.against(&after, &between, &settings.privacy, progress)?);
    }
    if let Some(broken) = attacks.iter().find(|a| !a.holds()) {
        return Err(refused(broken));
    }
    let left_out: Vec<(&'static str, u64)> = votes.left_out.iter().map(|(r, n)| (*r, *n)).collect();
    let mut privacy = json!({
        "tier": settings.tier,
        "promise": settings.tier.promise(),
        "k": settings.privacy.k,
        "l": settings.privacy.l,
        "min_volunteers": settings.privacy.min_volunteers,
        "min_classifications": settings.privacy.min_classifications,
        "line": settings.privacy.line,
        "key_check": pseudonyms.check(),
        "protection": protected,
        "typed": votes.typed().map(|q| json!([q.workflow, q.task])).collect::<Vec<_>>(),
        "utility": utility,
        "attacks": attacks,
    });
    if let Some(noisy) = &noisy {
        privacy["noise"] = noisy.report();
    }
    // How many opted out would help to find them; the other reasons do not.
    privacy["rows_left_out"] = left_out
        .iter()
        .filter(|(r, _)| *r != "opted out")
        .map(|(r, n)| ((*r).to_owned(), json!(n)))
        .collect();

    let entries: Result<Vec<TableEntry>, ReleaseError> =
        tables.into_iter().map(|w| TableEntry::of(folder.path(), w)).collect();
    let n_cells = counts.chunk_by(|a, b| (a.subject, a.question) == (b.subject, b.question));
    let seen: Vec<u64> = n_cells.map(|c| c[0].n_seen).collect();
    let manifest = Manifest {
        settings,
        tables: entries?,
        others: models::copy(&inputs.models, folder.path(), &biases, policy.as_ref(), &optouts)?,
        biases: &biases,
        policy_version: policy.as_ref().map(|p| p.version.clone()),
        knows_optouts: inputs.optouts.is_some(),
        origin: derived::origin(inputs)?,
        privacy: privacy.clone(),
        votes_per_subject: seen.iter().sum::<u64>() as f64 / seen.len().max(1) as f64,
    };
    let is_traced = !manifest.origin.runs.is_empty();
    let (built_tables, n_bytes) = write_metadata(folder.path(), manifest, policy.as_ref())?;
    if let Some(names) = &names {
        let wrong = crate::verify::names_within(folder.path(), names)?;
        if let Some(first) = wrong.first() {
            return Err(ReleaseError::Refused(format!(
                "{}: {}; take it out of what was given (settings, biases, policy, ids of subjects)",
                first.file, first.what
            )));
        }
    }
    open_to_all(folder.path())?;
    // The budget is spent before the package is there: a crash between them costs budget, not privacy.
    if let Some(noisy) = &noisy {
        noisy.spend()?;
    }
    // Until it is in its place the folder goes when something fails: nothing half made stays behind.
    std::fs::rename(folder.path(), target).map_err(ReleaseError::writing(target))?;
    let _ = folder.keep();
    let mut missing = Vec::new();
    for (name, is_there) in [
        ("consensus", inputs.consensus.is_some()),
        ("gold", inputs.gold.is_some()),
        ("skill", inputs.volunteers.is_some()),
        ("provenance", is_traced),
        ("policy", policy.is_some()),
        ("models", !inputs.models.is_empty()),
    ] {
        if !is_there {
            missing.push(name);
        }
    }
    Ok(Built {
        tables: built_tables,
        left_out,
        n_opted_out: votes.opted_out.len() as u64,
        attacks,
        privacy,
        missing,
        warnings,
        n_bytes,
    })
}

/// What to do about an attack that finds too many.
fn refused(broken: &Outcome) -> ReleaseError {
    let advice = if broken.attack == attack::JOIN {
        "anybody can join the two by what their rows say: let both be of one `line` under [privacy], so that they are joined on purpose, or take tier B"
    } else {
        "take a safer tier, name the subjects with public credit or comments, or wait until more people opted out"
    };
    ReleaseError::Refused(format!(
        "the attack {:?} found {} of {} people, and {} are allowed: {advice}",
        broken.attack, broken.n_found, broken.n_targets, broken.most_found
    ))
}

/// Names to look for, but for words that are the team's own: settings, questions, and answers that nobody
/// typed.
fn names(settings: &Settings, inputs: &Inputs, votes: &Votes) -> Result<Option<NameSet>, ReleaseError> {
    let names = &inputs.names;
    if names.is_empty() {
        return Ok(None);
    }
    let mut ours = vocabulary().to_owned();
    let mut add = |text: &str| {
        ours.push('\n');
        ours.push_str(text);
    };
    settings.creators.iter().for_each(|creator| add(&creator.name()));
    inputs.models.iter().for_each(|model| add(&model_words(model)));
    for question in &votes.questions {
        add(&question.workflow);
        add(&question.task);
    }
    let mut is_listed = vec![false; votes.answers.len()];
    for vote in votes.rows.iter().filter(|vote| vote.answer != NO_ANSWER) {
        is_listed[vote.answer as usize] |= !votes.questions[vote.question as usize].is_typed();
    }
    votes.answers.iter().zip(is_listed).filter(|(_, listed)| *listed).for_each(|(a, _)| add(a));
    NameSet::new(names.iter().map(String::as_str), &ours).map(Some)
}

/// The pseudonyms of a release.
///
/// # Errors
/// As [`Pseudonyms::new`].
pub fn pseudonyms(settings: &Settings, key: &ReleaseKey) -> Result<Pseudonyms, ReleaseError> {
    let linking = settings.privacy.line.clone().map_or(Linking::None, Linking::Line);
    Pseudonyms::new(key, &settings.project, &settings.version, &linking)
}

/// A shape does not say who drew it; its members do.
fn nobody_out_drew(
    members: Option<&Path>,
    optouts: &OptOuts,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let out = optouts.without();
    if out.is_empty() {
        return Ok(());
    }
    let Some(path) = members else {
        let what = "people opted out, and shapes do not say who drew them: give the table of their members, too";
        return Err(ReleaseError::Refused(what.to_owned()));
    };
    let mut n_rows = 0_u64;
    for_each_batch(path, &["volunteer"], progress, |cells| {
        let is_out = |row: &usize| cells.text("volunteer", *row).is_some_and(|v| out.has(&v));
        n_rows += (0..cells.n_rows()).filter(is_out).count() as u64;
        Ok(())
    })?;
    if n_rows > 0 {
        return Err(ReleaseError::Refused(format!(
            "{n_rows} marks are of people who opted out; run `volary shapes` without them"
        )));
    }
    Ok(())
}

/// Whether the attacks of a release that links votes have what they need.
fn votes_are_attacked(settings: &Settings, inputs: &Inputs) -> bool {
    let known = &inputs.knowledge;
    let is_public = !known.talk.is_empty() || !known.credits.is_empty();
    inputs.votes.is_none()
        || !known.people.is_empty() && (is_public || settings.privacy.nobody_is_public)
}

/// What strangers know, how much each person did with it: profiles tell, and the votes do. Where votes are linked, it
/// must be about those who voted, or the attacks would find nobody, whatever the package is like.
fn knowledge(settings: &Settings, inputs: &Inputs, votes: &Votes) -> Result<Knowledge, ReleaseError> {
    let mut known = inputs.knowledge.clone();
    if known.is_empty() || inputs.votes.is_none() {
        return Ok(known);
    }
    // Tier D holds against nobody who knows how much somebody did; it says so.
    if known.totals.is_empty() && settings.tier < Tier::D {
        let (counts, _) = votes.activity();
        let of_accounts = votes.volunteers.iter().cloned().zip(counts);
        known.totals = of_accounts.filter(|(_, n)| *n > 0).collect();
        // Of whom nothing leaves is looked for like everybody else: how many these are would tell how many opted out.
        let told: HashSet<&str> = known.totals.iter().map(|(who, _)| who.as_str()).collect();
        let of_people = known.people.iter().map(|person| person.key.as_str());
        let others: BTreeSet<&str> = of_people.filter(|who| !told.contains(who)).collect();
        let others: Vec<(String, u64)> = others.into_iter().map(|who| (who.to_owned(), 0)).collect();
        known.totals.extend(others);
    }
    if settings.tier < Tier::C {
        return Ok(known);
    }
    let refuse = |what: String| Err(ReleaseError::Refused(what));
    let people: HashSet<&str> = known.keys().collect();
    let n_unknown = votes.volunteers.iter().filter(|one| !people.contains(one.as_str())).count();
    if n_unknown > 0 {
        return refuse(format!(
            "{n_unknown} of {} people who voted are not in --names, so that no attack looks for them: give the export that the votes are of",
            votes.volunteers.len()
        ));
    }
    let voters: HashSet<&str> = votes.volunteers.iter().map(String::as_str).collect();
    for (option, sightings) in [("--talk", &known.talk), ("--credits", &known.credits)] {
        let is_here =
            |s: &Sighting| voters.contains(s.person.as_str()) && votes.subject(&s.subject).is_some();
        if !sightings.is_empty() && !sightings.iter().any(is_here) {
            return refuse(format!(
                "nobody in {option} voted here and was seen at a subject that is here: give that of this project"
            ));
        }
    }
    Ok(known)
}

/// The pseudonyms of a package that is there, of the same project: those of its version and its line.
///
/// # Errors
/// Where the folder is no package, or was made with another key, or for another project.
pub fn pseudonyms_of(
    package: &Path,
    settings: &Settings,
    key: &ReleaseKey,
) -> Result<Pseudonyms, ReleaseError> {
    pseudonyms_if_of(package, settings, key)?.ok_or_else(|| {
        let what = "it was made with another key, or for another project than release.toml says, so that nobody could be found in it; give the key and the release.toml that it was made with";
        ReleaseError::package(package, what)
    })
}

/// As [`pseudonyms_of`]; none where it was made with another key.
///
/// # Errors
/// Where the folder is no package.
pub fn pseudonyms_if_of(
    package: &Path,
    settings: &Settings,
    key: &ReleaseKey,
) -> Result<Option<Pseudonyms>, ReleaseError> {
    let about = read_json(&package.join("datapackage.json"))?;
    let version = about["version"].as_str().ok_or_else(|| {
        ReleaseError::package(package, "its datapackage.json does not say which version it is")
    })?;
    let report = read_json(&package.join("privacy_report.json"))?;
    let mut of_package = Settings { version: version.to_owned(), ..settings.clone() };
    of_package.privacy.line = report["line"].as_str().map(str::to_owned);
    let of = pseudonyms(&of_package, key)?;
    Ok((report["key_check"] == of.check()).then_some(of))
}

/// The version before, read.
#[derive(Debug)]
pub struct Before<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// Its votes.
    pub view: View,
    /// By its key, where that is there.
    pub pseudonyms: Option<Pseudonyms>,
}

/// People of two versions.
#[derive(Clone, Copy, Debug)]
pub struct Between<'p> {
    /// Those who are out now.
    pub out_now: &'p [&'p str],
    /// Everybody who is known to have voted.
    pub everybody: &'p [&'p str],
}

impl Before<'_> {
    /// What it says together with the version after, that neither says alone; see [`attack::difference`].
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub fn against(
        &self,
        after: &Version<'_>,
        people: &Between<'_>,
        privacy: &Privacy,
        progress: &Progress,
    ) -> Result<Vec<Outcome>, ReleaseError> {
        let truth = self.pseudonyms.as_ref().map(|pseudonyms| Truth::new(pseudonyms, &self.view));
        let before = Version { folder: self.folder, view: &self.view, truth: truth.as_ref() };
        let mut out = vec![attack::difference([&before, after], people.out_now, privacy, progress)?];
        // Of one line they are the same, on purpose.
        if privacy.line.is_none() {
            out.push(attack::rejoined([&before, after], people.everybody, privacy));
        }
        Ok(out)
    }
}

pub(crate) fn read_json(path: &Path) -> Result<Value, ReleaseError> {
    let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
    serde_json::from_str(&text).map_err(|e| ReleaseError::settings(path, format!("not JSON: {e}")))
}

/// Writes everything but the data; every file says its checksum in the files that come after it.
fn write_metadata(
    folder: &Path,
    mut m: Manifest<'_>,
    policy: Option<&Policy>,
) -> Result<(TableRows, u64), ReleaseError> {
    let write = |path: &str, bytes: &[u8]| write_whole(&folder.join(path), bytes);
    let add = |m: &mut Manifest<'_>, path: &str, about: &str, bytes: &[u8]| {
        write(path, bytes)?;
        m.others.push(FileEntry::of(folder, path, about)?);
        Ok::<(), ReleaseError>(())
    };
    let biases = json!({"biases": m.biases.biases});
    add(&mut m, "known_biases.json", "Known biases", &json_bytes(&biases))?;
    let privacy = json_bytes(&m.privacy);
    add(&mut m, "privacy_report.json", "How volunteers are protected, and attacks", &privacy)?;
    if let Some(policy) = policy {
        add(&mut m, "policy.json", "The team's policy", &json_bytes(&policy.json()))?;
    }
    let licence = readme::licence(&m);
    add(&mut m, "LICENSE", "Licence", licence.as_bytes())?;
    let citation = metadata::citation(&m);
    add(&mut m, "CITATION.cff", "How to cite", citation.as_bytes())?;
    let text = readme::readme(&m);
    add(&mut m, "README.md", "Read this first", text.as_bytes())?;
    for (path, about, value) in [
        ("datapackage.json", "Frictionless data package", metadata::data_package(&m)),
        ("croissant.json", "Croissant 1.1 metadata", metadata::croissant(&m)),
        ("datacite.json", "DataCite 4.5 metadata", metadata::datacite(&m)),
        ("prov.json", "Provenance, W3C PROV-JSON", metadata::provenance(&m)),
    ] {
        add(&mut m, path, about, &json_bytes(&value))?;
    }
    let crate_json = json_bytes(&metadata::ro_crate(&m, &[SUMS]));
    add(&mut m, "ro-crate-metadata.json", "RO-Crate 1.3 metadata", &crate_json)?;
    let mut sums: Vec<(&str, &str)> = m.files().map(|f| (f.path.as_str(), f.sha256.as_str())).collect();
    sums.sort_unstable();
    let lines: String = sums.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
    write(SUMS, lines.as_bytes())?;
    let n_bytes = m.files().map(|f| f.n_bytes).sum::<u64>() + lines.len() as u64;
    Ok((m.tables.iter().map(|t| (t.written.table.name(), t.written.n_rows)).collect(), n_bytes))
}

/// A temporary folder is its owner's; a package is for everybody.
fn open_to_all(folder: &Path) -> Result<(), ReleaseError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder, open).map_err(ReleaseError::writing(folder))?;
    }
    Ok(())
}
