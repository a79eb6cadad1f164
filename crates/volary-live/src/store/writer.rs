//! The one writer: takes what has gathered, folds it, writes it in one transaction, then answers.
//!
//! Books that a batch touches are read from the log when they are not in memory, so that starting takes no
//! longer with ten million events than with ten. Rebuilding is the same path without storing the events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;

use sqlx::Row as _;
use tokio::sync::{broadcast, mpsc};

use super::database::{Cell, Database, Place};
use super::{Command, Heard, LiveError, Options, Outcome, Reply, Told, database_error, logged, parsed};
use crate::alert::Alert;
use crate::book::{Announced, Book, Chain, Effect, StrandKey};
use crate::engine::Engine;
use crate::event::{Key, Kind, Logged};
use crate::skill::Skills;

/// How many events a rebuild folds at a time.
const REBUILD_CHUNK: i64 = 4_096;
/// So many people's exams are kept in memory, for each book that may be.
const PEOPLE_PER_BOOK: usize = 16;

pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) place: Place,
    options: Options,
    told: broadcast::Sender<Arc<Told>>,
    pub(super) engine: Engine,
    /// Books that were not touched lately; the next to leave.
    resting: HashMap<String, Book>,
    pub(super) last_seq: i64,
    last_told: i64,
    /// Of a file; let go when the last transaction is written.
    lock: Option<File>,
}

struct Submission {
    events: Vec<Heard>,
    cursor: Option<(String, String)>,
    reply: Reply<Vec<Outcome>>,
}

/// An event with the subject whose book it goes into.
struct Placed {
    logged: Logged,
    subject: Option<String>,
}

/// What is stored under a key.
#[derive(Clone)]
struct Stored {
    content: String,
    subject: Option<String>,
    is_vote: bool,
}

impl Writer {
    pub(super) async fn start(
        database: Database,
        lock: Option<File>,
        place: Place,
        options: Options,
        told: broadcast::Sender<Arc<Told>>,
    ) -> Result<Self, LiveError> {
        let (engine, resting) = (Engine::default(), HashMap::new());
        let (last_seq, last_told) = (0, 0);
        let mut writer =
            Self { database, place, options, told, engine, resting, last_seq, last_told, lock };
        writer.recall().await?;
        Ok(writer)
    }

    pub(super) fn failed(&self, action: &'static str) -> impl Fn(sqlx::Error) -> LiveError + use<> {
        let place = self.place.clone();
        move |reason| database_error(action, &place, reason)
    }

    /// Reads what must always be in memory: policy, people, early changes, and the chain's end.
    async fn recall(&mut self) -> Result<(), LiveError> {
        let failed = self.failed("reading the log");
        let rows =
            self.database.all("SELECT COALESCE(MAX(seq), 0) FROM events", &[]).await.map_err(&failed)?;
        self.last_seq = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(&failed)?;
        let rows =
            self.database.all("SELECT COALESCE(MAX(seq), 0) FROM outbox", &[]).await.map_err(&failed)?;
        self.last_told = rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(&failed)?;
        let people = "SELECT seq, received_ms, body FROM events
            WHERE kind <> 'vote' AND kind IN ('policy', 'opt_out', 'credit', 'name', 'commitment')
            ORDER BY seq";
        let early = "SELECT seq, received_ms, body FROM events
            WHERE kind <> 'vote' AND kind IN ('retract', 'correct') AND subject IS NULL ORDER BY seq";
        for sql in [people, early] {
            for row in self.database.all(sql, &[]).await.map_err(&failed)? {
                self.engine.note(&logged(&row, &self.place)?, None);
            }
        }
        let sql = "SELECT number, body FROM alerts ORDER BY number DESC LIMIT 1";
        if let Some(row) = self.database.all(sql, &[]).await.map_err(&failed)?.first() {
            let (number, body): (i64, String) =
                (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
            let alert: Alert = parsed(&body, number, &self.place)?;
            self.engine.set_chain(Chain { n: alert.number, hash: alert.hash });
        }
        Ok(())
    }

    /// Serves commands until there is nobody left to send them, or a write fails.
    pub(super) async fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut next = None;
        loop {
            let command = match next.take() {
                Some(command) => command,
                None => match inbox.recv().await {
                    Some(command) => command,
                    None => break,
                },
            };
            let result = match command {
                Command::Submit { events, cursor, reply } => {
                    let mut gathered = vec![Submission { events, cursor, reply }];
                    next = self.gather(&mut inbox, &mut gathered);
                    self.commit(gathered).await
                }
                Command::Delivered { id, reply } => {
                    let now_ms = (self.options.now_ms)();
                    let sql =
                        "UPDATE outbox SET delivered_ms = $1 WHERE id = $2 AND delivered_ms IS NULL";
                    self.update(sql, &[now_ms.into(), id.into()], reply).await
                }
                Command::Attempted { id, reply } => {
                    let sql = "UPDATE outbox SET attempts = attempts + 1 WHERE id = $1";
                    self.update(sql, &[id.into()], reply).await
                }
                Command::Rebuild { reply } => {
                    let result = self.rebuild().await;
                    if result.is_err() {
                        self.database.roll_back().await;
                    }
                    answer(reply, result)
                }
                Command::Book { subject, reply } => {
                    let result = self.load(&BTreeSet::from([subject.clone()]), i64::MAX).await;
                    let book =
                        || self.engine.book(&subject).cloned().unwrap_or_else(|| Book::new(&subject));
                    answer(reply, result.map(|()| book()))
                }
                Command::Verdicts { keys, reply } => answer(reply, self.verdicts(&keys).await),
                Command::Look { look } => {
                    look(&self.engine);
                    Ok(())
                }
                Command::Close { reply } => {
                    let failed = self.failed("closing");
                    let Self { database, lock, .. } = self;
                    let result = database.close().await.map_err(failed);
                    // Before the answer, so that whoever hears it may open the file again.
                    drop(lock);
                    let _ = reply.send(result);
                    return;
                }
            };
            if result.is_err() {
                // The engine may be ahead of the disk. Dropping the inbox answers everyone "stopped".
                return;
            }
            self.rest();
        }
        let Self { database, lock, .. } = self;
        let _ = database.close().await;
        drop(lock);
    }

    /// Takes what else has been submitted meanwhile; gives a command that is something else.
    fn gather(&self, inbox: &mut mpsc::Receiver<Command>, to: &mut Vec<Submission>) -> Option<Command> {
        let mut n_events: usize = to.iter().map(|s| s.events.len()).sum();
        while n_events < self.options.max_batch {
            match inbox.try_recv() {
                Ok(Command::Submit { events, cursor, reply }) => {
                    n_events += events.len();
                    to.push(Submission { events, cursor, reply });
                }
                Ok(other) => return Some(other),
                Err(_) => break,
            }
        }
        None
    }

    async fn update(&mut self, sql: &str, cells: &[Cell], reply: Reply<()>) -> Result<(), ()> {
        let failed = self.failed("writing");
        answer(reply, self.database.run(sql, cells).await.map(|_| ()).map_err(failed))
    }

    async fn commit(&mut self, gathered: Vec<Submission>) -> Result<(), ()> {
        match self.write(&gathered).await {
            Ok((mut outcomes, told)) => {
                for submission in gathered.into_iter().rev() {
                    let own = outcomes.split_off(outcomes.len() - submission.events.len());
                    let _ = submission.reply.send(Ok(own));
                }
                for told in told {
                    // Nobody listening is no error.
                    let _ = self.told.send(Arc::new(told));
                }
                Ok(())
            }
            Err(error) => {
                self.database.roll_back().await;
                gathered.into_iter().for_each(|s| drop(s.reply.send(Err(error.clone()))));
                Err(())
            }
        }
    }

    async fn write(&mut self, gathered: &[Submission]) -> Result<(Vec<Outcome>, Vec<Told>), LiveError> {
        let failed = self.failed("writing");
        self.database.begin().await.map_err(&failed)?;
        let (outcomes, placed, quarantined) = self.sort_out(gathered).await?;
        let mut rows = Vec::with_capacity(placed.len());
        for (Placed { logged, subject }, content) in &placed {
            let actor = match &logged.event.kind {
                Kind::Vote { actor, .. } => Some(actor.to_text()),
                _ => None,
            };
            rows.push(vec![
                logged.seq.into(),
                logged.event.key.source.as_str().into(),
                logged.event.key.id.as_str().into(),
                logged.received_ms.into(),
                logged.order().0.into(),
                logged.event.kind_name().into(),
                Cell::Maybe(subject.clone()),
                Cell::Maybe(actor),
                content.as_str().into(),
                logged.event.to_json().into(),
            ]);
        }
        let head = "INSERT INTO events
            (seq, source, id, received_ms, order_ms, kind, subject, actor, content, body)";
        self.database.insert(head, "", rows).await.map_err(&failed)?;
        let head = "INSERT INTO quarantine (source, id, content, received_ms, body)";
        self.database.insert(head, "ON CONFLICT DO NOTHING", quarantined).await.map_err(&failed)?;
        let placed: Vec<Placed> = placed.into_iter().map(|(placed, _)| placed).collect();
        let told = self.fold(&placed).await?;
        let cursors: BTreeMap<_, _> = gathered.iter().filter_map(|s| s.cursor.clone()).collect();
        let rows: Vec<_> =
            cursors.into_iter().map(|(source, id)| vec![source.into(), id.into()]).collect();
        let tail = "ON CONFLICT (source) DO UPDATE SET last_id = excluded.last_id";
        self.database
            .insert("INSERT INTO cursors (source, last_id)", tail, rows)
            .await
            .map_err(&failed)?;
        self.database.commit().await.map_err(self.failed("committing"))?;
        Ok((outcomes, told))
    }

    /// Tells new events from repeats, conflicts and nonsense, and finds the book of each new one.
    async fn sort_out(
        &mut self,
        gathered: &[Submission],
    ) -> Result<(Vec<Outcome>, Vec<(Placed, String)>, Vec<Vec<Cell>>), LiveError> {
        let now_ms = (self.options.now_ms)();
        let mut known = self.stored(gathered).await?;
        let (mut outcomes, mut placed, mut quarantined) = (Vec::new(), Vec::new(), Vec::new());
        for heard in gathered.iter().flat_map(|s| &s.events) {
            let event = &heard.event;
            if let Err(error) = event.check() {
                outcomes.push(Outcome::Refused(error));
                continue;
            }
            let content = event.content_hash();
            let received_ms = heard.received_ms.unwrap_or(now_ms);
            if let Some(before) = known.get(&event.key) {
                if before.content == content {
                    outcomes.push(Outcome::Duplicate);
                } else {
                    let Key { source, id } = event.key.clone();
                    let row = vec![
                        source.into(),
                        id.into(),
                        content.into(),
                        received_ms.into(),
                        event.to_json().into(),
                    ];
                    quarantined.push(row);
                    outcomes.push(Outcome::Conflict);
                }
                continue;
            }
            let target = |of: &str| Key { source: event.key.source.clone(), id: of.to_owned() };
            let subject = match event.target() {
                Some(of) => known.get(&target(of)).filter(|s| s.is_vote).and_then(|s| s.subject.clone()),
                None => event.subject().map(str::to_owned),
            };
            let is_vote = matches!(event.kind, Kind::Vote { .. });
            let stored = Stored { content: content.clone(), subject: subject.clone(), is_vote };
            known.insert(event.key.clone(), stored);
            self.last_seq += 1;
            let logged = Logged { seq: self.last_seq, received_ms, event: event.clone() };
            outcomes.push(Outcome::New(logged.seq));
            placed.push((Placed { logged, subject }, content));
        }
        Ok((outcomes, placed, quarantined))
    }

    /// What the log holds under the keys of these events and of the votes that they change.
    async fn stored(&mut self, gathered: &[Submission]) -> Result<HashMap<Key, Stored>, LiveError> {
        let failed = self.failed("reading the log");
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for event in gathered.iter().flat_map(|s| &s.events).map(|heard| &heard.event) {
            if event.check().is_ok() {
                let ids = wanted.entry(&event.key.source).or_default();
                ids.insert(&event.key.id);
                ids.extend(event.target());
            }
        }
        let mut known = HashMap::new();
        let sql = "SELECT id, content, subject, kind FROM events WHERE source = $1 AND id IN ({list})";
        for (source, ids) in wanted {
            let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
            for row in self.database.all_in(sql, &[source.into()], &ids).await.map_err(&failed)? {
                let key = Key { source: source.to_owned(), id: row.try_get(0).map_err(&failed)? };
                let kind: String = row.try_get(3).map_err(&failed)?;
                let (content, subject) =
                    (row.try_get(1).map_err(&failed)?, row.try_get(2).map_err(&failed)?);
                known.insert(key, Stored { content, subject, is_vote: kind == "vote" });
            }
        }
        Ok(known)
    }

    /// Applies events that are in the log, and writes what follows from them.
    async fn fold(&mut self, placed: &[Placed]) -> Result<Vec<Told>, LiveError> {
        let Some(first) = placed.first() else { return Ok(Vec::new()) };
        let mut touched: BTreeSet<String> = placed.iter().filter_map(|p| p.subject.clone()).collect();
        self.load(&touched, first.logged.seq - 1).await?;
        let before = self.engine.policy().version();
        let (mut effects, mut exams) = (Vec::new(), BTreeMap::new());
        for Placed { logged, subject } in placed {
            self.look_up_skill(logged, subject.as_deref()).await?;
            let (told, changes) = self.engine.apply(logged, subject.as_deref());
            effects.extend(told);
            if self.engine.policy().uses_skill() {
                effects.extend(self.reconsider(&changes, logged, &mut touched).await?);
            }
            exams.extend(changes.into_iter().map(|change| (change.order.1.clone(), change)));
        }
        let now_ms = placed.last().map_or(0, |p| p.logged.received_ms);
        self.write_exams(exams).await?;
        self.write_cards(placed, &touched).await?;
        let told = self.write_effects(&effects, now_ms).await?;
        if self.engine.policy().version() == before {
            self.write_tallies(&touched).await?;
        } else {
            // What rests was counted by the old rules.
            self.resting.clear();
            self.write_tallies(&touched).await?;
            self.recount_all(placed.last().map_or(0, |p| p.logged.seq)).await?;
        }
        Ok(told)
    }

    /// Writes the cards of subjects that are new, or of which more is known than votes.
    async fn write_cards(
        &mut self,
        placed: &[Placed],
        touched: &BTreeSet<String>,
    ) -> Result<(), LiveError> {
        let is_vote = |p: &&Placed| matches!(p.logged.event.kind, Kind::Vote { .. });
        let told = placed.iter().filter(|p| !is_vote(p)).filter_map(|p| p.subject.as_ref());
        let told: BTreeSet<&String> = told.collect();
        let mut rows = Vec::new();
        for subject in touched {
            let Some(book) = self.engine.book_mut(subject) else { continue };
            if !book.is_carded || told.contains(subject) {
                let card = serde_json::to_string(&book.card()).expect("plain values always serialise");
                rows.push(vec![subject.as_str().into(), card.into()]);
                book.is_carded = true;
            }
        }
        let tail = "ON CONFLICT (subject) DO UPDATE SET body = excluded.body";
        let head = "INSERT INTO subjects (subject, body)";
        self.database.insert(head, tail, rows).await.map_err(self.failed("writing the subjects"))
    }

    /// Brings books into memory, as of `last_seq`.
    pub(super) async fn load(
        &mut self,
        subjects: &BTreeSet<String>,
        last_seq: i64,
    ) -> Result<(), LiveError> {
        let failed = self.failed("reading the log");
        let mut missing: Vec<String> = Vec::new();
        for subject in subjects {
            if self.engine.book(subject).is_some() {
                continue;
            }
            match self.resting.remove(subject) {
                Some(book) => self.engine.put(subject, book),
                None => missing.push(subject.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let mut events: BTreeMap<String, Vec<Logged>> = BTreeMap::new();
        // Sorted and cut here: PostgreSQL would rather walk through the whole log in order.
        let sql = "SELECT seq, received_ms, body, subject FROM events WHERE subject IN ({list})";
        for row in self.database.all_in(sql, &[], &missing).await.map_err(&failed)? {
            let seq: i64 = row.try_get(0).map_err(&failed)?;
            if seq <= last_seq {
                let subject: String = row.try_get(3).map_err(&failed)?;
                events.entry(subject).or_default().push(logged(&row, &self.place)?);
            }
        }
        events.values_mut().for_each(|events| events.sort_by_key(|logged| logged.seq));
        if self.engine.policy().uses_skill() {
            let voter = |logged: &Logged| match &logged.event.kind {
                Kind::Vote { actor, .. } => Some(actor.clone()),
                _ => None,
            };
            let actors = events.values().flatten().filter_map(voter).collect();
            self.load_skill(actors).await?;
        }
        let mut announced: BTreeMap<String, Vec<(StrandKey, Announced)>> = BTreeMap::new();
        let mut alerts: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
        if !events.is_empty() {
            let seen: Vec<String> = events.keys().cloned().collect();
            let sql =
                "SELECT subject, workflow, major, announced FROM tallies WHERE subject IN ({list})";
            for row in self.database.all_in(sql, &[], &seen).await.map_err(&failed)? {
                let subject: String = row.try_get(0).map_err(&failed)?;
                let body: String = row.try_get(3).map_err(&failed)?;
                let (workflow, major) =
                    (row.try_get(1).map_err(&failed)?, row.try_get(2).map_err(&failed)?);
                let said = parsed(&body, last_seq, &self.place)?;
                announced.entry(subject).or_default().push((StrandKey { workflow, major }, said));
            }
            let sql = "SELECT number, body FROM alerts WHERE subject IN ({list})";
            for row in self.database.all_in(sql, &[], &seen).await.map_err(&failed)? {
                let body: String = row.try_get(1).map_err(&failed)?;
                let alert: Alert = parsed(&body, row.try_get(0).map_err(&failed)?, &self.place)?;
                alerts.entry(alert.subject.clone()).or_default().push(alert);
            }
        }
        for subject in missing {
            let own = events.remove(&subject).unwrap_or_default();
            let with_changes = own.iter().map(|l| (l, self.engine.early_changes(&l.event.key)));
            let announced = announced.remove(&subject).unwrap_or_default().into_iter();
            let alerts = alerts.remove(&subject).unwrap_or_default().into_iter();
            let book = Book::load(&subject, with_changes, announced, alerts, self.engine.rules());
            self.engine.put(&subject, book);
        }
        Ok(())
    }

    async fn write_tallies(&mut self, subjects: &BTreeSet<String>) -> Result<(), LiveError> {
        let mut rows = Vec::new();
        let policy = self.engine.policy();
        let version = policy.version();
        for book in subjects.iter().filter_map(|subject| self.engine.book(subject)) {
            for (summary, (_, announced)) in
                book.summaries_under(policy, &version).into_iter().zip(book.announced())
            {
                let announced = serde_json::to_string(announced).expect("plain values always serialise");
                rows.push(vec![
                    summary.subject.as_str().into(),
                    summary.strand.workflow.as_str().into(),
                    summary.strand.major.as_str().into(),
                    (summary.n as i64).into(),
                    i64::from(summary.retired.is_some()).into(),
                    summary.to_json().into(),
                    announced.into(),
                ]);
            }
        }
        let head = "INSERT INTO tallies (subject, workflow, major, n, retired, body, announced)";
        let tail = "ON CONFLICT (subject, workflow, major) DO UPDATE SET n = excluded.n,
            retired = excluded.retired, body = excluded.body, announced = excluded.announced";
        self.database.insert(head, tail, rows).await.map_err(self.failed("writing the tallies"))
    }

    async fn write_effects(&mut self, effects: &[Effect], now_ms: i64) -> Result<Vec<Told>, LiveError> {
        let failed = self.failed("writing the alerts");
        let (mut alerts, mut outbox, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for effect in effects {
            if let Effect::Alert(alert) = effect {
                alerts.push(vec![
                    (alert.number as i64).into(),
                    alert.subject.as_str().into(),
                    alert.workflow.as_str().into(),
                    alert.major.as_str().into(),
                    alert.rule.as_str().into(),
                    alert.to_json().into(),
                ]);
            }
            self.last_told += 1;
            let (seq, id, at_ms, body) = (self.last_told, effect.id(), now_ms, effect.to_json());
            outbox.push(vec![
                seq.into(),
                id.as_str().into(),
                at_ms.into(),
                body.as_str().into(),
                0.into(),
            ]);
            told.push(Told { seq, id, at_ms, body });
        }
        let head = "INSERT INTO alerts (number, subject, workflow, major, rule, body)";
        self.database.insert(head, "", alerts).await.map_err(&failed)?;
        let head = "INSERT INTO outbox (seq, id, created_ms, body, attempts)";
        self.database.insert(head, "ON CONFLICT DO NOTHING", outbox).await.map_err(&failed)?;
        Ok(told)
    }

    /// Writes every tally under the present policy.
    async fn recount_all(&mut self, last_seq: i64) -> Result<(), LiveError> {
        let failed = self.failed("recounting");
        let mut after = String::new();
        loop {
            let sql = "SELECT DISTINCT subject FROM events
                WHERE subject > $1 AND seq <= $2 ORDER BY subject LIMIT 1024";
            let cells = [after.clone().into(), last_seq.into()];
            let rows = self.database.all(sql, &cells).await.map_err(&failed)?;
            let found = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>();
            let found = found.map_err(&failed)?;
            let Some(last) = found.last() else { return Ok(()) };
            after.clone_from(last);
            let subjects: BTreeSet<String> = found.into_iter().collect();
            self.load(&subjects, last_seq).await?;
            self.write_tallies(&subjects).await?;
            self.rest();
        }
    }

    async fn rebuild(&mut self) -> Result<String, LiveError> {
        let failed = self.failed("rebuilding");
        self.database.begin().await.map_err(&failed)?;
        for table in ["tallies", "alerts", "subjects", "exams"] {
            self.database.run(&format!("DELETE FROM {table}"), &[]).await.map_err(&failed)?;
        }
        (self.engine, self.resting) = (Engine::default(), HashMap::new());
        let mut after = 0;
        while after < self.last_seq {
            let sql = "SELECT seq, received_ms, body, subject FROM events
                WHERE seq > $1 ORDER BY seq LIMIT $2";
            let rows =
                self.database.all(sql, &[after.into(), REBUILD_CHUNK.into()]).await.map_err(&failed)?;
            let mut placed = Vec::with_capacity(rows.len());
            for row in &rows {
                let subject = row.try_get(3).map_err(&failed)?;
                placed.push(Placed { logged: logged(row, &self.place)?, subject });
            }
            let Some(last) = placed.last() else { break };
            after = last.logged.seq;
            self.fold(&placed).await?;
            self.rest();
        }
        let hash = state_hash(&mut self.database).await.map_err(&failed)?;
        self.database.commit().await.map_err(&failed)?;
        Ok(hash)
    }

    /// Lets books go that were not touched for long: those in use stay, as they move back when touched.
    fn rest(&mut self) {
        if self.engine.n_books() > self.options.max_books {
            self.resting = self.engine.take_all();
        }
        if self.engine.skills().n_people() > PEOPLE_PER_BOOK * self.options.max_books {
            *self.engine.skills_mut() = Skills::default();
        }
    }
}

fn answer<T>(reply: Reply<T>, result: Result<T, LiveError>) -> Result<(), ()> {
    let done = if result.is_ok() { Ok(()) } else { Err(()) };
    // The asker may have gone; what was done stays done.
    let _ = reply.send(result);
    done
}

/// Hash over the derived tables, independent of the order in which a database gives the rows.
pub(super) async fn state_hash(database: &mut Database) -> sqlx::Result<String> {
    let mut hashes = Vec::new();
    for sql in [
        "SELECT body, announced FROM tallies",
        "SELECT body, '' FROM alerts",
        "SELECT body, '' FROM subjects",
        "SELECT body, actor FROM exams",
    ] {
        for row in database.all(sql, &[]).await? {
            let (body, announced): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            hashes.push(*blake3::hash(format!("{body}\n{announced}").as_bytes()).as_bytes());
        }
    }
    hashes.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for hash in &hashes {
        hasher.update(hash);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
