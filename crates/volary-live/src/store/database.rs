//! A connection to either database, and the few shapes of statement that the store needs.
//!
//! One code path, by sqlx's choice of driver at run time; the only difference is how places are marked. Values
//! are always bound, never written into a statement.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::schema::STEPS;

/// Where the events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, made if it is not there.
    File(PathBuf),
    /// A PostgreSQL database, `postgres://…`.
    Url(String),
}

impl Place {
    /// A URL if it looks like one, else a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    fn url(&self, access: Access) -> String {
        let mode = if access == Access::Write { "rwc" } else { "rw" };
        match self {
            Self::File(path) => format!("sqlite:{}?mode={mode}", percent_encoded(path)),
            Self::Url(url) => url.clone(),
        }
    }
}

impl std::fmt::Display for Place {
    /// Without the password of a URL.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => match url.rsplit_once('@') {
                Some((_, host)) => write!(f, "postgres://…@{host}"),
                None => f.write_str(url),
            },
        }
    }
}

fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    /// Beside a writer, and unable to change anything.
    Read,
}

/// A value of a statement.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Int(i64),
    Text(String),
    Maybe(Option<String>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A connection.
pub(super) struct Database {
    connection: AnyConnection,
    is_file: bool,
}

/// Rows in one statement: few sizes, so that the prepared statements are used again.
const SIZES: [usize; 3] = [256, 16, 1];

/// How often, and how long apart, PostgreSQL's lock is asked for.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);

type Bound<'q> = Query<'q, Any, AnyArguments>;

impl Database {
    pub(super) async fn open(place: &Place, access: Access) -> sqlx::Result<Self> {
        sqlx::any::install_default_drivers();
        let connection = AnyConnection::connect(&place.url(access)).await?;
        let mut database = Self { connection, is_file: place.is_file() };
        let settings: &[&str] = match (database.is_file, access) {
            // FULL: a commit returns when the write-ahead log is on disk, not before.
            (true, Access::Write) => &[
                "PRAGMA busy_timeout = 10000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA cache_size = -32000",
            ],
            (true, Access::Read) => &["PRAGMA busy_timeout = 10000", "PRAGMA query_only = ON"],
            (false, Access::Write) => &["SET synchronous_commit = on"],
            (false, Access::Read) => &["SET default_transaction_read_only = on"],
        };
        for setting in settings {
            database.run(setting, &[]).await?;
        }
        Ok(database)
    }

    fn bound<'q>(sql: String, cells: Vec<Cell>) -> Bound<'q> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in cells {
            query = match cell {
                Cell::Int(value) => query.bind(value),
                Cell::Text(value) => query.bind(value),
                Cell::Maybe(value) => query.bind(value),
            };
        }
        query
    }

    /// The place of a value. SQLite looks the names of places up one by one, which takes it a fifth of all
    /// time with two thousand of them; places without names it does not look up.
    fn mark(&self, at: usize) -> String {
        if self.is_file { "?".to_owned() } else { format!("${at}") }
    }

    /// A statement with `$1`, `$2`, … in this order, as the database likes it best.
    fn dialect(&self, sql: &str) -> String {
        if !self.is_file || !sql.contains('$') {
            return sql.to_owned();
        }
        let mut parts = sql.split('$');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            text.push('?');
            text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        text
    }

    /// Runs one statement; gives the number of rows that it changed.
    pub(super) async fn run(&mut self, sql: &str, cells: &[Cell]) -> sqlx::Result<u64> {
        Self::bound(self.dialect(sql), cells.to_vec())
            .execute(&mut self.connection)
            .await
            .map(|done| done.rows_affected())
    }

    /// All rows of a query.
    pub(super) async fn all(&mut self, sql: &str, cells: &[Cell]) -> sqlx::Result<Vec<AnyRow>> {
        Self::bound(self.dialect(sql), cells.to_vec()).fetch_all(&mut self.connection).await
    }

    /// All rows of a query with `IN ({list})`, whose values may be many.
    pub(super) async fn all_in(
        &mut self,
        sql: &str,
        first: &[Cell],
        values: &[String],
    ) -> sqlx::Result<Vec<AnyRow>> {
        let mut rows = Vec::new();
        let mut rest = values;
        while let Some(last) = rest.last() {
            let size = SIZES.into_iter().find(|&s| s == 1 || rest.len() * 2 > s).unwrap_or(1);
            let (now, later) = rest.split_at(size.min(rest.len()));
            let mut cells = first.to_vec();
            // Filled up with a repeated value, which changes nothing within IN.
            cells.extend((0..size).map(|at| Cell::Text(now.get(at).unwrap_or(last).clone())));
            let list: Vec<String> = (1..=size).map(|at| self.mark(first.len() + at)).collect();
            rows.extend(self.all(&sql.replace("{list}", &list.join(",")), &cells).await?);
            rest = later;
        }
        Ok(rows)
    }

    /// Inserts rows of equal width.
    pub(super) async fn insert(
        &mut self,
        head: &str,
        tail: &str,
        rows: Vec<Vec<Cell>>,
    ) -> sqlx::Result<()> {
        let mut rest = rows.into_iter();
        while let Some(width) = rest.as_slice().first().map(Vec::len) {
            let size = SIZES.into_iter().find(|&s| s <= rest.len()).unwrap_or(1);
            let mut sql = format!("{head} VALUES ");
            for at in 0..size {
                sql.push_str(if at == 0 { "(" } else { ",(" });
                for column in 1..=width {
                    if column > 1 {
                        sql.push(',');
                    }
                    sql.push_str(&self.mark(at * width + column));
                }
                sql.push(')');
            }
            sql.push(' ');
            sql.push_str(tail);
            let cells = rest.by_ref().take(size).flatten().collect();
            Self::bound(sql, cells).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> sqlx::Result<()> {
        self.run(if self.is_file { "BEGIN IMMEDIATE" } else { "BEGIN" }, &[]).await.map(|_| ())
    }

    /// From here on, reads see the store as it is now.
    pub(super) async fn freeze(&mut self) -> sqlx::Result<()> {
        let begin =
            if self.is_file { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        self.run(begin, &[]).await?;
        // Either database takes its picture at the first read.
        self.all("SELECT seq FROM events LIMIT 1", &[]).await.map(|_| ())
    }

    pub(super) async fn commit(&mut self) -> sqlx::Result<()> {
        self.run("COMMIT", &[]).await.map(|_| ())
    }

    pub(super) async fn roll_back(&mut self) {
        // Where the connection is gone, so is the transaction.
        let _ = self.run("ROLLBACK", &[]).await;
    }

    /// PostgreSQL: one writer a database. SQLite's is a file lock, taken before.
    pub(super) async fn try_lock(&mut self) -> sqlx::Result<bool> {
        if self.is_file {
            return Ok(true);
        }
        // A writer that was killed holds its lock until the server has noticed.
        for _ in 0..LOCK_ATTEMPTS {
            // "volary" in ASCII.
            let rows = self.all("SELECT pg_try_advisory_lock(130286262448761)", &[]).await?;
            if rows.first().map_or(Ok(false), |row| row.try_get(0))? {
                return Ok(true);
            }
            tokio::time::sleep(LOCK_WAIT).await;
        }
        Ok(false)
    }

    /// The version of its tables; 0 where there are none.
    pub(super) async fn version(&mut self) -> sqlx::Result<i64> {
        let rows = self.all("SELECT value FROM meta WHERE name = 'schema'", &[]).await?;
        rows.first().map_or(Ok(0), |row| row.try_get(0))
    }

    /// Brings the tables up to date; `Err(version)`: made by a newer Volary.
    pub(super) async fn migrate(&mut self) -> sqlx::Result<Result<(), i64>> {
        self.run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)", &[])
            .await?;
        let found = self.version().await?;
        if found > STEPS.len() as i64 {
            return Ok(Err(found));
        }
        let integer = if self.is_file { "INTEGER" } else { "BIGINT" };
        for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > found) {
            self.begin().await?;
            for statement in *step {
                self.run(&statement.replace("{integer}", integer), &[]).await?;
            }
            let sql = "INSERT INTO meta (name, value) VALUES ('schema', $1)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            self.run(sql, &[version.into()]).await?;
            self.commit().await?;
        }
        Ok(Ok(()))
    }

    pub(super) async fn close(mut self) -> sqlx::Result<()> {
        if !self.is_file {
            // The server would let go by itself, but only some moments after the connection has gone.
            self.run("SELECT pg_advisory_unlock_all()", &[]).await?;
        }
        self.connection.close().await
    }
}
