//! The tables, one schema for SQLite and PostgreSQL, and the steps that lead to it.
//!
//! `events` is the truth and only grows. `tallies`, `alerts`, `subjects` and `exams` can be dropped and
//! rebuilt from it; `outbox` remembers what was told, in order, and what of it has been delivered. Text and 64-bit integers only, so that both databases hold
//! the same bytes. Events are unique by (id, source) in this order: a list of ids is looked up by a key that
//! begins with the id, where one that begins with the source had PostgreSQL read all of that source.

/// Each step, in order; a step that has been released is never edited. `{integer}` is the type of a
/// 64-bit primary key: SQLite gives the row id only to a column of exactly this name.
pub(super) const STEPS: &[&[&str]] = &[&[
    "CREATE TABLE events (
        seq {integer} PRIMARY KEY,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        received_ms BIGINT NOT NULL,
        order_ms BIGINT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT,
        actor TEXT,
        content TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (id, source))",
    "CREATE INDEX events_by_subject ON events (subject, seq)",
    "CREATE INDEX events_of_people ON events (kind, seq) WHERE kind <> 'vote'",
    "CREATE INDEX events_by_actor ON events (actor, order_ms) WHERE actor IS NOT NULL",
    "CREATE TABLE quarantine (
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        content TEXT NOT NULL,
        received_ms BIGINT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (source, id, content))",
    "CREATE TABLE tallies (
        subject TEXT NOT NULL,
        workflow TEXT NOT NULL,
        major TEXT NOT NULL,
        n BIGINT NOT NULL,
        retired BIGINT NOT NULL,
        body TEXT NOT NULL,
        announced TEXT NOT NULL,
        PRIMARY KEY (subject, workflow, major))",
    "CREATE TABLE alerts (
        number {integer} PRIMARY KEY,
        subject TEXT NOT NULL,
        workflow TEXT NOT NULL,
        major TEXT NOT NULL,
        rule TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (subject, workflow, major, rule))",
    "CREATE TABLE subjects (subject TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE exams (
        id TEXT NOT NULL,
        source TEXT NOT NULL,
        actor TEXT NOT NULL,
        order_ms BIGINT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (id, source))",
    "CREATE INDEX exams_by_actor ON exams (actor)",
    "CREATE TABLE outbox (
        seq {integer} PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        created_ms BIGINT NOT NULL,
        body TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        delivered_ms BIGINT)",
    "CREATE INDEX outbox_waiting ON outbox (seq) WHERE delivered_ms IS NULL",
    "CREATE TABLE cursors (source TEXT PRIMARY KEY, last_id TEXT NOT NULL)",
]];
