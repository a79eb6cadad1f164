//! Everybody who took part, as page and as list: names resolved, filtered, sorted, escaped.
//!
//! Two people of one name are two entries, and whoever has no name that may be shown is counted all the
//! same. What is left out on purpose: how much each did, and what they are good at.

use serde::Serialize;

use super::names::{self, WITHHELD};
use crate::engine::People;

/// Names to show, sorted; and how many people there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameList {
    /// One per person who has a name to show.
    pub names: Vec<String>,
    /// People whose name cannot be shown.
    pub n_withheld: u64,
    /// What the list was made from, so that it can be made again.
    pub made_from: String,
    /// By what the names are sorted.
    pub sorted_by: &'static str,
}

/// The list of these people. `users`: ids, each once or more often.
///
/// For a page of all participants, give all; for a publication, those who voted on its subjects, for or
/// against. Those who withdrew from being named are left out and not counted as withheld.
#[must_use]
pub fn name_list<'a>(users: impl IntoIterator<Item = &'a str>, people: &People) -> NameList {
    let mut ids: Vec<&str> = users.into_iter().filter(|user| people.consents(user)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut hasher = blake3::Hasher::new();
    for id in &ids {
        hasher.update(id.as_bytes()).update(b"\n");
    }
    let mut resolved: Vec<(String, &str)> =
        ids.iter().map(|id| (names::resolve(&people.names(id)), *id)).collect();
    let n_withheld = resolved.iter().filter(|(name, _)| name == WITHHELD).count() as u64;
    resolved.retain(|(name, _)| name != WITHHELD);
    resolved.sort_by(|a, b| names::compare(&a.0, &b.0).then_with(|| a.1.cmp(b.1)));
    let names = resolved.into_iter().map(|(name, _)| name).collect();
    NameList {
        names,
        n_withheld,
        made_from: hasher.finalize().to_hex().to_string(),
        sorted_by: names::SORTED_BY,
    }
}

/// In what form a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One name a line.
    Text,
    /// A spreadsheet's table.
    Csv,
    /// An object with the names.
    Json,
    /// Names for an acknowledgement.
    Latex,
    /// List items for a page.
    Html,
}

impl Form {
    /// The form of a file name's extension.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "txt" | "md" => Self::Text,
            "csv" => Self::Csv,
            "json" => Self::Json,
            "tex" => Self::Latex,
            "html" => Self::Html,
            _ => return None,
        })
    }
}

impl NameList {
    /// The list as a file.
    #[must_use]
    pub fn write(&self, form: Form) -> String {
        let lines = |of: fn(&str) -> String| self.names.iter().map(|n| of(n) + "\n").collect::<String>();
        match form {
            Form::Text => lines(str::to_owned),
            Form::Csv => "name\n".to_owned() + &lines(csv_cell),
            Form::Json => serde_json::to_string_pretty(self).expect("text always serialises") + "\n",
            Form::Latex => {
                let names: Vec<String> = self.names.iter().map(|n| names::for_latex(n)).collect();
                names.join(",\n") + "\n"
            }
            Form::Html => {
                let items = lines(|n| format!("<li>{}</li>", names::for_html(n)));
                format!("{items}<!-- sorted by {} -->\n", self.sorted_by)
            }
        }
    }
}

fn csv_cell(name: &str) -> String {
    let safe = names::for_spreadsheet(name);
    if safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Key, Kind};
    use crate::replay::Memory;

    fn people(names: &[(&str, &str)], withdrawn: &[&str]) -> People {
        let mut memory = Memory::default();
        let mut offer = |kind: Kind, id: String| {
            memory.offer(Event { key: Key { source: "own".into(), id }, at_ms: 1, kind }, 1);
        };
        for (user, name) in names {
            let kind = Kind::Name {
                user: (*user).into(),
                credited: Some((*name).into()),
                display: None,
                login: None,
            };
            offer(kind, format!("n{user}"));
        }
        for user in withdrawn {
            offer(Kind::Credit { user: (*user).into(), consents: false }, format!("c{user}"));
        }
        memory.engine().people().clone()
    }

    #[test]
    fn a_list_names_everybody_once_in_order_and_counts_the_rest() {
        let people = people(
            &[
                ("1", "Zoë"),
                ("2", "Ada"),
                ("3", "Ada"),
                ("4", "a@b.co"),
                ("5", "=cmd"),
                ("6", "Gone, G."),
            ],
            &["6"],
        );
        let list = name_list(["1", "2", "3", "4", "5", "6", "7", "1"], &people);
        assert_eq!(list.names, ["=cmd", "Ada", "Ada", "Zoë"]);
        assert_eq!(list.n_withheld, 2);
        assert_eq!(list, name_list(["7", "6", "5", "4", "3", "2", "1"], &people));
        assert_ne!(list.made_from, name_list(["1"], &people).made_from);
        assert_eq!(list.write(Form::Csv), "name\n'=cmd\nAda\nAda\nZoë\n");
        assert_eq!(list.write(Form::Latex), "=cmd,\nAda,\nAda,\nZoë\n");
        assert!(list.write(Form::Html).starts_with("<li><bdi>=cmd</bdi></li>\n"));
        let json: serde_json::Value = serde_json::from_str(&list.write(Form::Json)).expect("JSON");
        assert_eq!(json["names"][3], "Zoë");
    }

    #[test]
    fn a_hundred_thousand_names_are_listed() {
        let names: Vec<(String, String)> =
            (0..100_000).map(|n| (n.to_string(), format!("Volunteer {}", n * 7919 % 100_003))).collect();
        let borrowed: Vec<(&str, &str)> = names.iter().map(|(u, n)| (u.as_str(), n.as_str())).collect();
        let list = name_list(borrowed.iter().map(|(u, _)| *u), &people(&borrowed, &[]));
        assert_eq!(list.names.len(), 100_000);
        assert!(list.names.is_sorted());
    }
}
