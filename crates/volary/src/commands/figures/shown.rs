//! The images that figures show: where they lie, how they are prepared, and which of them are decoded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use volary_core::PixelsInMemory;
use volary_ingest::images::{
    Channels, ImageSubjects, Limits, Resize, Settings, Stretch, SubjectSource, prepare_file, subjects,
};

use crate::report::pictures::Cell;
use crate::session::Session;

/// Where images are and how they are shown.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Images {
    /// Subjects and their images: a table, a subject export, or a folder of images.
    #[arg(value_name = "SUBJECTS")]
    pub(super) subjects: PathBuf,
    /// Folder of the images, where it is not that of the table.
    #[arg(long, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
    /// Width and height of an image, px.
    #[arg(long, default_value_t = 96, value_name = "PX")]
    pub(super) size: usize,
    /// How brightness is shown: none, linear, asinh, log, lupton, with numbers as in the book.
    #[arg(long, default_value = "none")]
    pub(super) stretch: String,
}

/// The images of a figure: only those that are shown are decoded.
pub(super) struct Shown {
    pub(super) found: ImageSubjects,
    pub(super) at: BTreeMap<String, usize>,
    settings: Settings,
    /// Places among the subjects, in the order of the pictures.
    rows: Vec<usize>,
}

impl Shown {
    pub(super) fn open(args: &Images, session: &mut Session) -> Result<Self> {
        let source =
            SubjectSource { images: args.images.as_deref(), ..SubjectSource::new(&args.subjects) };
        let found = subjects(&source, &session.progress)?;
        session.summary.count("n_subjects", "subjects", found.subjects.len() as u64);
        session.problems.absorb(&found.problems);
        found.digests.iter().for_each(|digest| session.input(digest.clone()));
        let at = found.subjects.iter().enumerate().map(|(i, s)| (s.subject_id.clone(), i)).collect();
        let stretch: Stretch = args.stretch.parse()?;
        let settings = Settings {
            resize: Resize::ShortSide { size_px: args.size },
            stretch,
            channels: Channels::Rgb,
            limits: Limits { min_side_px: 2, ..Limits::default() },
            ..Settings::default()
        };
        settings.check()?;
        Ok(Self { found, at, settings, rows: Vec::new() })
    }

    /// A place for a subject's picture; `None` where it has no image.
    pub(super) fn place(&mut self, subject: &str) -> Option<usize> {
        let at = *self.at.get(subject)?;
        if let Some(known) = self.rows.iter().position(|row| *row == at) {
            return Some(known);
        }
        self.rows.push(at);
        Some(self.rows.len() - 1)
    }

    /// The pictures; one that cannot be read is grey, and listed.
    pub(super) fn pictures(&self, session: &mut Session) -> Result<PixelsInMemory> {
        let shape = self.settings.shape();
        let mut values = Vec::with_capacity(self.rows.len() * shape.values());
        for &row in &self.rows {
            let subject = &self.found.subjects[row];
            match prepare_file(&subject.path, &self.settings) {
                Ok((picture, _, _)) => values.extend(picture),
                Err(fault) => {
                    let name = subject.path.file_name().unwrap_or_default().to_string_lossy();
                    session.problems.add(subject.row, &name, fault.problem(), fault.detail.clone());
                    values.extend(std::iter::repeat_n(0.8, shape.values()));
                }
            }
        }
        session.summary.count("n_shown", "images shown", self.rows.len() as u64);
        PixelsInMemory::new(shape, values).context("no subject of the figure has an image")
    }
}

/// A cell with the values of its subject below it.
pub(super) fn cell(shown: &mut Shown, subject: &str, caption: String) -> Option<Cell> {
    Some(Cell { row: shown.place(subject)?, caption, attention: None })
}
