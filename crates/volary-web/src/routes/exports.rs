//! Whole tables as CSV, each as it was at one moment, while votes go on coming in.
//!
//! The table is written to a file without a name first and sent from there: a slow receiver must not keep the
//! database's picture of that moment open. Cells are exact, but for an apostrophe before
//! what a spreadsheet would take for a formula; nobody's name is among them.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use csv::Writer;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;
use volary_core::spreadsheet::neutral;
use volary_live::store::StrandId;
use volary_live::{Kind, Live, Logged};

use super::reductions::Summary;
use super::time;
use crate::app::Shared;
use crate::extract::{Id, Reader};
use crate::problem::Problem;

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// Bytes that are sent at once.
const CHUNK: usize = 1 << 16;
/// The last event of the log that the table knows.
const LAST_SEQ: HeaderName = HeaderName::from_static("volary-last-seq");

/// What can be had.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Table {
    /// The log of votes, retractions and corrections, in the order in which they were received.
    Classifications,
    /// Votes by answer: a row for each subject, workflow, version, task and answer.
    SubjectReductions,
}

/// A whole table as CSV
///
/// `classifications` or `subject_reductions`, as it was at one moment; `Volary-Last-Seq` is the last event of
/// the log that it knows. Who voted is not in it.
#[utoipa::path(get, path = "/api/v1/exports/{id}", tag = "exports", security(("token" = ["read"])),
    params(("id" = Table, Path)), responses((status = 200, body = String, content_type = "text/csv"),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 503, body = crate::problem::ProblemDocument, description = "Other exports are being made.")))]
pub(crate) async fn table(
    State(app): State<Shared>,
    Reader(_): Reader,
    Id(id): Id,
) -> Result<Response, Problem> {
    let table: Table = serde_json::from_value(json!(id)).map_err(|_| {
        Problem::not_found("there is no such table; there are classifications, subject_reductions")
    })?;
    let place = Arc::clone(&app.exports).try_acquire_owned();
    let place = place.map_err(|_| {
        Problem::busy("as many exports as may are being made; try again later").retry_after_s(5)
    })?;
    let frozen = app.live.frozen().await?;
    let last_seq = frozen.last_seq().await?;
    let mut to = Spool::new()?;
    match table {
        Table::Classifications => classifications(&frozen, &mut to).await?,
        Table::SubjectReductions => subject_reductions(&frozen, &mut to).await?,
    }
    drop(frozen);
    let (file, n_bytes, etag) = to.finish()?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv")),
        (header::CONTENT_LENGTH, n_bytes.into()),
        (header::ETAG, HeaderValue::from_str(&etag).expect("hexadecimal")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&format!("attachment; filename=\"{id}.csv\""))
                .expect("a table's name"),
        ),
        (LAST_SEQ, last_seq.into()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(chunks(file, place)))).into_response())
}

async fn classifications(live: &Live, to: &mut Spool) -> Result<(), Problem> {
    let columns = [
        "seq",
        "id",
        "kind",
        "created_at",
        "received_at",
        "workflow_id",
        "workflow_version",
        "subject_id",
        "of",
        "answers",
    ];
    to.row(columns)?;
    let mut after = 0;
    loop {
        let page = live.vote_page(after, None, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for logged in &page {
            to.row(classification(logged))?;
        }
    }
}

fn classification(logged: &Logged) -> [String; 10] {
    let key = &logged.event.key;
    let [mut workflow, mut version, mut subject, mut target] = <[String; 4]>::default();
    let mut given = String::new();
    match &logged.event.kind {
        Kind::Vote { workflow: w, version: v, subject: s, answers, .. } => {
            (workflow, version, subject) = (w.clone(), v.clone(), s.clone());
            given = json!(answers).to_string();
        }
        Kind::Correct { of, answers } => {
            target = format!("{}/{of}", key.source);
            given = json!(answers).to_string();
        }
        Kind::Retract { of } => target = format!("{}/{of}", key.source),
        _ => {}
    }
    [
        logged.seq.to_string(),
        format!("{}/{}", key.source, key.id),
        logged.event.kind_name().to_owned(),
        time(logged.event.at_ms),
        time(logged.received_ms),
        workflow,
        version,
        subject,
        target,
        given,
    ]
}

async fn subject_reductions(live: &Live, to: &mut Spool) -> Result<(), Problem> {
    let columns = [
        "subject_id",
        "workflow_id",
        "workflow_major",
        "task",
        "answer",
        "n_votes",
        "n_seen",
        "retired",
    ];
    to.row(columns)?;
    let mut after = StrandId::default();
    loop {
        let page = live.summary_page(&after, None, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after.clone_from(last);
        for ([subject, workflow, major], body) in &page {
            let summary: Summary = serde_json::from_str(body).map_err(|error| {
                Problem::failed(format!("summary of {subject:?} cannot be read: {error}"))
            })?;
            let (n, retired) = (summary.n.to_string(), summary.retired.is_some().to_string());
            for (task, answers) in &summary.labels {
                for (answer, votes) in answers {
                    let votes = votes.to_string();
                    to.row([subject, workflow, major, task, answer, &votes, &n, &retired])?;
                }
            }
        }
    }
}

/// A table under construction, in a file without a name.
struct Spool {
    csv: Writer<Hashed>,
}

/// A file and what its entity tag will be.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl std::io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn disk(error: impl std::fmt::Display) -> Problem {
    Problem::failed(format!(
        "the export could not be written to the folder for temporary files: {error}"
    ))
}

impl Spool {
    fn new() -> Result<Self, Problem> {
        let file = BufWriter::new(tempfile::tempfile().map_err(disk)?);
        let hashed = Hashed { file, hasher: blake3::Hasher::new(), n_bytes: 0 };
        Ok(Self { csv: Writer::from_writer(hashed) })
    }

    fn row<const N: usize>(&mut self, cells: [impl AsRef<str>; N]) -> Result<(), Problem> {
        for cell in cells {
            self.csv.write_field(neutral(cell.as_ref()).as_bytes()).map_err(disk)?;
        }
        self.csv.write_record(None::<&[u8]>).map_err(disk)
    }

    fn finish(self) -> Result<(File, u64, String), Problem> {
        let hashed = self.csv.into_inner().map_err(disk)?;
        let mut file = hashed.file.into_inner().map_err(disk)?;
        file.rewind().map_err(disk)?;
        let etag = format!("\"{}\"", &hashed.hasher.finalize().to_hex()[..32]);
        Ok((file, hashed.n_bytes, etag))
    }
}

/// The file piece by piece, read no faster than it is taken.
fn chunks(mut file: File, place: OwnedSemaphorePermit) -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (to, chunks) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk).map(|n| {
                chunk.truncate(n);
                chunk
            });
            if read.as_ref().is_ok_and(Vec::is_empty) {
                break;
            }
            let is_broken = read.is_err();
            if to.blocking_send(read).is_err() || is_broken {
                break;
            }
        }
        drop(place);
    });
    chunks
}
