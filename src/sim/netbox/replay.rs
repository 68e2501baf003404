//! Edits written down as REST calls (`changes.json`, or the `netbox` member of a scenario): applied to a running server without a network.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::rest::{Answer, Call};

/// One edit of intent.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// Its id, also usable as the id of a scenario.
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub title: String,
    /// Objects that exist.
    #[serde(default)]
    pub refs: BTreeMap<String, Reference>,
    /// What is called.
    pub calls: Vec<Step>,
    /// What the change log then holds, as recorded.
    #[serde(default)]
    pub object_changes: Vec<Value>,
}

/// An object that exists.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    /// Its id in the recordings.
    #[serde(default)]
    pub id: Option<u64>,
    /// The list query that finds it on any server.
    #[serde(default)]
    pub find: Option<String>,
}

/// One call.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    /// HTTP method.
    pub method: String,
    /// Path, with `{name}` for ids.
    pub path: String,
    /// Body, with `{name}` for ids.
    #[serde(default)]
    pub body: Value,
    /// Status it must give.
    #[serde(default)]
    pub expect: Option<u16>,
    /// Name for the id of the object it makes.
    #[serde(default)]
    pub save: Option<String>,
}

/// The changes of a `changes.json`.
pub fn changes(text: &[u8]) -> Result<Vec<Change>, Error> {
    #[derive(Deserialize)]
    struct File {
        changes: Vec<Change>,
    }
    serde_json::from_slice::<File>(text).map(|file| file.changes).map_err(|problem| Error::data("changes.json", &problem.to_string()))
}

/// Applies a change through a way to call the server.
pub fn apply(change: &Change, mut ask: impl FnMut(Call<'_>) -> Answer) -> Result<(), Error> {
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, reference) in &change.refs {
        let found = match (&reference.find, reference.id) {
            (Some(find), _) => {
                let (path, query) = find.split_once('?').unwrap_or((find, ""));
                let answer = ask(Call { method: "GET", path, query, ..Call::default() });
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                body.pointer("/results/0/id").and_then(Value::as_u64)
            }
            (None, id) => id,
        };
        let missing = || Error::Edit {
            id: change.id.clone(),
            call: format!("GET {}", reference.find.as_deref().unwrap_or("-")),
            got: format!("no object for {name}"),
        };
        names.insert(name, found.ok_or_else(missing)?);
    }
    for step in &change.calls {
        let path = fill(&step.path, &names);
        let body = fill_value(&step.body, &names);
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = ask(Call { method: &step.method, path: &path, body: &bytes, ..Call::default() });
        let good = step.expect.map_or(answer.status < 400, |expect| expect == answer.status);
        if !good {
            let got = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
            return Err(Error::Edit { id: change.id.clone(), call: format!("{} {path}", step.method), got });
        }
        if let Some(name) = &step.save {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            names.insert(name, body.get("id").and_then(Value::as_u64).unwrap_or_default());
        }
    }
    Ok(())
}

fn fill_value(value: &Value, names: &BTreeMap<&str, u64>) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).and_then(|name| names.get(name)) {
            Some(id) => Value::from(*id),
            None => Value::String(fill(text, names)),
        },
        Value::Array(list) => Value::Array(list.iter().map(|item| fill_value(item, names)).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(key, item)| (key.clone(), fill_value(item, names))).collect()),
        other => other.clone(),
    }
}

/// Puts ids for `{name}`; `{{` and `}}` are literal braces.
fn fill(text: &str, names: &BTreeMap<&str, u64>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
            out.push_str(tail.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let name = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
        match name.and_then(|(name, after)| Some((names.get(name)?, after))) {
            Some((id, after)) => {
                out.push_str(&id.to_string());
                rest = after;
            }
            None => {
                out.push_str(tail.get(..1).unwrap_or_default());
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids_and_double_braces_stay() {
        let names = BTreeMap::from([("a", 7)]);
        assert_eq!(fill("/x/{a}/{{asn}}:{{vni}}/{b}", &names), "/x/7/{asn}:{vni}/{b}");
        assert_eq!(fill_value(&serde_json::json!(["{a}", "-{a}"]), &names), serde_json::json!([7, "-7"]));
    }
}
