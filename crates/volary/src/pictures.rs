//! Images for a model: which, how they become pictures, and where these are kept. Shared by all commands
//! that show pictures to a network.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use volary_ingest::images::{Built, Cache, Channels, Crop, ImageSubject, Resize, Settings, Stretch};
use volary_ingest::images::{ImageSubjects, SubjectSource, subjects};

use crate::progress_lines;
use crate::session::Session;

/// Where the images are.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Images")]
pub(crate) struct SourceArgs {
    /// A table of subjects with a column of image files, a Zooniverse subject export, or a folder of
    /// images named by subject.
    #[arg(value_name = "SUBJECTS")]
    pub(crate) subjects: PathBuf,
    /// Folder of the image files, where it is not the table's own.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Column of subject ids, where its name is unusual.
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// Column of image files, where its name is unusual.
    #[arg(long, value_name = "NAME")]
    image_column: Option<String>,
    /// Folder in which decoded pictures are kept for the next run; it can be deleted at any time.
    #[arg(long, value_name = "DIR", default_value = "volary-cache")]
    cache: PathBuf,
}

/// How images become pictures.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Pictures")]
pub(crate) struct PrepareArgs {
    /// Size: 96 (a square), or 96x64. `train classifier` takes 20 or more, the other networks multiples of 16.
    #[arg(long, value_name = "PX", default_value_t = Resize::default())]
    size: Resize,
    /// Part of the image: whole, 200 or 200x100 (its middle), 10,20,200x100 (from x, y).
    #[arg(long, value_name = "PART", default_value_t = Crop::Whole)]
    crop: Crop,
    /// Brightness: none, linear, asinh, log, lupton; the book's page on images has their numbers.
    #[arg(long, value_name = "STRETCH", default_value_t = Stretch::AsStored)]
    stretch: Stretch,
    /// Channels: rgb, grey, or planes of the image such as 2,1,0.
    #[arg(long, value_name = "CHANNELS", default_value_t = Channels::Rgb)]
    channels: Channels,
}

impl PrepareArgs {
    /// The settings, as they are kept with a model.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let settings = Settings {
            crop: self.crop,
            resize: self.size,
            stretch: self.stretch,
            channels: self.channels.clone(),
            ..Settings::default()
        };
        settings.check()?;
        Ok(settings)
    }
}

impl SourceArgs {
    /// A table, an export or a folder, with everything else as usual.
    pub(crate) fn of(subjects: &Path, images: Option<&Path>, cache: &Path) -> Self {
        Self {
            subjects: subjects.to_owned(),
            images: images.map(Path::to_owned),
            id_column: None,
            image_column: None,
            cache: cache.to_owned(),
        }
    }

    /// Finds the subjects and notes what was wrong.
    pub(crate) fn find(&self, session: &mut Session) -> Result<ImageSubjects> {
        let source = SubjectSource {
            manifest: &self.subjects,
            images: self.images.as_deref(),
            id_column: self.id_column.as_deref(),
            image_column: self.image_column.as_deref(),
        };
        let found = subjects(&source, &session.progress)?;
        session.summary.count("n_subjects", "subjects with an image", found.subjects.len() as u64);
        session.problems.absorb(&found.problems);
        for digest in &found.digests {
            session.input(digest.clone());
        }
        Ok(found)
    }

    /// Decodes the images of these subjects, those that no earlier run had decoded.
    pub(crate) fn decode(
        &self,
        subjects: &[ImageSubject],
        settings: &Settings,
        session: &mut Session,
    ) -> Result<Built> {
        if subjects.is_empty() {
            let first = session.problems.examples().next();
            let why =
                first.map_or_else(String::new, |p| format!("; the first, row {}: {}", p.row, p.detail));
            bail!(
                "no row of {} names an image that can be used (paths lie within the folder of --images, or of the \
                 table){why}",
                self.subjects.display()
            );
        }
        let bar = bar(session, subjects.len() as u64, "decoding {wide_bar} {pos}/{len} {eta}");
        let on_image = |n: usize| bar.set_position(n as u64);
        let built = Cache::open_or_build(&self.cache, subjects, settings, &session.progress, &on_image)
            .with_context(|| format!("the images of {}", self.subjects.display()))?;
        bar.finish_and_clear();
        session.problems.absorb(&built.problems);
        session.summary.count("n_pictures", "pictures", built.subject_idx.len() as u64);
        session.summary.count("n_decoded", "  decoded now", built.n_decoded as u64);
        Ok(built)
    }
}

/// The file of what a model looked at in a subject's picture for a class, within a folder of maps. An id may hold
/// anything; what no file's name can hold is replaced, and a checksum keeps such names apart.
pub(crate) fn map_file(subject_id: &str, class: &str) -> String {
    const MOST: usize = 80;
    let name = format!("{subject_id}_{class}");
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.len() <= MOST && name.chars().all(fits) && !name.starts_with('.') {
        return format!("{name}.npy");
    }
    let plain: String = name.chars().take(MOST / 2).map(|c| if fits(c) { c } else { '_' }).collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{}-{}.npy", plain.trim_start_matches('.'), &hash[..12])
}

/// A bar of long work, hidden where nobody looks; lines instead, for who reads them.
pub(crate) fn bar(session: &Session, n: u64, style: &str) -> ProgressBar {
    use std::io::IsTerminal as _;
    if session.global.json || !(std::io::stderr().is_terminal() || progress_lines::are_wanted()) {
        return ProgressBar::hidden();
    }
    let bar = progress_lines::bar(n);
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}
