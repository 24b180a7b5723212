//! The query parameter `filters` of the cloud (vendors/ixon.md section 4.10).

use std::cmp::Ordering;

use serde_json::Value;

/// One condition, such as `eq(activeStatus,"active")`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    operator: Operator,
    column: String,
    values: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    Differs,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Null,
    NotNull,
    Between,
    Contains,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lt" | "less" => Self::Less,
            "lte" | "lessorequal" => Self::LessOrEqual,
            "eq" | "equals" => Self::Equal,
            "ne" | "differs" => Self::Differs,
            "gt" | "greater" => Self::Greater,
            "gte" | "greaterorequal" => Self::GreaterOrEqual,
            "in" => Self::In,
            "ni" => Self::NotIn,
            "isnull" => Self::Null,
            "isnotnull" => Self::NotNull,
            "between" => Self::Between,
            "contains" => Self::Contains,
            _ => return None,
        })
    }

    fn takes(self, values: usize) -> bool {
        match self {
            Self::Null | Self::NotNull => values == 0,
            Self::In | Self::NotIn => values > 0,
            Self::Between => values == 2,
            _ => values == 1,
        }
    }
}

impl Filter {
    /// Reads one parameter: a condition, or several with commas between; `None` where it is malformed.
    pub(super) fn parse_all(written: &str) -> Option<Vec<Self>> {
        split(written)?.into_iter().map(Self::parse).collect()
    }

    fn parse(written: &str) -> Option<Self> {
        let (name, rest) = written.split_once('(')?;
        let mut parts = split(rest.strip_suffix(')')?)?.into_iter();
        let column = parts.next().filter(|column| !column.is_empty())?.to_owned();
        let values: Vec<Value> = parts.map(|part| serde_json::from_str(part).ok()).collect::<Option<_>>()?;
        let operator = Operator::named(name)?;
        operator.takes(values.len()).then_some(Self { operator, column, values })
    }

    /// Tells whether a document meets the condition; `None` where it has no such column.
    pub(super) fn holds(&self, document: &Value) -> Option<bool> {
        let mut value = document;
        for name in self.column.split('.') {
            value = if value.is_null() { value } else { value.get(name)? };
        }
        let order = |index: usize| self.values.get(index).and_then(|other| compare(value, other));
        let listed = || self.values.iter().any(|other| compare(value, other) == Some(Ordering::Equal));
        Some(match self.operator {
            Operator::Less => order(0) == Some(Ordering::Less),
            Operator::LessOrEqual => order(0).is_some_and(Ordering::is_le),
            Operator::Equal | Operator::In => listed(),
            Operator::Differs | Operator::NotIn => !listed(),
            Operator::Greater => order(0) == Some(Ordering::Greater),
            Operator::GreaterOrEqual => order(0).is_some_and(Ordering::is_ge),
            Operator::Null => value.is_null(),
            Operator::NotNull => !value.is_null(),
            Operator::Between => order(0).is_some_and(Ordering::is_ge) && order(1).is_some_and(Ordering::is_le),
            Operator::Contains => match (value.as_str(), self.values.first().and_then(Value::as_str)) {
                (Some(text), Some(part)) => text.contains(part),
                _ => false,
            },
        })
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}

/// Splits at the commas that stand outside quotes and parentheses; `None` where those are not closed.
fn split(text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut depth, mut quoted, mut escaped, mut start) = (0_usize, false, false, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (depth == 0 && !quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Filter;

    fn holds(written: &str) -> Option<bool> {
        let document = json!({ "name": "a,b)c", "port": 443, "null": null, "custom": { "site": "Lyon" } });
        let filters = Filter::parse_all(written)?;
        let answers: Option<Vec<bool>> = filters.iter().map(|filter| filter.holds(&document)).collect();
        Some(answers?.into_iter().all(|holds| holds))
    }

    #[test]
    fn conditions_hold_or_do_not() {
        for yes in [
            r#"eq(name,"a,b)c")"#,
            r#"equals(port,443),contains(name,"b)")"#,
            r#"in(custom.site,"Delft","Lyon")"#,
            "between(port,400,500)",
            "isnull(null),isnotnull(name)",
            "isnull(null.deeper)",
            r#"ne(name,"x")"#,
        ] {
            assert_eq!(holds(yes), Some(true), "{yes}");
        }
        for no in [r#"ni(custom.site,"Lyon")"#, "lt(port,443)", r#"eq(port,"443")"#, r#"eq(name,"A,B)C")"#] {
            assert_eq!(holds(no), Some(false), "{no}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for wrong in ["", "eq(name)", "eq(name,a)", r#"like(name,"a")"#, r#"eq(name,"a""#, r#"eq(nam,"a")"#, "isnull()"]
        {
            assert_eq!(holds(wrong), None, "{wrong}");
        }
    }
}
