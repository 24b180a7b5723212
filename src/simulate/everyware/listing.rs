//! Query parameters and pages of lists (sections 4.4 and 5, list result).

use std::ops::Range;

use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;

use super::super::faults::Faults;
use super::answers::{self, Answer, Refusal};

/// How many items a page has where the request does not say.
const DEFAULT_LIMIT: usize = 50;

/// The query parameters of a request, decoded; unknown ones are never looked at.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the parameters of a request.
    pub(super) fn read(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Gives the first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Gives all values of a parameter that may be repeated.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether a parameter is `true`; everything else is false, as in Java.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| answers::illegal_argument(name, text))).transpose()
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    offset: usize,
    asks_total: bool,
}

impl Page {
    /// Reads `limit`, `offset` and `askTotalCount` of a request.
    pub(super) fn read(params: &Params, faults: &Faults) -> Result<Self, Refusal> {
        let limit = params.number("limit")?;
        let offset = params.number("offset")?.unwrap_or(0);
        Ok(Self { limit: capped(limit, faults), offset, asks_total: params.is_true("askTotalCount") })
    }

    /// Reads the same of the body of a `_query`.
    pub(super) fn of_query(body: &Value, faults: &Faults) -> Result<Self, Refusal> {
        let number = |name: &str| match &body[name] {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(answers::illegal_argument(name, &value.to_string())),
            },
        };
        let limit = number("limit")?;
        let offset = number("offset")?.unwrap_or(0);
        Ok(Self { limit: capped(limit, faults), offset, asks_total: body["askTotalCount"] == true })
    }

    /// Tells whether it is the first one.
    pub(super) fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// Gives the places of a list of `total` that are on this page.
    pub(super) fn of(&self, total: usize) -> Range<usize> {
        let start = self.offset.min(total);
        start..start.saturating_add(self.limit).min(total)
    }
}

fn capped(limit: Option<usize>, faults: &Faults) -> usize {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let cap = faults.number("page-size").and_then(|cap| usize::try_from(cap).ok());
    cap.map_or(limit, |cap| limit.min(cap))
}

/// How a list is ordered.
#[derive(Debug, Default)]
pub(super) struct Order {
    attribute: Option<String>,
    is_descending: bool,
}

impl Order {
    /// Reads `sortParam`, which must be one of `known`, and `sortDir`.
    pub(super) fn read(params: &Params, known: &[&str]) -> Result<Self, Refusal> {
        let attribute = match params.get("sortParam") {
            Some(name) if !known.contains(&name) => return Err(answers::illegal_argument("sortParam", name)),
            name => name.map(str::to_owned),
        };
        let is_descending = match params.get("sortDir") {
            None | Some("ASCENDING") => false,
            Some("DESCENDING") => true,
            Some(other) => return Err(answers::illegal_argument("sortDir", other)),
        };
        Ok(Self { attribute, is_descending })
    }

    /// Tells whether a list stays as it is.
    pub(super) fn is_default(&self) -> bool {
        self.attribute.is_none() && !self.is_descending
    }

    /// Orders a list by what `value` gives for the attribute; case counts for client ids only (section 4.4).
    pub(super) fn apply<T>(&self, items: &mut [T], value: impl Fn(&T, &str) -> Option<String>) {
        if let Some(name) = self.attribute.as_deref() {
            items.sort_by_cached_key(|item| {
                value(item, name).map(|text| if name == "clientId" { text } else { text.to_lowercase() })
            });
        }
        if self.is_descending {
            items.reverse();
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a, T> {
    r#type: &'a str,
    limit_exceeded: bool,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Items<T>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<usize>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Items<T> {
    Flat(Vec<T>),
    Nested { item: Vec<T> },
}

/// Answers with one page of a list: `items` are those of [`Page::of`] `total`.
pub(super) fn page<T: Serialize>(kind: &str, page: &Page, total: usize, items: Vec<T>, faults: &Faults) -> Answer {
    let total_count = (page.asks_total && !faults.is_on("no-total-count")).then_some(total);
    if faults.is_on("missing-items") {
        let empty = List::<T> { r#type: kind, limit_exceeded: false, size: 0, items: None, total_count };
        return answers::document(&empty);
    }
    let limit_exceeded = page.of(total).end < total;
    let size = items.len();
    let items = if faults.is_on("legacy-items") { Items::Nested { item: items } } else { Items::Flat(items) };
    answers::document(&List { r#type: kind, limit_exceeded, size, items: Some(items), total_count })
}

#[cfg(test)]
mod tests {
    use super::{Order, Params};

    fn ordered(query: &str) -> Vec<&'static str> {
        let uri = format!("/?{query}").parse().expect("a query");
        let order = Order::read(&Params::read(&uri), &["clientId", "displayName"]).expect("an order");
        let mut items = vec!["b", "A", "C"];
        order.apply(&mut items, |item, _| Some((*item).to_owned()));
        items
    }

    #[test]
    fn case_counts_for_client_ids_only() {
        assert_eq!(ordered("sortParam=displayName"), ["A", "b", "C"]);
        assert_eq!(ordered("sortParam=clientId"), ["A", "C", "b"]);
        assert_eq!(ordered("sortParam=clientId&sortDir=DESCENDING"), ["b", "C", "A"]);
        assert_eq!(ordered("colour=red"), ["b", "A", "C"]);
    }
}
