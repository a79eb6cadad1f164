//! The writer's half of skill: exams read when a voter needs them, written when they change, and the
//! subjects that a late exam touches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::Row as _;

use super::writer::Writer;
use super::{LiveError, Verdict, logged, parsed};
use crate::book::{Book, Effect};
use crate::event::{Actor, Answers, Key, Kind, Logged};
use crate::skill::{ExamChange, is_right};

impl Writer {
    /// Brings the exams into memory that the next event may need: those of a book's voters and of its own
    /// voter; under new rules, those of everybody whose votes are in memory.
    pub(super) async fn look_up_skill(
        &mut self,
        logged: &Logged,
        subject: Option<&str>,
    ) -> Result<(), LiveError> {
        let actors: BTreeSet<Actor> = match &logged.event.kind {
            Kind::Policy { .. } => self.engine.books().flat_map(Book::actors).cloned().collect(),
            _ if !self.engine.policy().uses_skill() => return Ok(()),
            Kind::Vote { actor, .. } if self.engine.skills().knows(actor) => return Ok(()),
            Kind::Vote { actor, .. } => {
                let book = subject.and_then(|subject| self.engine.book(subject));
                book.into_iter().flat_map(Book::actors).chain([actor]).cloned().collect()
            }
            _ => {
                let book = subject.and_then(|subject| self.engine.book(subject));
                book.into_iter().flat_map(Book::actors).cloned().collect()
            }
        };
        self.load_skill(actors).await
    }

    pub(super) async fn load_skill(&mut self, actors: BTreeSet<Actor>) -> Result<(), LiveError> {
        let failed = self.failed("reading the exams");
        let missing: Vec<Actor> =
            actors.into_iter().filter(|actor| !self.engine.skills().knows(actor)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(Actor::to_text).collect();
        let by_name: HashMap<&String, &Actor> = names.iter().zip(&missing).collect();
        missing.iter().for_each(|actor| self.engine.skills_mut().look_up(actor.clone()));
        let sql = "SELECT id, source, actor, order_ms, body FROM exams WHERE actor IN ({list})";
        for row in self.database.all_in(sql, &[], &names).await.map_err(&failed)? {
            let (id, source) = (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
            let name: String = row.try_get(2).map_err(&failed)?;
            let order = (row.try_get(3).map_err(&failed)?, Key { source, id });
            let body: String = row.try_get(4).map_err(&failed)?;
            let exam = Some(parsed(&body, self.last_seq, &self.place)?);
            if let Some(&actor) = by_name.get(&name) {
                let change = ExamChange { actor: actor.clone(), order, exam };
                self.engine.skills_mut().apply(&change);
            }
        }
        Ok(())
    }

    /// Recounts what people voted on after exams that changed: a vote that comes late, a truth that is
    /// corrected. Nothing, as long as votes come in order.
    pub(super) async fn reconsider(
        &mut self,
        exams: &[ExamChange],
        logged: &Logged,
        touched: &mut BTreeSet<String>,
    ) -> Result<Vec<Effect>, LiveError> {
        let failed = self.failed("reading the log");
        let mut wanted = BTreeSet::new();
        for exam in exams {
            let sql =
                "SELECT DISTINCT subject FROM events WHERE actor = $1 AND order_ms >= $2 AND seq <= $3";
            let cells = [exam.actor.to_text().into(), exam.order.0.into(), logged.seq.into()];
            for row in self.database.all(sql, &cells).await.map_err(&failed)? {
                wanted.insert(row.try_get::<String, _>(0).map_err(&failed)?);
            }
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.load(&wanted, logged.seq).await?;
        let mut effects = Vec::new();
        for subject in wanted {
            let is_later =
                |book: &Book| exams.iter().any(|exam| book.has_later_vote(&exam.actor, &exam.order));
            let Some(book) = self.engine.book(&subject).filter(|book| is_later(book)) else { continue };
            let actors = book.actors().cloned().collect();
            self.load_skill(actors).await?;
            effects.extend(self.engine.reconsider(&subject, logged.received_ms));
            touched.insert(subject);
        }
        Ok(effects)
    }

    pub(super) async fn write_exams(
        &mut self,
        exams: BTreeMap<Key, ExamChange>,
    ) -> Result<(), LiveError> {
        let failed = self.failed("writing the exams");
        let mut rows = Vec::new();
        for (Key { source, id }, ExamChange { actor, order, exam }) in exams {
            match exam {
                Some(exam) => {
                    let body = serde_json::to_string(&exam).expect("text always serialises");
                    let actor = actor.to_text();
                    rows.push(vec![id.into(), source.into(), actor.into(), order.0.into(), body.into()]);
                }
                None => {
                    let sql = "DELETE FROM exams WHERE id = $1 AND source = $2";
                    self.database.run(sql, &[id.into(), source.into()]).await.map_err(&failed)?;
                }
            }
        }
        let head = "INSERT INTO exams (id, source, actor, order_ms, body)";
        let tail = "ON CONFLICT (id, source) DO UPDATE SET actor = excluded.actor,
            order_ms = excluded.order_ms, body = excluded.body";
        self.database.insert(head, tail, rows).await.map_err(&failed)
    }

    /// Whether votes were right, where the truth is known; nothing for others.
    pub(super) async fn verdicts(&mut self, keys: &[Key]) -> Result<Vec<Option<Verdict>>, LiveError> {
        let failed = self.failed("reading the log");
        let mut verdicts = Vec::with_capacity(keys.len());
        for key in keys {
            let sql = "SELECT seq, received_ms, body FROM events WHERE id = $1 AND source = $2";
            let cells = [key.id.as_str().into(), key.source.as_str().into()];
            let rows = self.database.all(sql, &cells).await.map_err(&failed)?;
            let Some(row) = rows.first() else {
                verdicts.push(None);
                continue;
            };
            let event = logged(row, &self.place)?.event;
            let Kind::Vote { subject, answers, .. } = event.kind else {
                verdicts.push(None);
                continue;
            };
            self.load(&BTreeSet::from([subject.clone()]), i64::MAX).await?;
            let truth = self.engine.book(&subject).and_then(Book::truth);
            let verdict =
                |truth: &Answers| Verdict { is_right: is_right(&answers, truth), truth: truth.clone() };
            verdicts.push(truth.map(verdict));
        }
        Ok(verdicts)
    }
}
