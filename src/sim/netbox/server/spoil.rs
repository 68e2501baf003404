//! What a fault makes of an answer.

use serde_json::{Map, Value, json};

use super::super::endpoint::{html, page_of};
use super::super::fault::{Fault, Kind};
use super::super::page;
use super::super::rest::{Answer, Call};

/// The answer a fault gives instead of, or makes of, the real one.
pub(super) fn spoiled(fault: &Fault, call: &Call<'_>, real: impl Fn(&Call<'_>) -> Answer) -> Answer {
    let page = |status: u16, title: &str, text: &str| html(status, page_of(title, text), "", false);
    let graphql = call.path == "/graphql/";
    match fault.kind {
        Kind::Denied => refused(403, &json!({"detail": "You do not have permission to perform this action."})),
        Kind::TokenRevoked => {
            let text =
                if call.authorization.is_some_and(|header| header.contains("nbt_")) { "Invalid v2 token" } else { "Invalid v1 token" };
            if graphql { html(403, text.to_owned(), "", false) } else { refused(403, &json!({"detail": text})) }
        }
        Kind::ServerError => page(500, "Server Error", "There was a problem with your request."),
        Kind::BadGateway => page(502, "502 Bad Gateway", "nginx"),
        Kind::Unavailable => page(503, "503 Service Temporarily Unavailable", "nginx"),
        Kind::GatewayTimeout => page(504, "504 Gateway Time-out", "nginx"),
        Kind::TooManyRequests => {
            let mut answer = page(429, "429 Too Many Requests", "nginx");
            answer.headers.push(("Retry-After", "1".to_owned()));
            answer
        }
        Kind::LoginPage => page(200, "Log In", "<form method=\"post\" action=\"/login/\"><input name=\"username\"></form>"),
        Kind::Redirect => {
            let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
            let mut answer = page(301, "301 Moved Permanently", "nginx");
            answer.headers.push(("Location", format!("http://netbox.invalid{}{query}", call.path)));
            answer
        }
        Kind::WrongBranch => html(400, "Invalid branch identifier".to_owned(), "", !graphql),
        Kind::GraphqlOff if graphql => html(404, "The GraphQL API is not enabled.".to_owned(), "", false),
        Kind::PluginMissing => without_plugin(call, real),
        Kind::ObjectGone => gone(call, real),
        Kind::NoCursor => {
            let query: Vec<_> = page::parse(call.query).into_iter().filter(|(name, _)| name != "start").collect();
            real(&Call { query: &page::query(&query), ..call.clone() })
        }
        Kind::PageRepeats => shifted(call, -1, real),
        Kind::PageSkips => shifted(call, 1, real),
        Kind::CustomFieldRenamed | Kind::CustomFieldRetyped => {
            changed(real(call), |body| custom_fields(body, &|map| custom_field(map, fault)))
        }
        Kind::TruncatedBody => {
            let mut answer = real(call);
            answer.body.truncate(answer.body.len() / 2);
            answer
        }
        Kind::TruncatedPage => rows(real(call), fault.keep, false),
        Kind::Shrink => rows(real(call), fault.keep, true),
        Kind::Empty => rows(real(call), 0, true),
        _ => real(call),
    }
}

fn refused(status: u16, body: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/json".to_owned()), ("API-Version", "4.7".to_owned())];
    Answer { status, headers, body: body.to_string().into_bytes() }
}

/// The answer with another body, when it is JSON.
fn changed(mut answer: Answer, change: impl FnOnce(&mut Value)) -> Answer {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) {
        change(&mut body);
        answer.body = body.to_string().into_bytes();
    }
    answer
}

/// A list with a share of its rows; `honest` when its count says so. In GraphQL, every list of the root.
fn rows(answer: Answer, percent: u64, honest: bool) -> Answer {
    let cut = |list: &mut Vec<Value>| {
        list.truncate(list.len() * usize::try_from(percent.min(100)).unwrap_or(0) / 100);
        list.len()
    };
    changed(answer, |body| {
        for list in
            body.get_mut("data").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).filter_map(Value::as_array_mut)
        {
            cut(list);
        }
        let Some(keep) = body.get_mut("results").and_then(Value::as_array_mut).map(cut) else { return };
        if let Some(map) = body.as_object_mut() {
            map.insert("next".to_owned(), Value::Null);
            if honest {
                map.insert("count".to_owned(), keep.into());
            }
        }
    })
}

/// A later page of a list that grew or shrank by one row at its beginning since the first page. Pages by cursor do not suffer from it.
fn shifted(call: &Call<'_>, by: i64, real: impl Fn(&Call<'_>) -> Answer) -> Answer {
    let mut query = page::parse(call.query);
    let offset = query.iter_mut().find(|(name, _)| name == "offset").map(|(_, value)| value);
    let Some((offset, number)) =
        offset.and_then(|value| value.parse::<i64>().ok().map(|number| (value, number))).filter(|(_, number)| *number > 0)
    else {
        return real(call);
    };
    *offset = (number + by).to_string();
    let other: Value = serde_json::from_slice(&real(&Call { query: &page::query(&query), ..call.clone() }).body).unwrap_or_default();
    changed(real(call), |body| {
        let count = body.get("count").and_then(Value::as_i64);
        if let (Some(map), Some(rows), Some(count)) = (body.as_object_mut(), other.get("results"), count) {
            map.insert("results".to_owned(), rows.clone());
            map.insert("count".to_owned(), (count - by).into());
        }
    })
}

fn gone(call: &Call<'_>, real: impl Fn(&Call<'_>) -> Answer) -> Answer {
    let named = page::parse(call.query).into_iter().rfind(|(name, _)| name.ends_with("_id"));
    if let Some((name, id)) = named {
        return refused(400, &json!({name: [format!("Select a valid choice. {id} is not one of the available choices.")]}));
    }
    let detail = call.path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| last.parse::<u64>().is_ok());
    if detail { refused(404, &json!({"detail": "No object matches the given query."})) } else { real(call) }
}

fn without_plugin(call: &Call<'_>, real: impl Fn(&Call<'_>) -> Answer) -> Answer {
    if call.path.starts_with("/api/plugins/bgp") {
        return html(404, page_of("Page Not Found", "The requested page does not exist"), "", false);
    }
    let text = String::from_utf8_lossy(call.body);
    let field = text.find("netbox_bgp_").filter(|_| call.path == "/graphql/").map(|at| {
        let rest = text.get(at..).unwrap_or_default();
        rest.get(..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())).unwrap_or_default().to_owned()
    });
    match field {
        Some(field) => {
            let error = json!({"message": format!("Cannot query field '{field}' on type 'Query'."), "locations": []});
            let mut answer = refused(200, &json!({"data": null, "errors": [error]}));
            answer.headers.truncate(1);
            answer
        }
        None => changed(real(call), |body| {
            for name in ["plugins", "installed_apps"] {
                body.get_mut(name).and_then(Value::as_object_mut).map(|map| map.shift_remove("netbox_bgp"));
            }
        }),
    }
}

/// Every `custom_fields` of an answer, however deep.
fn custom_fields(value: &mut Value, change: &dyn Fn(&mut Map<String, Value>)) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|item| custom_fields(item, change)),
        Value::Object(map) => {
            for (name, item) in map.iter_mut() {
                match item.as_object_mut().filter(|_| name == "custom_fields") {
                    Some(fields) => change(fields),
                    None => custom_fields(item, change),
                }
            }
        }
        _ => {}
    }
}

fn custom_field(map: &mut Map<String, Value>, fault: &Fault) {
    let meant = |name: &str| fault.name.is_empty() || fault.name == name;
    let fields = std::mem::take(map);
    for (name, value) in fields {
        match (meant(&name), fault.kind) {
            (true, Kind::CustomFieldRenamed) => _ = map.insert(format!("{name}_renamed"), value),
            (true, Kind::CustomFieldRetyped) if value.is_number() => _ = map.insert(name, json!(value.to_string())),
            _ => _ = map.insert(name, value),
        }
    }
}
