//! Pages of what the store holds, for those who must not read everything at once.
//!
//! Each page begins behind the last row of the page before, found by an index, so that a page far behind
//! costs what the first one does. Text is compared as the database sorts it, which is why the order of
//! subjects may differ between databases; a walk through all pages meets each row once in either.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::database::{Access, Cell, Database};
use super::{Live, LiveError, database_error, logged, parsed};
use crate::book::{Card, Effect};
use crate::event::{Actor, Event, Kind, Logged};

/// Subject, workflow and major version.
pub type StrandId = [String; 3];

impl Live {
    /// A handle whose reads all see the store as it is now, whatever is written meanwhile. It has a connection
    /// of its own and keeps the database from tidying up behind the writer, so it should be dropped soon.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn frozen(&self) -> Result<Self, LiveError> {
        let failed = |reason| database_error("opening the database", &self.place, reason);
        let mut reader = Database::open(&self.place, Access::Read).await.map_err(failed)?;
        reader.freeze().await.map_err(failed)?;
        Ok(Self { reader: Arc::new(Mutex::new(reader)), ..self.clone() })
    }

    /// What is known of some subjects beside their votes, sorted by id; nothing of those never heard of.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn cards_of(&self, subjects: &[String]) -> Result<BTreeMap<String, Card>, LiveError> {
        let sql = "SELECT subject, body FROM subjects WHERE subject IN ({list})";
        let mut found = BTreeMap::new();
        for row in &self.rows_in(sql, &[], subjects).await? {
            let body: String = self.cell(row, 1)?;
            found.insert(self.cell(row, 0)?, parsed(&body, 0, &self.place)?);
        }
        Ok(found)
    }

    /// Summaries of strands after `after`, as JSON, at most `limit`; of one workflow, if one is named.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn summary_page(
        &self,
        after: &StrandId,
        workflow: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(StrandId, String)>, LiveError> {
        let [subject, of, major] = after.clone().map(Cell::from);
        let mut cells = vec![subject, of, major, i64::from(limit).into()];
        let mut sql = "SELECT subject, workflow, major, body FROM tallies
            WHERE (subject, workflow, major) > ($1, $2, $3)"
            .to_owned();
        if let Some(workflow) = workflow {
            sql.push_str(" AND workflow = $4");
            cells.insert(3, workflow.into());
        }
        sql.push_str(" ORDER BY subject, workflow, major LIMIT $");
        sql.push_str(&cells.len().to_string());
        self.summaries_in(&self.rows(&sql, &cells).await?)
    }

    /// The summaries of some subjects, as JSON.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn summaries_of(&self, subjects: &[String]) -> Result<Vec<(StrandId, String)>, LiveError> {
        let sql = "SELECT subject, workflow, major, body FROM tallies WHERE subject IN ({list})";
        let mut found = self.summaries_in(&self.rows_in(sql, &[], subjects).await?)?;
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn summaries_in(&self, rows: &[sqlx::any::AnyRow]) -> Result<Vec<(StrandId, String)>, LiveError> {
        let one = |row: &sqlx::any::AnyRow| {
            let id = [self.cell(row, 0)?, self.cell(row, 1)?, self.cell(row, 2)?];
            Ok((id, self.cell(row, 3)?))
        };
        rows.iter().map(one).collect()
    }

    /// Workflows that have votes, sorted.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn workflows(&self) -> Result<BTreeSet<String>, LiveError> {
        let rows = self.rows("SELECT DISTINCT workflow FROM tallies", &[]).await?;
        rows.iter().map(|row| self.cell(row, 0)).collect()
    }

    /// Votes, retractions and corrections after place `after` of the log, at most `limit`; of one subject,
    /// if one is named.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn vote_page(
        &self,
        after: i64,
        subject: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Logged>, LiveError> {
        let of = "SELECT seq, received_ms, body FROM events
            WHERE seq > $1 AND kind IN ('vote', 'retract', 'correct')";
        let rows = match subject {
            Some(subject) => {
                let sql = format!("{of} AND subject = $2 ORDER BY seq LIMIT $3");
                self.rows(&sql, &[after.into(), subject.into(), i64::from(limit).into()]).await?
            }
            None => {
                let sql = format!("{of} ORDER BY seq LIMIT $2");
                self.rows(&sql, &[after.into(), i64::from(limit).into()]).await?
            }
        };
        rows.iter().map(|row| logged(row, &self.place)).collect()
    }

    /// Announced subjects that are open and that this actor has not voted on, those with the fewest votes
    /// first, at most `limit`. It looks at every subject.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn unseen(&self, actor: &str, limit: u32) -> Result<Vec<String>, LiveError> {
        let sql = "SELECT s.body, COALESCE(t.retired, 0)
            FROM subjects s
            LEFT JOIN (SELECT subject, SUM(n) AS n, MAX(retired) AS retired FROM tallies GROUP BY subject) t
                ON t.subject = s.subject
            WHERE NOT EXISTS (
                SELECT 1 FROM events v WHERE v.subject = s.subject AND v.kind = 'vote' AND v.actor = $1)
            ORDER BY COALESCE(t.n, 0), s.subject LIMIT $2";
        // The few that are closed among those with few votes were closed by hand.
        let mut asked = i64::from(limit) + 64;
        loop {
            let rows = self.rows(sql, &[actor.into(), asked.into()]).await?;
            let mut open = Vec::new();
            for row in &rows {
                let (body, retired): (String, i64) = (self.cell(row, 0)?, self.cell(row, 1)?);
                let card: Card = parsed(&body, 0, &self.place)?;
                if card.is_open(retired != 0) {
                    open.push(card.subject);
                }
            }
            if open.len() >= limit as usize || (rows.len() as i64) < asked {
                open.truncate(limit as usize);
                return Ok(open);
            }
            asked *= 4;
        }
    }

    /// Subjects that rules moved into other workflows, by workflow, after place `after` of what was told;
    /// and the last place that was looked at.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn moved(
        &self,
        after: i64,
    ) -> Result<(BTreeMap<String, BTreeSet<String>>, i64), LiveError> {
        let sql = "SELECT seq, body FROM outbox WHERE seq > $1 AND id LIKE 'moved/%' ORDER BY seq";
        let (mut moved, mut last): (BTreeMap<String, BTreeSet<String>>, i64) = (BTreeMap::new(), after);
        for row in &self.rows(sql, &[after.into()]).await? {
            last = self.cell(row, 0)?;
            let body: String = self.cell(row, 1)?;
            if let Effect::Moved { subject, to, .. } = parsed(&body, last, &self.place)? {
                moved.entry(to).or_default().insert(subject);
            }
        }
        Ok((moved, last))
    }

    /// The last place in the log; 0 while it is empty.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn last_seq(&self) -> Result<i64, LiveError> {
        let rows = self.rows("SELECT COALESCE(MAX(seq), 0) FROM events", &[]).await?;
        rows.first().map_or(Ok(0), |row| self.cell(row, 0))
    }

    /// The subjects that somebody has voted on.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn seen_by(&self, actor: &Actor) -> Result<HashSet<String>, LiveError> {
        let sql = "SELECT DISTINCT subject FROM events WHERE actor = $1";
        let rows = self.rows(sql, &[actor.to_text().into()]).await?;
        rows.iter().map(|row| self.cell(row, 0)).collect()
    }

    /// Subjects whose truth is known. It looks at every subject, so ask once.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn validation_subjects(&self) -> Result<Vec<String>, LiveError> {
        // Quotes within a fact are escaped, so that no fact can look like this.
        let sql = "SELECT subject FROM subjects WHERE body LIKE '%\"validation\":true%'";
        self.rows(sql, &[]).await?.iter().map(|row| self.cell(row, 0)).collect()
    }

    /// The same in one workflow only.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn seen_by_in(&self, actor: &Actor, workflow: &str) -> Result<HashSet<String>, LiveError> {
        let sql = "SELECT subject, body FROM events WHERE actor = $1";
        let mut seen = HashSet::new();
        for row in &self.rows(sql, &[actor.to_text().into()]).await? {
            let (subject, body): (String, String) = (self.cell(row, 0)?, self.cell(row, 1)?);
            let event: Event = parsed(&body, 0, &self.place)?;
            if matches!(event.kind, Kind::Vote { workflow: of, .. } if of == workflow) {
                seen.insert(subject);
            }
        }
        Ok(seen)
    }

    /// What was done about alerts, in the order of the log.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn actions(&self) -> Result<Vec<Logged>, LiveError> {
        // Said twice, so that the database sees that the index of what is no vote will do.
        let sql = "SELECT seq, received_ms, body FROM events
            WHERE kind <> 'vote' AND kind = 'action' ORDER BY seq";
        let rows = self.rows(sql, &[]).await?;
        rows.iter().map(|row| logged(row, &self.place)).collect()
    }

    /// What people retired or opened by hand among these subjects, in the order of the log.
    ///
    /// # Errors
    /// [`LiveError`].
    pub async fn retirements_of(&self, subjects: &[String]) -> Result<Vec<Logged>, LiveError> {
        let sql = "SELECT seq, received_ms, body FROM events
            WHERE kind = 'retirement' AND subject IN ({list})";
        let rows = self.rows_in(sql, &[], subjects).await?;
        let mut found: Vec<Logged> =
            rows.iter().map(|row| logged(row, &self.place)).collect::<Result<_, _>>()?;
        found.sort_by_key(|logged| logged.seq);
        found.dedup_by_key(|logged| logged.seq);
        Ok(found)
    }

    async fn rows_in(
        &self,
        sql: &str,
        first: &[Cell],
        values: &[String],
    ) -> Result<Vec<sqlx::any::AnyRow>, LiveError> {
        let mut reader = self.reader.lock().await;
        let rows = reader.all_in(sql, first, values).await;
        rows.map_err(|reason| database_error("reading", &self.place, reason))
    }
}
