//! The log on disk: one writer, group commit, and questions answered beside it.
//!
//! [`Live`] is a handle that can be cloned. Whatever is submitted while a transaction is being written
//! goes into the next one together, so that a hundred clients pay for one flush. An answer means that the
//! transaction is on disk: the events, the tallies, the alerts and what is to be delivered, all or nothing.
//!
//! After a failed write the writer stops: a second flush may claim a success that the first denied
//! (PostgreSQL learnt it the hard way), so what is on disk must be read again by opening it anew.

mod database;
mod exams;
mod reads;
mod schema;
mod without;
mod writer;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::Row as _;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};

use crate::alert::Alert;
use crate::book::{Book, Card};
use crate::engine::{Engine, People};
use crate::event::{Actor, Answers, Event, EventError, Key, Logged};
use crate::policy::Policy;

pub use self::database::Place;
use self::database::{Access, Cell, Database};
pub use self::reads::StrandId;
pub use self::without::Copied;
use self::writer::Writer;

/// Why the store cannot do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LiveError {
    /// The database said no.
    #[error("{action} failed: {reason}: {place}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// The database's answer.
        reason: Arc<sqlx::Error>,
        /// Which database.
        place: String,
    },
    /// The operating system said no.
    #[error("{action} failed: {reason}: {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        reason: Arc<std::io::Error>,
        /// The file.
        path: PathBuf,
    },
    /// Another process writes here.
    #[error("another volary writes to it; stop that one first, or choose another file: {0}")]
    Locked(String),
    /// The tables are newer than this program.
    #[error(
        "made by a newer volary (tables version {found}, this one knows {known}); upgrade volary: {place}"
    )]
    Newer {
        /// Version of the tables.
        found: i64,
        /// What this program knows.
        known: i64,
        /// Which database.
        place: String,
    },
    /// The tables are older than this program, which may only look.
    #[error(
        "made by an older volary (tables version {found}, this one has {known}); `volary rebuild` brings it up to date: {place}"
    )]
    Older {
        /// Version of the tables.
        found: i64,
        /// What this program has.
        known: i64,
        /// Which database.
        place: String,
    },
    /// A row of the log does not parse.
    #[error("event {seq} of the log cannot be read ({reason}); restore a backup: {place}")]
    Corrupt {
        /// Its number.
        seq: i64,
        /// Why not.
        reason: String,
        /// Which database.
        place: String,
    },
    /// The writer stopped at an earlier error, or was closed.
    #[error("the store has stopped writing; what was acknowledged is on disk: open it again to go on")]
    Stopped,
    /// Only a file can be copied while it is written to.
    #[error("a PostgreSQL database is backed up with pg_dump, not by volary")]
    NotAFile,
    /// A store that was to be filled holds something already.
    #[error("the store holds events already; give a new one: {0}")]
    NotEmpty(String),
}

/// What became of a submitted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, at this place.
    New(i64),
    /// It was there already.
    Duplicate,
    /// Its key is taken by another event; it was put into quarantine for a person to look at.
    Conflict,
    /// It is not well formed, and was not stored.
    Refused(EventError),
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// The clock: milliseconds since 1970, UTC.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Books kept in memory; those of retired subjects leave by themselves.
    pub max_books: usize,
    /// Events in one transaction, at most.
    pub max_batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        let now_ms = Arc::new(|| jiff::Timestamp::now().as_millisecond());
        Self { now_ms, max_books: 4_096, max_batch: 4_096 }
    }
}

/// An event to submit. `received_ms` only when a log is restored: it stays what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// When it was first heard.
    pub received_ms: Option<i64>,
    /// The event.
    pub event: Event,
}

/// Something that was told, with its place among all that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its place, rising; numbers may be left out.
    pub seq: i64,
    /// The same whenever the same thing is told again.
    pub id: String,
    /// When it was told; milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The [`crate::Effect`], as JSON.
    pub body: String,
}

/// Whether a vote on a subject whose truth is known was right; told after the vote, never before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Right in every task.
    pub is_right: bool,
    /// What is true.
    pub truth: Answers,
}

/// Something to be delivered, at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The same on every attempt, so that a receiver can tell repeats.
    pub id: String,
    /// Since when it waits; milliseconds since 1970, UTC.
    pub created_ms: i64,
    /// Attempts so far.
    pub attempts: i64,
    /// What to deliver, as JSON.
    pub body: String,
}

/// What the store holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events in the log.
    pub n_events: i64,
    /// Votes among them.
    pub n_votes: i64,
    /// Events in quarantine.
    pub n_quarantined: i64,
    /// Strands: a subject in a workflow.
    pub n_strands: i64,
    /// Strands that retired.
    pub n_retired: i64,
    /// Alerts.
    pub n_alerts: i64,
    /// Deliveries that wait.
    pub n_waiting: i64,
}

enum Command {
    Submit { events: Vec<Heard>, cursor: Option<(String, String)>, reply: Reply<Vec<Outcome>> },
    Delivered { id: String, reply: Reply<()> },
    Attempted { id: String, reply: Reply<()> },
    Rebuild { reply: Reply<String> },
    Book { subject: String, reply: Reply<Book> },
    Verdicts { keys: Vec<Key>, reply: Reply<Vec<Option<Verdict>>> },
    Look { look: Box<dyn FnOnce(&Engine) + Send> },
    Close { reply: Reply<()> },
}

type Reply<T> = oneshot::Sender<Result<T, LiveError>>;

/// A handle to the store.
#[derive(Clone)]
pub struct Live {
    commands: mpsc::Sender<Command>,
    told: broadcast::Sender<Arc<Told>>,
    reader: Arc<Mutex<Database>>,
    place: Place,
}

impl Live {
    /// Opens a store, or makes one, and starts its writer in the current tokio runtime.
    ///
    /// # Errors
    /// [`LiveError`]: the database cannot be opened, is in use, or is newer than this program.
    pub async fn open(place: &Place, options: Options) -> Result<Self, LiveError> {
        let failed = |action| move |reason| database_error(action, place, reason);
        let lock = match place {
            Place::File(path) => Some(lock_file(path)?),
            Place::Url(_) => None,
        };
        let opened = Database::open(place, Access::Write).await;
        let mut database = opened.map_err(failed("opening the database"))?;
        if !database.try_lock().await.map_err(failed("locking the database"))? {
            return Err(LiveError::Locked(place.to_string()));
        }
        if let Err(found) = database.migrate().await.map_err(failed("making the tables"))? {
            let (known, place) = (schema::STEPS.len() as i64, place.to_string());
            return Err(LiveError::Newer { found, known, place });
        }
        Self::start(database, lock, place, options).await
    }

    /// Opens a store to look at it, also while another process writes to it. What would change it fails.
    ///
    /// # Errors
    /// [`LiveError`]: there is no store, or it is not of this program's version.
    pub async fn look(place: &Place) -> Result<Self, LiveError> {
        let failed = |action| move |reason| database_error(action, place, reason);
        let opened = Database::open(place, Access::Read).await;
        let mut database = opened.map_err(failed("opening the database"))?;
        let found = database.version().await.map_err(failed("reading the tables' version"))?;
        let known = schema::STEPS.len() as i64;
        if found > known {
            return Err(LiveError::Newer { found, known, place: place.to_string() });
        }
        if found < known {
            return Err(LiveError::Older { found, known, place: place.to_string() });
        }
        Self::start(database, None, place, Options::default()).await
    }

    async fn start(
        database: Database,
        lock: Option<File>,
        place: &Place,
        options: Options,
    ) -> Result<Self, LiveError> {
        let opened = Database::open(place, Access::Read).await;
        let reader = opened.map_err(|reason| database_error("opening the database", place, reason))?;
        let (commands, inbox) = mpsc::channel(1024);
        let (told, _) = broadcast::channel(4096);
        let writer = Writer::start(database, lock, place.clone(), options, told.clone()).await?;
        tokio::spawn(writer.serve(inbox));
        let reader = Arc::new(Mutex::new(reader));
        Ok(Self { commands, told, reader, place: place.clone() })
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LiveError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| LiveError::Stopped)?;
        answer.await.map_err(|_| LiveError::Stopped)?
    }

    /// Submits events; answers, one outcome each, when they are on disk.
    ///
    /// # Errors
    /// [`LiveError`]: nothing of this call was acknowledged, and all of it may be submitted again.
    pub async fn submit(&self, events: Vec<Event>) -> Result<Vec<Outcome>, LiveError> {
        let events = events.into_iter().map(|event| Heard { received_ms: None, event }).collect();
        self.submit_heard(events, None).await
    }

    /// The same with the time of first receipt, and with how far a source has been read, which is
    /// remembered in the same transaction.
    ///
    /// # Errors
    /// As [`Live::submit`].
    pub async fn submit_heard(
        &self,
        events: Vec<Heard>,
        cursor: Option<(String, String)>,
    ) -> Result<Vec<Outcome>, LiveError> {
        self.ask(|reply| Command::Submit { events, cursor, reply }).await
    }

    /// What is told from now on. A receiver that falls behind is told so, and asks [`Live::told_after`].
    #[must_use]
    pub fn told(&self) -> broadcast::Receiver<Arc<Told>> {
        self.told.subscribe()
    }

    /// What was told after place `seq`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn told_after(&self, seq: i64, limit: u32) -> Result<Vec<Told>, LiveError> {
        let sql = "SELECT seq, id, created_ms, body FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.rows(sql, &[seq.into(), i64::from(limit).into()]).await?;
        let told = |row: &sqlx::any::AnyRow| {
            let (seq, id) = (self.cell(row, 0)?, self.cell(row, 1)?);
            Ok(Told { seq, id, at_ms: self.cell(row, 2)?, body: self.cell(row, 3)? })
        };
        rows.iter().map(told).collect()
    }

    /// Whether votes were right, where the truth of their subject is known; `None` for all others. The
    /// same whenever it is asked again, as long as the truth stays.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn verdicts(&self, votes: &[Key]) -> Result<Vec<Option<Verdict>>, LiveError> {
        let keys = votes.to_vec();
        self.ask(|reply| Command::Verdicts { keys, reply }).await
    }

    /// A person's votes on subjects whose truth is known, cell by cell of the confusion matrix.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn skill(&self, actor: &Actor) -> Result<Vec<crate::skill::Confusion>, LiveError> {
        let rows =
            self.rows("SELECT body FROM exams WHERE actor = $1", &[actor.to_text().into()]).await?;
        let exam = |row: &sqlx::any::AnyRow| {
            let body: String = self.cell(row, 0)?;
            parsed::<crate::skill::Exam>(&body, 0, &self.place)
        };
        let exams = rows.iter().map(exam).collect::<Result<Vec<_>, _>>()?;
        Ok(crate::skill::confusion(&exams))
    }

    /// What is known of subjects beside their votes, those after `subject` by name, at most `limit`.
    /// Sorted by the bytes of the name in SQLite, and as PostgreSQL was set up to sort there.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn cards_after(&self, subject: &str, limit: u32) -> Result<Vec<Card>, LiveError> {
        let sql = "SELECT body FROM subjects WHERE subject > $1 ORDER BY subject LIMIT $2";
        let rows = self.rows(sql, &[subject.into(), i64::from(limit).into()]).await?;
        let card = |row: &sqlx::any::AnyRow| {
            let body: String = self.cell(row, 0)?;
            parsed(&body, 0, &self.place)
        };
        rows.iter().map(card).collect()
    }

    /// Makes everything that is derived anew from the log; gives the hash of the state.
    ///
    /// # Errors
    /// [`LiveError`]; what was there before is then still there.
    pub async fn rebuild(&self) -> Result<String, LiveError> {
        self.ask(|reply| Command::Rebuild { reply }).await
    }

    /// The book of a subject.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn book(&self, subject: &str) -> Result<Book, LiveError> {
        let subject = subject.to_owned();
        self.ask(|reply| Command::Book { subject, reply }).await
    }

    /// The policy in force.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn policy(&self) -> Result<Policy, LiveError> {
        self.of_engine(|engine| engine.policy().clone()).await
    }

    /// What is known of people.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn people(&self) -> Result<People, LiveError> {
        self.of_engine(|engine| engine.people().clone()).await
    }

    /// Something of the engine, between two batches of its work.
    async fn of_engine<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, LiveError> {
        let look = |reply: Reply<T>| Command::Look {
            look: Box::new(move |engine| {
                // Nobody may be waiting any more.
                let _ = reply.send(Ok(look(engine)));
            }),
        };
        self.ask(look).await
    }

    /// A delivery was made.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn delivered(&self, id: &str) -> Result<(), LiveError> {
        let id = id.to_owned();
        self.ask(|reply| Command::Delivered { id, reply }).await
    }

    /// A delivery was tried in vain.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn attempted(&self, id: &str) -> Result<(), LiveError> {
        let id = id.to_owned();
        self.ask(|reply| Command::Attempted { id, reply }).await
    }

    /// Writes what is waiting and stops.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn close(self) -> Result<(), LiveError> {
        self.ask(|reply| Command::Close { reply }).await
    }

    async fn rows(&self, sql: &str, cells: &[Cell]) -> Result<Vec<sqlx::any::AnyRow>, LiveError> {
        let mut reader = self.reader.lock().await;
        reader.all(sql, cells).await.map_err(|reason| database_error("reading", &self.place, reason))
    }

    fn cell<'r, T>(&self, row: &'r sqlx::any::AnyRow, at: usize) -> Result<T, LiveError>
    where
        T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        row.try_get(at).map_err(|reason| database_error("reading", &self.place, reason))
    }

    /// The alerts after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn alerts(&self, after: u64, limit: u32) -> Result<Vec<Alert>, LiveError> {
        let sql = "SELECT number, body FROM alerts WHERE number > $1 ORDER BY number LIMIT $2";
        self.alert_rows(sql, after as i64, limit).await
    }

    /// The alerts before number `before`, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn newest_alerts(&self, before: u64, limit: u32) -> Result<Vec<Alert>, LiveError> {
        let sql = "SELECT number, body FROM alerts WHERE number < $1 ORDER BY number DESC LIMIT $2";
        self.alert_rows(sql, i64::try_from(before).unwrap_or(i64::MAX), limit).await
    }

    async fn alert_rows(&self, sql: &str, number: i64, limit: u32) -> Result<Vec<Alert>, LiveError> {
        let rows = self.rows(sql, &[number.into(), i64::from(limit).into()]).await?;
        let alert = |row: &sqlx::any::AnyRow| {
            let body: String = self.cell(row, 1)?;
            parsed(&body, self.cell(row, 0)?, &self.place)
        };
        rows.iter().map(alert).collect()
    }

    /// The log after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn log(&self, after: i64, limit: u32) -> Result<Vec<Logged>, LiveError> {
        let sql = "SELECT seq, received_ms, body FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.rows(sql, &[after.into(), i64::from(limit).into()]).await?;
        rows.iter().map(|row| logged(row, &self.place)).collect()
    }

    /// The same with the subject whose book each event belongs to, for [`crate::replay::Replay`].
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn history(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(Logged, Option<String>)>, LiveError> {
        let sql =
            "SELECT seq, received_ms, body, subject FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.rows(sql, &[after.into(), i64::from(limit).into()]).await?;
        rows.iter().map(|row| Ok((logged(row, &self.place)?, self.cell(row, 3)?))).collect()
    }

    /// The summaries of strands as JSON, sorted by subject, workflow and version.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn summaries(&self) -> Result<Vec<String>, LiveError> {
        let rows = self.rows("SELECT subject, workflow, major, body FROM tallies", &[]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: [String; 3] = [self.cell(row, 0)?, self.cell(row, 1)?, self.cell(row, 2)?];
            found.push((key, self.cell::<String>(row, 3)?));
        }
        // Sorted here, because databases sort text each in their own way.
        found.sort();
        Ok(found.into_iter().map(|(_, body)| body).collect())
    }

    /// What waits for delivery, oldest first.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn waiting(&self, limit: u32) -> Result<Vec<Waiting>, LiveError> {
        let sql = "SELECT id, created_ms, attempts, body FROM outbox WHERE delivered_ms IS NULL
            ORDER BY seq LIMIT $1";
        let rows = self.rows(sql, &[i64::from(limit).into()]).await?;
        let waiting = |row: &sqlx::any::AnyRow| {
            let (id, created_ms) = (self.cell(row, 0)?, self.cell(row, 1)?);
            Ok(Waiting { id, created_ms, attempts: self.cell(row, 2)?, body: self.cell(row, 3)? })
        };
        rows.iter().map(waiting).collect()
    }

    /// Votes by actor, most active first; every actor with at least one.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn voters(&self) -> Result<Vec<(String, i64)>, LiveError> {
        let sql = "SELECT actor, COUNT(*) FROM events WHERE kind = 'vote' GROUP BY actor";
        let rows = self.rows(sql, &[]).await?;
        let mut voters = Vec::with_capacity(rows.len());
        for row in &rows {
            voters.push((self.cell::<String>(row, 0)?, self.cell::<i64>(row, 1)?));
        }
        voters.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(voters)
    }

    /// How far a source has been read.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn cursor(&self, source: &str) -> Result<Option<String>, LiveError> {
        let rows = self.rows("SELECT last_id FROM cursors WHERE source = $1", &[source.into()]).await?;
        rows.first().map(|row| self.cell(row, 0)).transpose()
    }

    /// How much is there.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn counts(&self) -> Result<Counts, LiveError> {
        let count = async |sql: &str| {
            let rows = self.rows(sql, &[]).await?;
            rows.first().map_or(Ok(0), |row| self.cell::<i64>(row, 0))
        };
        Ok(Counts {
            n_events: count("SELECT COUNT(*) FROM events").await?,
            n_votes: count("SELECT COUNT(*) FROM events WHERE kind = 'vote'").await?,
            n_quarantined: count("SELECT COUNT(*) FROM quarantine").await?,
            n_strands: count("SELECT COUNT(*) FROM tallies").await?,
            n_retired: count("SELECT COUNT(*) FROM tallies WHERE retired = 1").await?,
            n_alerts: count("SELECT COUNT(*) FROM alerts").await?,
            n_waiting: count("SELECT COUNT(*) FROM outbox WHERE delivered_ms IS NULL").await?,
        })
    }

    /// Hash over everything derived: equal for equal states, in either database.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn state_hash(&self) -> Result<String, LiveError> {
        let mut reader = self.reader.lock().await;
        writer::state_hash(&mut reader).await.map_err(|e| database_error("reading", &self.place, e))
    }

    /// Copies a SQLite store to a new file while it is being written to: one consistent moment.
    ///
    /// # Errors
    /// [`LiveError`]; also where the file is there already.
    pub async fn back_up(&self, to: &Path) -> Result<(), LiveError> {
        if !self.place.is_file() {
            return Err(LiveError::NotAFile);
        }
        let failed = |reason| database_error("backing up", &self.place, reason);
        // A connection of its own: those that only read may not make a file either.
        let mut copier = Database::open(&self.place, Access::Write).await.map_err(failed)?;
        let to = to.to_string_lossy().into_owned();
        copier.run("VACUUM INTO $1", &[to.into()]).await.map_err(failed)?;
        copier.close().await.map_err(failed)
    }
}

/// How often, and how far apart, a lock is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(30);

fn lock_file(path: &Path) -> Result<File, LiveError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let io = |action, reason| LiveError::Io { action, reason: Arc::new(reason), path: lock.clone() };
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
    let file = open.map_err(|reason| io("making the lock file", reason))?;
    // Whoever ends, or starts another program just now, holds it for a moment longer.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(std::fs::TryLockError::Error(reason)) => return Err(io("locking", reason)),
        }
    }
    Err(LiveError::Locked(path.display().to_string()))
}

fn database_error(action: &'static str, place: &Place, reason: sqlx::Error) -> LiveError {
    LiveError::Database { action, reason: Arc::new(reason), place: place.to_string() }
}

fn parsed<T: serde::de::DeserializeOwned>(body: &str, seq: i64, place: &Place) -> Result<T, LiveError> {
    let corrupt = |e: serde_json::Error| {
        let (reason, place) = (e.to_string(), place.to_string());
        LiveError::Corrupt { seq, reason, place }
    };
    serde_json::from_str(body).map_err(corrupt)
}

/// A row of `seq, received_ms, body`.
fn logged(row: &sqlx::any::AnyRow, place: &Place) -> Result<Logged, LiveError> {
    let failed = |reason| database_error("reading the log", place, reason);
    let seq = row.try_get(0).map_err(failed)?;
    let received_ms = row.try_get(1).map_err(failed)?;
    let body: String = row.try_get(2).map_err(failed)?;
    Ok(Logged { seq, received_ms, event: parsed(&body, seq, place)? })
}
