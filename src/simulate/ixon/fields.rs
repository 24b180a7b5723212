//! The query parameter `fields` of the cloud (vendors/ixon.md section 4.10).

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

/// A selection of fields: a comma list of names, with sub-fields as `a.b` or `a(b,c)`, and `*` for a whole level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    all: bool,
    named: Vec<(String, Fields)>,
}

impl Fields {
    /// Reads the values of all parameters called `fields`; `None` where one is malformed.
    pub(super) fn parse<'a>(written: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut fields = Self::default();
        for text in written {
            let mut rest = text.chars().peekable();
            fields.read_list(&mut rest)?;
            if rest.next().is_some() {
                return None;
            }
        }
        Some(fields)
    }

    fn read_list(&mut self, rest: &mut Peekable<Chars<'_>>) -> Option<()> {
        loop {
            self.read_item(rest)?;
            if rest.next_if_eq(&',').is_none() {
                return Some(());
            }
        }
    }

    fn read_item(&mut self, rest: &mut Peekable<Chars<'_>>) -> Option<()> {
        if rest.next_if_eq(&'*').is_some() {
            self.all = true;
            return Some(());
        }
        let mut name = String::new();
        while let Some(letter) = rest.next_if(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')) {
            name.push(letter);
        }
        if name.is_empty() {
            return None;
        }
        let sub = self.sub(name);
        if rest.next_if_eq(&'.').is_some() {
            sub.read_item(rest)
        } else if rest.next_if_eq(&'(').is_some() {
            sub.read_list(rest)?;
            rest.next_if_eq(&')').map(|_| ())
        } else {
            Some(())
        }
    }

    fn sub(&mut self, name: String) -> &mut Self {
        let index = self.named.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.named.push((name, Self::default()));
            self.named.len() - 1
        });
        &mut self.named[index].1
    }

    /// Cuts a document down to the selection; its publicId always stays, those inside of it do not. `None` where a
    /// name is unknown.
    pub(super) fn apply(&self, document: &Value) -> Option<Value> {
        self.keep(document, "publicId")
    }

    fn keep(&self, document: &Value, always: &str) -> Option<Value> {
        let Value::Object(members) = document else { return Some(document.clone()) };
        if self.named.iter().any(|(name, _)| !members.contains_key(name)) {
            return None;
        }
        let mut kept = Map::new();
        for (name, value) in members {
            if let Some((_, sub)) = self.named.iter().find(|(known, _)| known == name) {
                kept.insert(name.clone(), sub.apply_below(value)?);
            } else if name == always || self.all && is_plain(value) {
                kept.insert(name.clone(), value.clone());
            }
        }
        Some(Value::Object(kept))
    }

    /// Cuts a member down; one that is named without sub-fields shows its own plain ones.
    fn apply_below(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.apply_below(item)).collect(),
            Value::Object(_) if self.named.is_empty() => Self { all: true, named: Vec::new() }.keep(value, ""),
            _ => self.keep(value, ""),
        }
    }
}

/// Tells whether `*` stands for a field too: it means one level, so no object and no list.
fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Fields;

    fn cut(fields: &[&str]) -> Option<serde_json::Value> {
        let document = json!({
            "publicId": "x", "name": "n", "other": 1, "list": [{ "publicId": "y", "a": 1, "b": 2 }],
            "deep": { "a": 1, "b": { "c": 2, "d": 3 } },
        });
        Fields::parse(fields.iter().copied())?.apply(&document)
    }

    #[test]
    fn dots_and_parentheses_select_sub_fields() {
        let expected = json!({ "publicId": "x", "name": "n", "deep": { "a": 1, "b": { "c": 2 } } });
        assert_eq!(cut(&["name,deep(a,b.c)"]), Some(expected.clone()));
        assert_eq!(cut(&["deep.a,deep.b(c)", "name"]), Some(expected));
    }

    #[test]
    fn a_star_is_one_level() {
        assert_eq!(cut(&["*"]), Some(json!({ "publicId": "x", "name": "n", "other": 1 })));
        assert_eq!(cut(&["deep.*"]), Some(json!({ "publicId": "x", "deep": { "a": 1 } })));
        assert_eq!(cut(&["list(a)"]), Some(json!({ "publicId": "x", "list": [{ "a": 1 }] })));
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for wrong in ["nam", "deep.z", "deep(a", "name,", "", "deep)"] {
            assert_eq!(cut(&[wrong]), None, "{wrong}");
        }
    }
}
