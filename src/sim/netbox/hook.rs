//! Webhooks: what a request did becomes one post an object and rule, with the body and the headers of a real NetBox. Pure: the posts are only
//! made here, [`server`](super::server) sends them.
//!
//! As in the real one an edit inside a branch makes the same posts, and nothing in them says so.

use ring::hmac;
use serde_json::{Map, Value, json};

use super::changelog::{Action, Request};
use super::kind::{Calc, KindId, Type};
use super::page;
use super::render::{Pick, View};
use super::rest::{Call, iso};
use super::store::{Object, Store};

/// What happened to one object within one request.
#[derive(Debug, Clone)]
pub struct Event {
    object: (KindId, u64),
    action: Action,
    /// The object before and after, flat.
    before: Value,
    after: Value,
    /// Full form, taken while a deleted object is still there.
    data: Option<Value>,
}

/// One post, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where to.
    pub url: String,
    /// How.
    pub method: String,
    /// Headers in the order they are sent; `Content-Length` and `Host` come with the sending.
    pub headers: Vec<(String, String)>,
    /// The body that is signed.
    pub body: Vec<u8>,
}

impl Event {
    /// Notes a change; several to one object within one request are one event.
    pub(super) fn note(events: &mut Vec<Self>, store: &Store, action: Action, object: (KindId, u64), data: &[Value; 2]) {
        let (kind, id) = object;
        let created = store.get(kind, id).and_then(|object| object.get("created")).map_or(Value::Null, millis);
        let [before, after] = data.clone().map(|data| snapshot(data, &created));
        match events.iter_mut().find(|event| event.object == object) {
            Some(event) => {
                event.after = after;
                if action == Action::Delete {
                    event.action = action;
                }
            }
            None => events.push(Self { object, action, before, after, data: None }),
        }
    }
}

impl Event {
    /// Keeps the full form of an object that goes.
    pub(super) fn frozen(events: &mut [Self], object: (KindId, u64), data: Value) {
        if let Some(event) = events.iter_mut().find(|event| event.object == object) {
            event.data = Some(data);
        }
    }
}

/// Snapshots carry `created`, cut to milliseconds, before everything else; there is none of what was not there.
fn snapshot(data: Value, created: &Value) -> Value {
    match data {
        Value::Object(map) if map.is_empty() => Value::Null,
        Value::Object(map) => {
            let mut all = Map::from_iter([("created".to_owned(), created.clone())]);
            all.extend(map);
            Value::Object(all)
        }
        other => other,
    }
}

fn millis(time: &Value) -> Value {
    let text = time.as_str().unwrap_or_default();
    text.get(..23).map_or(Value::Null, |text| json!(format!("{text}Z")))
}

/// The object as REST shows it, with URLs that name no host. What was just made has no counters yet.
pub(super) fn full(store: &Store, kind: KindId, id: u64, action: Action) -> Value {
    let counter = |kind: Type| matches!(kind, Type::Calc(Calc::Count(..) | Calc::TreeCount(..) | Calc::Zero | Calc::GroupPrefixes));
    let fields = kind.get().fields.iter();
    let omit = fields.filter(|field| action == Action::Create && counter(field.kind)).map(|field| field.name.to_owned()).collect();
    View::new(store, "").shown(kind, id, &Pick { omit, ..Pick::default() })
}

/// The posts of a request's events. `store` is where the objects are (a branch's, perhaps), `main` where webhooks and rules are.
pub(super) fn posts(store: &Store, main: &Store, events: Vec<Event>, call: &Call<'_>, request: &Request) -> Vec<Post> {
    let mut posts = Vec::new();
    for event in events {
        let (kind, id) = event.object;
        let hooks = hooks(main, kind, event.action);
        if hooks.is_empty() {
            continue;
        }
        let data = event.data.unwrap_or_else(|| full(store, kind, id, event.action));
        let name = match event.action {
            Action::Create => "created",
            Action::Update => "updated",
            Action::Delete => "deleted",
        };
        let query: Map<String, Value> = page::parse(call.query).into_iter().map(|(name, value)| (name, json!(value))).collect();
        let body = json!({
            "event": name,
            "timestamp": iso(call.now).replace('Z', "+00:00"),
            "object_type": kind.get().model,
            "data": data,
            "request": {
                "id": request.id,
                "path": call.path,
                "path_info": call.path,
                "method": call.method,
                "GET": query,
                "user": request.user,
            },
            "snapshots": {"prechange": event.before, "postchange": event.after},
        });
        let body = spaced(&body);
        posts.extend(hooks.into_iter().map(|hook| post(hook, body.clone())));
    }
    posts
}

/// The webhooks whose enabled rules ask for this.
fn hooks(main: &Store, kind: KindId, action: Action) -> Vec<&Object> {
    let wanted = match action {
        Action::Create => "object_created",
        Action::Update => "object_updated",
        Action::Delete => "object_deleted",
    };
    let names = |rule: &Object, name: &str, value: &str| {
        rule.get(name).and_then(Value::as_array).is_some_and(|list| list.iter().any(|item| item.as_str() == Some(value)))
    };
    let (Some(rules), Some(webhooks)) = (KindId::of_model("extras.eventrule"), KindId::of_model("extras.webhook")) else {
        return Vec::new();
    };
    let rules = main.table(rules).map(|(_, rule)| rule).filter(|rule| {
        let on = rule.get("enabled").and_then(Value::as_bool) == Some(true);
        let webhook = rule.get("action_type").and_then(Value::as_str) == Some("webhook");
        on && webhook && names(rule, "object_types", kind.get().model) && names(rule, "event_types", wanted)
    });
    rules.filter_map(|rule| main.get(webhooks, rule.get("action_object_id")?.as_u64()?)).collect()
}

fn post(hook: &Object, body: Vec<u8>) -> Post {
    let text = |name: &str| hook.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut headers = vec![
        ("Accept-Encoding".to_owned(), "identity".to_owned()),
        ("User-Agent".to_owned(), "python-urllib3/2.8.0".to_owned()),
        ("Content-Type".to_owned(), text("http_content_type")),
        ("Content-Length".to_owned(), body.len().to_string()),
    ];
    let own = text("additional_headers");
    headers
        .extend(own.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())));
    let secret = text("secret");
    if !secret.is_empty() {
        headers.push(("X-Hook-Signature".to_owned(), signature(secret.as_bytes(), &body)));
    }
    Post { url: text("payload_url"), method: text("http_method"), headers, body }
}

/// HMAC-SHA512 in hexadecimal digits.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA512, secret);
    hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON as Python writes it: with a space after every comma and colon.
fn spaced(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(list) => {
            out.push(b'[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.extend(b", ");
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            for (at, (name, item)) in map.iter().enumerate() {
                if at > 0 {
                    out.extend(b", ");
                }
                write(&json!(name), out);
                out.extend(b": ");
                write(item, out);
            }
            out.push(b'}');
        }
        // Python escapes what is not ASCII.
        Value::String(_) => {
            for unit in value.to_string().chars() {
                if unit.is_ascii() {
                    out.push(u8::try_from(unit).unwrap_or(b'?'));
                } else {
                    unit.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.extend(format!("\\u{unit:04x}").bytes()));
                }
            }
        }
        other => out.extend(other.to_string().bytes()),
    }
}

#[cfg(test)]
mod tests;
