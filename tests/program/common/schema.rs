//! Holds values to a JSON schema (draft 2020-12), as far as docs/files.schema.json uses it.

use serde_json::Value;

/// What is wrong with a value, if anything is.
pub fn fault(schema: &Value, value: &Value) -> Option<String> {
    let rules = schema.as_object().expect("a schema is an object");
    let number = |rule: &Value| rule.as_u64().expect("a number");
    let len = || value.as_array().map_or(0, Vec::len) as u64;
    for (name, rule) in rules {
        let holds = match name.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "enum" => rule.as_array().expect("a list").contains(value),
            "minimum" => value
                .as_i64()
                .is_none_or(|n| n >= rule.as_i64().expect("a number")),
            "maximum" => value.as_u64().is_none_or(|n| n <= number(rule)),
            "minItems" => value.is_null() || len() >= number(rule),
            "maxItems" => len() <= number(rule),
            "pattern" => value.as_str().is_none_or(|text| is_hex(rule, text)),
            "format" => value.as_str().is_none_or(is_time),
            "required" => {
                let required = rule.as_array().expect("a list");
                required
                    .iter()
                    .all(|field| value.get(field.as_str().expect("a name")).is_some())
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                let fields = value.as_object().expect("an object");
                fields.keys().all(|field| known.get(field).is_some())
            }
            "properties" => {
                let fields = rule.as_object().expect("properties");
                for (field, schema) in fields {
                    let fault = value.get(field).and_then(|value| fault(schema, value));
                    if let Some(fault) = fault {
                        return Some(format!("{field}: {fault}"));
                    }
                }
                true
            }
            "items" | "prefixItems" => {
                let items = value.as_array().into_iter().flatten();
                let faults = items
                    .enumerate()
                    .filter_map(|(i, item)| match name.as_str() {
                        "items" => fault(rule, item),
                        _ => fault(&rule[i], item),
                    });
                if let Some(fault) = faults.into_iter().next() {
                    return Some(fault);
                }
                true
            }
            other => panic!("{other}: this rule is not read here"),
        };
        if !holds {
            return Some(format!("{value} does not meet {name}: {rule}"));
        }
    }
    None
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}: no type"),
    }
}

/// The one form of pattern: `^[0-9a-f]{64}$`.
fn is_hex(pattern: &Value, text: &str) -> bool {
    let pattern = pattern.as_str().expect("a pattern");
    let len = pattern
        .strip_prefix("^[0-9a-f]{")
        .and_then(|p| p.strip_suffix("}$"));
    let len: usize = len.expect(pattern).parse().expect("a number");
    text.len() == len && text.bytes().all(|o| matches!(o, b'0'..=b'9' | b'a'..=b'f'))
}

/// RFC 3339, in UTC.
fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.";
    let fits = |(a, b): (char, char)| if b == '0' { a.is_ascii_digit() } else { a == b };
    text.len() > form.len() && text.ends_with('Z') && text.chars().zip(form.chars()).all(fits)
}
