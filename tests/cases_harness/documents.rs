//! Makes arbitrary documents, the same in each run.

use serde_json::{Value, json};

use super::folder::cases;

/// Makes documents of any shape out of the words and values that the vendors' documents are made of.
pub(crate) struct Documents {
    seed: u64,
    keys: Vec<String>,
}

impl Documents {
    /// Collects the keys of every reply of a vendor's status cases.
    pub(crate) fn like(vendor: &str) -> (Self, Vec<Value>) {
        fn collect(value: &Value, keys: &mut Vec<String>) {
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| {
                    keys.push(key.clone());
                    collect(value, keys);
                }),
                Value::Array(list) => list.iter().for_each(|value| collect(value, keys)),
                _ => (),
            }
        }
        let replies: Vec<Value> = cases(vendor, "status", &["reply.json", "expected.json"])
            .iter()
            .map(|case| case.json("reply.json"))
            .collect();
        let mut keys = Vec::new();
        replies.iter().for_each(|reply| collect(reply, &mut keys));
        (Self { seed: 20_140_220, keys }, replies)
    }

    /// Gives the next number below a limit: a linear congruential generator, so that each run is the same.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).unwrap() % limit
    }

    pub(crate) fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => [
                json!(0),
                json!(-1),
                json!(i64::MIN),
                json!(i64::MAX),
                json!(u64::MAX),
                json!(1e300),
                json!(0.5),
                json!(1_392_904_510),
            ][self.below(8)]
            .clone(),
            3 | 4 => {
                let words = ["", " ", "up", "down", "connected", "idle", "none", "010", "-1", "99999999999999999999"];
                let odd = [
                    "0.0.0.0",
                    "{}",
                    "[[",
                    "{\"steps\":[null,{}]}",
                    "2020-01-31T15:41:43.000Z",
                    "+9999-99",
                    "\u{202e}é\0",
                ];
                let all = [&words[..], &odd[..]].concat();
                json!(all[self.below(all.len())])
            }
            5 => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Object((0..self.below(8)).map(|_| self.entry(depth - 1)).collect()),
        }
    }

    fn entry(&mut self, depth: usize) -> (String, Value) {
        let key = self.below(self.keys.len());
        (self.keys[key].clone(), self.value(depth))
    }

    /// Puts something else at some places of a document.
    pub(crate) fn bend(&mut self, value: &mut Value) {
        if self.below(8) == 0 {
            *value = self.value(2);
        }
        match value {
            Value::Object(map) => map.values_mut().for_each(|value| self.bend(value)),
            Value::Array(list) => list.iter_mut().for_each(|value| self.bend(value)),
            _ => (),
        }
    }
}
