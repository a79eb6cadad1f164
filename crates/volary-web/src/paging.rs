//! Lists page by page: a cursor says where the next page begins, and nobody needs to know what it holds.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Rows on a page unless something else is asked for.
const PAGE_SIZE: u32 = 100;
/// Most rows on a page.
pub(crate) const MAX_PAGE_SIZE: u32 = 1_000;

/// What may be asked of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Where the page begins.
    pub(crate) cursor: Option<String>,
    /// 1 to 1000; 100 if absent.
    pub(crate) page_size: Option<u32>,
    /// Only these fields.
    pub(crate) fields: Option<String>,
}

/// Checks a page size.
pub(crate) fn size(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(PAGE_SIZE),
        Some(n) if (1..=MAX_PAGE_SIZE).contains(&n) => Ok(n),
        Some(n) => Err(Problem::bad_request(format!("page_size is {n}; use 1 to {MAX_PAGE_SIZE}"))),
    }
}

/// A cursor of the parts by which rows are ordered.
pub(crate) fn cursor(parts: &impl Serialize) -> String {
    let text = serde_json::to_vec(parts).expect("text and numbers always serialise");
    BASE64URL_NOPAD.encode(&text)
}

/// The parts of a cursor; the default of the type where there is none.
pub(crate) fn parts<T: Default + for<'de> Deserialize<'de>>(cursor: Option<&str>) -> Result<T, Problem> {
    let Some(cursor) = cursor else { return Ok(T::default()) };
    let decoded = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
    let read = decoded.and_then(|text| serde_json::from_slice(&text).ok());
    read.ok_or_else(|| Problem::bad_request("the cursor is not one of ours; begin without one"))
}

/// Where the next page is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Links {
    /// Path of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A page as JSON. `query`: the other parameters, repeated in the link.
pub(crate) fn page(
    name: &str,
    items: Vec<Value>,
    path: &str,
    query: &[(&str, Option<String>)],
    next: Option<String>,
) -> Value {
    json!({ name: items, "links": links(path, query, next) })
}

/// Where the next page is; `query`: the other parameters.
pub(crate) fn links(path: &str, query: &[(&str, Option<String>)], next: Option<String>) -> Links {
    let next = next.map(|next| {
        let mut link = format!("{path}?cursor={next}");
        for (name, value) in query {
            if let Some(value) = value {
                link.push_str(&format!("&{name}={}", percent(value)));
            }
        }
        link
    });
    Links { next }
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        let there = cursor(&("s/1", 7));
        assert_eq!(parts::<(String, i64)>(Some(&there)).unwrap(), ("s/1".to_owned(), 7));
        assert_eq!(parts::<(String, i64)>(None).unwrap(), (String::new(), 0));
        for wrong in ["", "x", "AAAA", "'; DROP TABLE events;--", &cursor(&7)] {
            assert!(parts::<(String, i64)>(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn page_sizes_are_capped_and_links_keep_the_question() {
        assert!(size(Some(0)).is_err() && size(Some(1_001)).is_err());
        assert_eq!((size(None).unwrap(), size(Some(1_000)).unwrap()), (100, 1_000));
        let query = [("workflow_id", Some("a&b".to_owned())), ("fields", None)];
        let page = page("alerts", vec![], "/api/v1/alerts", &query, Some("Nw".into()));
        assert_eq!(page["links"]["next"], "/api/v1/alerts?cursor=Nw&workflow_id=a%26b");
    }
}
