//! `schema`: the JSON Schema of every document, made from the types that the documents are made from.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::backend::registry;
use crate::error::Report;
use crate::model::document::{
    ActionItem, AuthItem, BackendsItem, CheckItem, ConfigItem, DoctorItem, Document, EventItem, ListItem, LogItem,
    SchemaItem, SettingsItem, StatusItem, TrustItem, TunnelItem, WaitItem,
};
use crate::model::item;
use crate::render::Item;

/// A document, who prints it, and its schema.
#[derive(Debug)]
pub struct Known {
    /// Its name, as `vpnctl schema` takes it.
    pub name: &'static str,
    /// The verbs that print it; the error object is everybody's.
    pub verbs: &'static [&'static str],
    /// What an item of it tells.
    pub description: &'static str,
    make: fn(&Known) -> Value,
}

/// Every document, in the order of contract section 5.
pub const DOCUMENTS: &[Known] = &[
    known("status", &["status"], "What a VPN is doing.", wrapped::<StatusItem<'static, Report>>),
    known("list", &["list"], "Something that can be connected.", wrapped::<ListItem<'static, Report>>),
    known(
        "action",
        &["connect", "disconnect", "reconnect"],
        "What was done to a VPN, and what it is doing now.",
        wrapped::<ActionItem<'static, Report>>,
    ),
    known("wait", &["wait"], "What came of waiting for a state.", wrapped::<WaitItem<'static, Report>>),
    known("event", &["watch"], "A state that was found, or a change of it.", wrapped::<EventItem<'static, Report>>),
    known("check", &["check"], "Whether a VPN is in the expected state.", wrapped::<CheckItem<'static, Report>>),
    known("tunnel", &["tunnel"], "A VPN configuration that the vendor keeps.", wrapped::<TunnelItem<'static>>),
    known("log", &["log"], "A line of the vendor's VPN log.", wrapped::<LogItem<'static>>),
    known("settings", &["settings"], "The settings of the local VPN client.", wrapped::<SettingsItem<'static>>),
    known("auth", &["auth"], "How a login stands.", wrapped::<AuthItem<'static, Report>>),
    known("trust", &["trust"], "A server's certificate.", wrapped::<TrustItem<'static>>),
    known("backends", &["backends"], "A backend, and what it can do.", wrapped::<BackendsItem<'static>>),
    known("config", &["config"], "A setting, and where it comes from.", wrapped::<ConfigItem<'static>>),
    known("doctor", &["doctor"], "A layer that was looked at.", wrapped::<DoctorItem<'static, Report>>),
    known("schema", &["schema"], "A document of vpnctl.", wrapped::<SchemaItem<'static>>),
    known("error", &[], "Why a command failed: the last line of standard error, and in the item concerned.", bare),
];

const fn known(
    name: &'static str,
    verbs: &'static [&'static str],
    description: &'static str,
    make: fn(&Known) -> Value,
) -> Known {
    Known { name, verbs, description, make }
}

impl Known {
    /// Finds a document by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        DOCUMENTS.iter().find(|known| known.name == name)
    }

    /// Gives the name with its version, which is the `$id` of the schema.
    #[must_use]
    pub fn versioned(&self) -> String {
        format!("vpnctl.{}/v1", self.name)
    }

    /// Makes the JSON Schema, draft 2020-12.
    #[must_use]
    pub fn schema(&self) -> Value {
        (self.make)(self)
    }

    /// Makes the item that tells of it.
    #[must_use]
    pub fn item(&self) -> Item {
        let Self { name, verbs, description, .. } = self;
        item::of(&SchemaItem { name, id: &self.versioned(), verbs, description })
    }
}

/// Makes the schema of `{"schema","items","summary"}`, and under `$defs/line` that of a line of ndjson.
fn wrapped<I: JsonSchema>(known: &Known) -> Value {
    let (mut root, mut definitions) = parts::<Document<I>>();
    root["properties"]["schema"]["const"] = known.versioned().into();
    let line = |of: &str, kind: &str| {
        json!({
            "$ref": format!("#/$defs/{of}"),
            "type": "object",
            "properties": {"type": {"description": "What the line is.", "type": "string", "const": kind}},
            "required": ["type"],
        })
    };
    definitions["item"]["description"] = known.description.into();
    if let Some(vendor) = definitions["item"]["properties"].get_mut("vendor") {
        vendor["examples"] = registry::VENDORS.iter().map(|vendor| vendor.name).collect();
    }
    definitions.insert("item_line".to_owned(), line("item", known.name));
    definitions.insert("summary_line".to_owned(), line("summary", "summary"));
    let either = json!({
        "description": "A line of -o ndjson: an item, or as the last line the summary.",
        "oneOf": [{"$ref": "#/$defs/item_line"}, {"$ref": "#/$defs/summary_line"}],
    });
    definitions.insert("line".to_owned(), either);
    let told = format!("The document that vpnctl prints with -o json. {}", known.description);
    assembled(known, &told, root, definitions)
}

/// Makes the schema of the error object, which is not wrapped.
fn bare(known: &Known) -> Value {
    let (root, definitions) = parts::<Report>();
    assembled(known, known.description, root, definitions)
}

/// Makes the schema of a type as it is written, and takes the definitions out of it.
fn parts<T: JsonSchema>() -> (Value, Map<String, Value>) {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut root = Schema::to_value(generator.into_root_schema_for::<T>());
    tidy(&mut root);
    let definitions = root.as_object_mut().and_then(|root| root.remove("$defs"));
    (root, item::object(definitions.unwrap_or_default()))
}

fn assembled(known: &Known, told: &str, root: Value, definitions: Map<String, Value>) -> Value {
    let mut schema = Map::new();
    let mut rest = item::object(root);
    schema.extend(rest.shift_remove("$schema").map(|draft| ("$schema".to_owned(), draft)));
    schema.insert("$id".to_owned(), known.versioned().into());
    schema.insert("title".to_owned(), known.versioned().into());
    schema.insert("description".to_owned(), told.into());
    rest.retain(|key, _| !["title", "description"].contains(&key.as_str()));
    schema.extend(rest);
    schema.insert("$defs".to_owned(), definitions.into());
    schema.into()
}

/// Opens the lists of words, for readers must expect new ones, and drops formats that no draft knows.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(tidy),
        Value::Object(map) => {
            // A key of an item may have that name; its value is a schema and no text.
            map.retain(|key, value| key != "format" || value.as_str().is_none_or(|format| format == "date-time"));
            if let Some(words) = words(map) {
                map.shift_remove("oneOf");
                map.shift_remove("enum");
                map.insert("type".to_owned(), "string".into());
                let other = json!({"description": "Any other word: readers must expect new ones."});
                map.insert("anyOf".to_owned(), words.into_iter().chain([other]).collect());
            }
            map.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// Gives what is known of the words of an enumeration; `None` for everything else.
fn words(map: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(plain)) = map.get("enum") {
        return Some(plain.iter().map(|word| json!({"const": word})).collect());
    }
    let each = map.get("oneOf")?.as_array()?;
    let mut all = Vec::new();
    for one in each {
        match (one.get("const"), one.get("enum").and_then(Value::as_array)) {
            (Some(word), _) => all.push(json!({"const": word, "description": one.get("description")})),
            (None, Some(plain)) => all.extend(plain.iter().map(|word| json!({"const": word}))),
            (None, None) => return None,
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{DOCUMENTS, Known};
    use crate::model;

    /// Lists the keys of an object that are always there, nested ones dotted.
    fn always(schema: &Value, object: &Value, prefix: &str, out: &mut Vec<String>) {
        let required: Vec<&str> =
            object["required"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
        for (key, value) in object["properties"].as_object().expect("properties") {
            if required.contains(&key.as_str()) && key != "native" {
                leaves(schema, value, &format!("{prefix}{key}"), out);
            }
        }
    }

    /// Lists a key, or the keys inside of it where it is an object with keys of its own.
    fn leaves(schema: &Value, value: &Value, name: &str, out: &mut Vec<String>) {
        let of_null = value["anyOf"].as_array().and_then(|either| either.iter().find(|one| one["$ref"].is_string()));
        let place = value["$ref"].as_str().or(of_null.and_then(|one| one["$ref"].as_str()));
        let inner = place.map(|place| schema.pointer(place.trim_start_matches('#')).expect("a definition"));
        match inner.filter(|inner| inner["properties"].is_object()) {
            Some(inner) => always(schema, inner, &format!("{name}."), out),
            None => out.push(name.to_owned()),
        }
    }

    #[test]
    fn columns_are_the_keys_of_the_items() {
        for of in model::Schema::ALL {
            let schema = Known::find(of.name()).expect("a schema").schema();
            let item = &schema["$defs"]["item"];
            let mut keys = Vec::new();
            always(&schema, item, "", &mut keys);
            let required = item["required"].as_array().expect("keys");
            let mut others = Vec::new();
            for (key, value) in item["properties"].as_object().expect("properties") {
                // What is found is asked for by its own flag, and has columns then.
                if !required.contains(&key.as_str().into()) && key != "found" {
                    leaves(&schema, value, key, &mut others);
                    others.push(key.clone());
                }
            }
            others.dedup();
            assert_eq!(others, of.sometimes(), "{of:?}");
            if of == model::Schema::Discovered {
                leaves(&schema, &item["properties"]["found"], "found", &mut keys);
            }
            assert_eq!(keys, of.columns(), "{of:?}");
            assert!(keys.iter().any(|key| key == of.value_field()), "{of:?}: {}", of.value_field());
        }
    }

    #[test]
    fn every_key_and_every_word_is_described() {
        fn described(name: &str, value: &Value) {
            let Value::Object(map) = value else { return };
            if let Some(Value::Object(keys)) = map.get("properties") {
                for (key, value) in keys {
                    assert!(value["description"].is_string(), "{name}: {key}");
                }
            }
            if let Some(Value::Array(words)) = map.get("anyOf").filter(|_| map.get("type") == Some(&"string".into())) {
                assert!(words.iter().all(|word| word["description"].is_string()), "{name}: {words:?}");
                let open = words.last().expect("words");
                assert!(open.get("const").is_none() && open.get("enum").is_none(), "{name} refuses new words");
            }
            map.values().for_each(|value| described(name, value));
        }
        for known in DOCUMENTS {
            let schema = known.schema();
            let text = schema.to_string();
            assert!(!text.contains("\"enum\""), "{}: a list of words refuses new ones", known.name);
            assert!(!text.contains("additionalProperties\":false"), "{} refuses new keys", known.name);
            assert!(!text.contains("contract"), "{} names what its readers don't have", known.name);
            described(known.name, &schema);
        }
    }

    #[test]
    fn what_may_be_null_and_what_may_be_absent_differ() {
        let item = |name: &str| Known::find(name).expect("a schema").schema()["$defs"]["item"].clone();
        let required = |item: &Value, key: &str| item["required"].as_array().expect("keys").contains(&key.into());
        let (status, list, tunnel) = (item("status"), item("list"), item("tunnel"));
        assert!(required(&status, "error") && !required(&list, "error"));
        assert!(required(&tunnel, "active") && !required(&tunnel, "changed"));
        assert_eq!(status["properties"]["ip_address"]["type"], serde_json::json!(["string", "null"]));
        assert_eq!(status["properties"]["observed_at"]["type"], "string");
        let vendors = status["properties"]["vendor"]["examples"].as_array().map(Vec::len);
        assert_eq!(vendors, Some(crate::backend::registry::VENDORS.len()));
        for time in ["connected_since", "last_attempt_at", "observed_at"] {
            assert_eq!(status["properties"][time]["format"], "date-time", "{time}");
        }
    }
}
