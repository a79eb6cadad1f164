//! `volary talk`: Talk exports to tables.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{StringBuilder, TimestampMillisecondBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use volary_core::schema;
use volary_ingest::tables::write_table;
use volary_ingest::talk::{CommentRow, TagRow, read_talk, withhold_names};

use crate::commands::extract::table_format;
use crate::session::{Session, run_json_for};

/// Turn Talk exports (comments, tags, votable tags) into tables: who tagged what, without names or the
/// text of comments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary talk project-764-tags_2016-01-15.json -o talk
  volary talk talk-export.tar.gz -o talk --to csv")]
pub(crate) struct Args {
    /// Talk exports: JSON, or the archive as it is downloaded (.tar.gz).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Format of the tables: parquet, csv, json or arrow.
    #[arg(long, default_value = "parquet", value_name = "FORMAT")]
    to: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let format = table_format(&args.to)?;
    let (mut tags, mut comments) = read(&args.files, &mut session)?;
    let n_names = withhold_names(&mut tags, &mut comments, |_| false);
    note_names(n_names, &mut session);
    let path = |name: &str| args.output.join(format!("{name}.{}", format.extension()));
    write_tags(&path("tags"), &tags)?;
    write_comments(&path("comments"), &comments)?;
    session.rows("tags", tags.len() as u64);
    session.rows("comments", comments.len() as u64);
    session.summary.count("n_tags", "tags", tags.len() as u64);
    session.summary.count("n_comments", "comments", comments.len() as u64);
    session.finish(Some(&run_json_for(&args.output)))
}

/// Tags and comments of all exports.
pub(crate) fn read(files: &[PathBuf], session: &mut Session) -> Result<(Vec<TagRow>, Vec<CommentRow>)> {
    let (mut tags, mut comments) = (Vec::new(), Vec::new());
    for path in files {
        let talk = read_talk(path, &session.progress)?;
        session.report(talk.report);
        tags.extend(talk.tags);
        comments.extend(talk.comments);
    }
    Ok((tags, comments))
}

/// Says that tags were somebody's login, and what to do if the word was meant.
pub(crate) fn note_names(n_names: u64, session: &mut Session) {
    if n_names > 0 {
        session.summary.count("n_names_withheld", "tags withheld", n_names);
        session.summary.note(
            "a tag that is the login of somebody in the export is not written; where the word is meant, `volary \
             tags --merge` with a row for it keeps it",
        );
    }
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn count(name: &str) -> Field {
    Field::new(name, DataType::UInt64, true)
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let mut times = TimestampMillisecondBuilder::new().with_data_type(schema::timestamp());
    values.for_each(|t| times.append_option(t));
    Arc::new(times.finish())
}

fn texts<'t>(values: impl Iterator<Item = &'t str>) -> ArrayRef {
    let mut texts = StringBuilder::new();
    values.for_each(|t| texts.append_value(t));
    Arc::new(texts.finish())
}

fn counts(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    let mut counts = UInt64Builder::new();
    values.for_each(|n| counts.append_option(n));
    Arc::new(counts.finish())
}

fn write_tags(path: &Path, rows: &[TagRow]) -> Result<()> {
    let created = Field::new("created_at", schema::timestamp(), true);
    let fields = vec![text("subject_id"), text("tag"), text("volunteer"), created, count("n_votes")];
    let columns = vec![
        texts(rows.iter().map(|r| r.subject_id.as_str())),
        texts(rows.iter().map(|r| r.tag.as_str())),
        texts(rows.iter().map(|r| r.volunteer.as_str())),
        times(rows.iter().map(|r| r.created_ms)),
        counts(rows.iter().map(|r| r.n_votes)),
    ];
    Ok(write_table(path, &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?)
}

fn write_comments(path: &Path, rows: &[CommentRow]) -> Result<()> {
    let created = Field::new("created_at", schema::timestamp(), true);
    let fields = vec![
        text("subject_id"),
        text("comment_id"),
        text("volunteer"),
        created,
        text("hashtags"),
        text("mentions"),
        count("n_characters"),
    ];
    let lists: Vec<(String, String)> =
        rows.iter().map(|r| (r.hashtags.join(" "), r.mentions.join(" "))).collect();
    let columns = vec![
        texts(rows.iter().map(|r| r.subject_id.as_str())),
        texts(rows.iter().map(|r| r.comment_id.as_str())),
        texts(rows.iter().map(|r| r.volunteer.as_str())),
        times(rows.iter().map(|r| r.created_ms)),
        texts(lists.iter().map(|l| l.0.as_str())),
        texts(lists.iter().map(|l| l.1.as_str())),
        counts(rows.iter().map(|r| r.n_chars)),
    ];
    Ok(write_table(path, &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?)
}
