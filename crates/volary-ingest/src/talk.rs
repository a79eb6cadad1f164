//! Zooniverse Talk exports: which subjects volunteers tagged and talked about.
//!
//! JSON arrays of comments, tags or votable tags, plain or several in one `.tar.gz`, and the stripped
//! form without texts and names. What leaves here has no text and no login: a comment becomes its length,
//! its hashtags and the subjects it mentions; an author becomes a key. The key is that of the login
//! ([`crate::volunteer`]), so it joins with classifications; where only a number stands (stripped files),
//! it is the number behind a `t`, which joins with nothing but other rows of the same export.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};
use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::report::ReadReport;
use crate::source::{Progress, Source};
use crate::time::parse_ms;
use crate::volunteer;

/// One tag on one subject by one person (or several, in exports of votes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRow {
    /// The subject.
    pub subject_id: String,
    /// The tag without `#`.
    pub tag: String,
    /// Who; empty where the export does not say.
    pub volunteer: String,
    /// When, milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// Votes for the tag, in exports of votable tags.
    pub n_votes: Option<u64>,
}

/// One comment, without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommentRow {
    /// The subject that is discussed; empty for general discussions.
    pub subject_id: String,
    /// Comment id.
    pub comment_id: String,
    /// Who.
    pub volunteer: String,
    /// When, milliseconds since 1970 UTC.
    pub created_ms: Option<i64>,
    /// Hashtags in the text, lower-case, without `#`, in order, each once.
    pub hashtags: Vec<String>,
    /// Subjects mentioned as `^S123`, in order, each once.
    pub mentions: Vec<String>,
    /// Length of the text in characters; `None` where it was stripped without a count.
    pub n_chars: Option<u64>,
}

/// What a Talk export says.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Tags on subjects.
    pub tags: Vec<TagRow>,
    /// Comments.
    pub comments: Vec<CommentRow>,
    /// What became of the entries.
    pub report: ReadReport,
}

/// Reads a Talk export: `.json`, `.json.gz`, or `.tar.gz` with several.
///
/// # Errors
/// Where the file cannot be read, or is neither a JSON array nor an archive of them.
pub fn read_talk(path: &Path, progress: &Progress) -> Result<Talk, IngestError> {
    let mut source = Source::open(path, progress)?;
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(|e| IngestError::io("reading", path, e))?;
    let digest = source.digest()?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    let mut reader = Reader::default();
    if is_tar(&bytes) {
        reader.archive(&bytes, path)?
    } else {
        reader.array(&bytes, path)?
    }
    let report = ReadReport {
        rows_read: reader.read,
        rows_used: reader.used,
        left_out: reader.left_out,
        problems: reader.problems,
        digest,
    };
    Ok(Talk { tags: reader.tags, comments: reader.comments, report })
}

/// Takes out what people were called instead of things: tags, and hashtags of comments, that are the login of
/// somebody in the same exports (in any case), unless `keep` says that the team means the word. Says how many.
///
/// A login is known by its key only, so a tag is tried as it is written and in lower case; exports write both.
pub fn withhold_names(
    tags: &mut Vec<TagRow>,
    comments: &mut [CommentRow],
    keep: impl Fn(&str) -> bool,
) -> u64 {
    let people: HashSet<&str> = tags
        .iter()
        .map(|tag| tag.volunteer.as_str())
        .chain(comments.iter().map(|comment| comment.volunteer.as_str()))
        .filter(|key| key.starts_with('v'))
        .collect();
    let is_name = |word: &str| {
        let is_login = |text: &str| people.contains(volunteer::key(text).0.as_str());
        !keep(word) && (is_login(word) || is_login(&word.to_lowercase()))
    };
    let words = tags.iter().map(|tag| tag.tag.as_str());
    let words = words.chain(comments.iter().flat_map(|c| c.hashtags.iter().map(String::as_str)));
    let names: HashSet<String> =
        words.collect::<HashSet<&str>>().into_iter().filter(|w| is_name(w)).map(str::to_owned).collect();
    let before = tags.len() + comments.iter().map(|c| c.hashtags.len()).sum::<usize>();
    tags.retain(|tag| !names.contains(&tag.tag));
    comments.iter_mut().for_each(|c| c.hashtags.retain(|tag| !names.contains(tag)));
    let after = tags.len() + comments.iter().map(|c| c.hashtags.len()).sum::<usize>();
    (before - after) as u64
}

/// A tar header has `ustar` at byte 257; JSON has not, since an array begins with `[`.
fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar".as_slice()) && bytes.first() != Some(&b'[')
}

#[derive(Default)]
struct Reader {
    tags: Vec<TagRow>,
    comments: Vec<CommentRow>,
    read: u64,
    used: u64,
    left_out: std::collections::BTreeMap<String, u64>,
    problems: Problems,
}

impl Reader {
    fn archive(&mut self, bytes: &[u8], path: &Path) -> Result<(), IngestError> {
        let io_error = |e| IngestError::io("reading", path, e);
        let mut archive = tar::Archive::new(bytes);
        let mut found = false;
        for entry in archive.entries().map_err(io_error)? {
            let mut entry = entry.map_err(io_error)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            // Entries are read, never unpacked: a name inside an archive decides nothing on this disk.
            if !entry.header().entry_type().is_file() || !name.ends_with(".json") {
                continue;
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(io_error)?;
            self.array(&content, path)?;
            found = true;
        }
        if found {
            return Ok(());
        }
        let what = "no .json file in the archive; is this a Talk export?".to_owned();
        Err(IngestError::Format { what, path: path.to_owned() })
    }

    fn array(&mut self, bytes: &[u8], path: &Path) -> Result<(), IngestError> {
        let text = String::from_utf8_lossy(bytes);
        if let std::borrow::Cow::Owned(_) = text {
            let detail = "replaced by U+FFFD";
            self.problems.add(0, "", ProblemKind::InvalidUtf8, detail);
        }
        let entries: Vec<Value> = serde_json::from_str(&text).map_err(|e| IngestError::Format {
            what: format!("not a JSON array of Talk entries ({e}); download the export again"),
            path: path.to_owned(),
        })?;
        for entry in entries {
            self.read += 1;
            match self.entry(&entry) {
                Ok(()) => self.used += 1,
                Err(reason) => *self.left_out.entry(reason.to_owned()).or_default() += 1,
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Value) -> Result<(), &'static str> {
        let row = self.read;
        let Value::Object(entry) = entry else {
            self.problems.add(row, "", ProblemKind::OddValue, "not a JSON object");
            return Err("not an entry");
        };
        if entry.contains_key("tag_name") || entry.contains_key("name") {
            let tag = self.tag(entry)?;
            self.tags.push(tag);
        } else if entry.contains_key("comment_id") || entry.contains_key("comment") {
            let comment = self.comment(entry);
            self.comments.push(comment);
        } else {
            self.problems.add(row, "", ProblemKind::OddValue, "neither a comment nor a tag");
            return Err("neither a comment nor a tag");
        }
        Ok(())
    }

    fn tag(&mut self, entry: &Map<String, Value>) -> Result<TagRow, &'static str> {
        if entry.get("tag_deleted") == Some(&Value::Bool(true)) {
            return Err("tag deleted");
        }
        let subject_id = self.subject(entry, "taggable_type", &["taggable_id", "subject_id"])?;
        Ok(TagRow {
            subject_id,
            tag: first_text(entry, &["tag_name", "name"]).trim_start_matches('#').to_owned(),
            volunteer: volunteer_key(entry, &["voter_login", "user_login", "tag_creator_login"]),
            created_ms: self.created(entry, &["vote_created_at", "created_at", "tag_created_at"]),
            n_votes: entry.get("tag_vote_count").and_then(Value::as_u64),
        })
    }

    fn comment(&mut self, entry: &Map<String, Value>) -> CommentRow {
        let body = entry.get("comment_body").and_then(Value::as_str);
        let kind = if entry.contains_key("focus_type") { "focus_type" } else { "comment_focus_type" };
        let n_chars = body.map(|b| b.chars().count() as u64);
        CommentRow {
            // A comment on a board has no subject, and still counts.
            subject_id: self
                .subject(entry, kind, &["comment_focus_id", "subject_id"])
                .unwrap_or_default(),
            comment_id: first_text(entry, &["comment_id", "comment"]),
            volunteer: volunteer_key(entry, &["comment_user_login"]),
            created_ms: self.created(entry, &["comment_created_at", "created_at"]),
            hashtags: body.map(hashtags).unwrap_or_default(),
            mentions: body.map(mentions).unwrap_or_default(),
            n_chars: n_chars.or_else(|| entry.get("n_chars")?.as_u64()),
        }
    }

    fn subject(
        &mut self,
        entry: &Map<String, Value>,
        kind: &str,
        ids: &[&str],
    ) -> Result<String, &'static str> {
        let id = first_text(entry, ids);
        match entry.get(kind).and_then(Value::as_str) {
            Some(other) if other != "Subject" => Err("not about a subject"),
            _ if id.is_empty() => Err("no subject"),
            _ => Ok(id),
        }
    }

    fn created(&mut self, entry: &Map<String, Value>, names: &[&str]) -> Option<i64> {
        let text = first_text(entry, names);
        let time = parse_ms(&text);
        if time.is_none() && !text.is_empty() {
            self.problems.add(self.read, names[0], ProblemKind::BadTime, text);
        }
        time
    }
}

/// The first of several fields that holds text or a number, as text.
fn first_text(entry: &Map<String, Value>, names: &[&str]) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    names.iter().find_map(|name| text(entry.get(*name)?)).unwrap_or_default()
}

fn volunteer_key(entry: &Map<String, Value>, logins: &[&str]) -> String {
    let login = first_text(entry, logins);
    if !login.is_empty() {
        return volunteer::key(&login).0;
    }
    match first_text(entry, &["user", "user_id", "comment_user_id"]).as_str() {
        "" => String::new(),
        number => format!("t{number}"),
    }
}

/// Words behind `#` at the start of a word; a heading (`# Title`) has a blank behind it.
fn hashtags(body: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    marked(body, '#', is_word).into_iter().map(|tag| tag.to_lowercase()).fold(Vec::new(), push_new)
}

/// Subjects behind `^S`.
fn mentions(body: &str) -> Vec<String> {
    let marked = marked(body, '^', char::is_alphanumeric);
    let subject = |m: &str| {
        let digits = m.strip_prefix(['S', 's'])?;
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.to_owned())
    };
    marked.iter().filter_map(|m| subject(m)).fold(Vec::new(), push_new)
}

fn push_new(mut list: Vec<String>, item: String) -> Vec<String> {
    if !list.contains(&item) {
        list.push(item);
    }
    list
}

fn marked(body: &str, mark: char, is_word: impl Fn(char) -> bool) -> Vec<&str> {
    body.match_indices(mark)
        .filter(|(at, _)| {
            let before = body[..*at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '/' && c != '&')
        })
        .filter_map(|(at, _)| {
            let rest = &body[at + mark.len_utf8()..];
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            (end > 0).then(|| &rest[..end])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Talk, IngestError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read_talk(file.path(), &Progress::default())
    }

    const COMMENTS: &str = r##"[{"comment_id":1,"comment_body":"Look ^S123 and ^S7, ^s123! #Lens #lens a#b # no https://x.org/#frag","comment_focus_id":9,"comment_focus_type":"Subject","comment_user_login":"Ann","comment_created_at":"2016-01-05T20:48:50.158Z"},
      {"comment_id":2,"comment_body":"hi","comment_focus_id":null,"comment_focus_type":null,"comment_user_login":"Bob","comment_created_at":"then"},
      7, {"x":1}]"##;

    #[test]
    fn comments_lose_their_text_and_author() {
        let talk = read(COMMENTS.as_bytes()).unwrap();
        let first = &talk.comments[0];
        assert_eq!(first.hashtags, ["lens"]);
        assert_eq!(first.mentions, ["123", "7"]);
        assert_eq!((first.subject_id.as_str(), first.comment_id.as_str()), ("9", "1"));
        assert!(!format!("{talk:?}").contains("Ann"));
        assert_eq!(talk.comments[1].subject_id, "");
        assert_eq!(talk.report.problems.count(ProblemKind::BadTime), 1);
        assert_eq!((talk.report.rows_read, talk.report.rows_used), (4, 2));
        assert!(talk.report.adds_up());
    }

    #[test]
    fn a_tag_that_is_somebodys_login_is_withheld() {
        let tags = r#"[{"name":"Ann","taggable_id":5,"taggable_type":"Subject","user_login":"bob"},
            {"name":"bob","taggable_id":5,"taggable_type":"Subject","user_login":"ann"},
            {"name":"Bob","taggable_id":6,"taggable_type":"Subject","user_login":"ann"},
            {"name":"vortex","taggable_id":6,"taggable_type":"Subject","user_login":"vortex"}]"#;
        let comments = r##"[{"comment_id":1,"comment_body":"#bob #lens","comment_focus_id":9,
            "comment_focus_type":"Subject","comment_user_login":"ann"}]"##;
        let (mut tags, mut comments) =
            (read(tags.as_bytes()).unwrap().tags, read(comments.as_bytes()).unwrap().comments);
        // The team means the thing, though somebody is called so.
        let n = withhold_names(&mut tags, &mut comments, |word| word == "vortex");
        assert_eq!((n, tags.len(), tags[0].tag.as_str()), (4, 1, "vortex"));
        assert_eq!(comments[0].hashtags, ["lens"]);
        // Numbers of a stripped export are nobody's login.
        let stripped = br#"[{"name":"7","subject_id":5,"user":7}]"#;
        let mut tags = read(stripped).unwrap().tags;
        assert_eq!((withhold_names(&mut tags, &mut [], |_| false), tags.len()), (0, 1));
    }

    #[test]
    fn an_archive_of_several() {
        let tags = br#"[{"id":1,"name":"fastpulsar","created_at":"2016-01-05T20:48:50.158Z","taggable_id":5,"taggable_type":"Subject","user_login":"Ann"},
            {"id":2,"name":"x","taggable_id":5,"taggable_type":"Comment"}]"#;
        let votable = br#"[{"tag_id":1,"tag_name":"odd","taggable_id":6,"taggable_type":"Subject","tag_vote_count":3,"voter_login":"Bob"},
            {"tag_name":"gone","taggable_id":6,"tag_deleted":true}]"#;
        let mut archive =
            tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let files = [
            ("p-comments.json", COMMENTS.as_bytes()),
            ("p-tags.json", tags),
            ("p-votable_tags.json", votable),
            ("readme.txt", b""),
        ];
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, name, content).unwrap();
        }
        let talk = read(&archive.into_inner().unwrap().finish().unwrap()).unwrap();
        assert_eq!((talk.comments.len(), talk.tags.len()), (2, 2));
        assert_eq!((talk.tags[1].tag.as_str(), talk.tags[1].n_votes), ("odd", Some(3)));
        assert_eq!(talk.report.left_out["not about a subject"], 1);
        assert_eq!(talk.report.left_out["tag deleted"], 1);
        assert!(talk.report.adds_up());
    }

    #[test]
    fn other_files_are_one_clear_error() {
        assert!(matches!(read(b""), Err(IngestError::Empty { .. })));
        assert!(matches!(read(b"{\"a\":1}"), Err(IngestError::Format { .. })));
        assert!(matches!(read(b"[1,"), Err(IngestError::Format { .. })));
    }
}
