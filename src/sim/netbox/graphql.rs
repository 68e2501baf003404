//! GraphQL at `/graphql/`: a small executor over the objects, with a real NetBox's schema. Only queries; a real one has nothing else either.
//!
//! [`schema`] knows the types, [`check`] refuses what they do not have, [`run`] walks the selection, [`filter`] selects, [`relation`] knows ways
//! between objects. Where the lab holds no objects of a kind (tenants, racks, change records of an object), it is null or an empty list.

mod check;
mod filter;
mod relation;
mod run;
mod schema;

use std::collections::BTreeMap;

use graphql_parser::query::{Definition, FragmentDefinition, OperationDefinition, SelectionSet, parse_query};
use serde_json::{Map, Value, json};

use super::endpoint::{html, page_of};
use super::render::View;
use super::rest::{Answer, Call};
use check::Check;
use schema::{TypeRef, reference};

/// Most aliases of one query (`GRAPHQL_MAX_ALIASES`).
const MAX_ALIASES: usize = 10;

/// A query taken apart.
#[derive(Debug, Default)]
struct Parsed {
    name: Option<String>,
    variables: Vec<Variable>,
    selection: Option<SelectionSet<'static, String>>,
    fragments: BTreeMap<String, FragmentDefinition<'static, String>>,
}

#[derive(Debug)]
struct Variable {
    name: String,
    of: TypeRef,
    default: Option<Value>,
}

/// Whether a path is this endpoint's.
pub(super) fn here(path: &str) -> bool {
    path == "/graphql/"
}

/// What a caller without a token gets: the way to the login page, or a refusal when it does not take HTML.
pub(super) fn stranger(call: &Call<'_>, request_id: &str) -> Answer {
    let takes_html = call.accept.is_none_or(|accept| ["text/html", "text/*", "*/*"].iter().any(|kind| accept.contains(kind)));
    if !takes_html {
        return html(403, "No credentials provided.".to_owned(), request_id, false);
    }
    let mut answer = html(302, String::new(), request_id, false);
    answer.headers.push(("Location", "/login/?next=/graphql/".to_owned()));
    answer
}

/// The login page, where strangers are sent.
pub(super) fn login(request_id: &str) -> Answer {
    html(200, page_of("Home", "<form method=\"post\" action=\"/login/\"><input name=\"username\"></form>"), request_id, false)
}

/// Answers a call of somebody who may ask.
pub(super) fn answer(call: &Call<'_>, view: &View<'_>, request_id: &str) -> Answer {
    let refused = |status: u16, text: &str| {
        let headers = vec![("Content-Type", "text/plain".to_owned()), ("X-Request-ID", request_id.to_owned())];
        Answer { status, headers, body: text.as_bytes().to_vec() }
    };
    if call.method == "GET" {
        return html(200, page_of("GraphiQL", "<div id=\"graphiql\">Loading...</div>"), request_id, false);
    }
    if call.method != "POST" {
        return refused(405, "GraphQL only supports GET and POST requests.");
    }
    if !call.content_type.is_some_and(|kind| kind.contains("application/json")) {
        return refused(400, "Unsupported content type");
    }
    let Ok(body) = serde_json::from_slice::<Value>(call.body) else {
        return refused(400, "Unable to parse request body as JSON");
    };
    let Some(query) = body.get("query").and_then(Value::as_str).filter(|query| !query.is_empty()) else {
        return refused(400, "No GraphQL query found in the request");
    };
    let variables = body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let wanted = body.get("operationName").and_then(Value::as_str);
    let reply = execute(view, query, variables, wanted).to_string().into_bytes();
    let headers =
        [("Content-Type", "application/json"), ("Vary", "HX-Request, Accept-Language, Cookie, origin"), ("X-Request-ID", request_id)];
    Answer { status: 200, headers: headers.map(|(name, value)| (name, value.to_owned())).to_vec(), body: reply }
}

/// `{"data": …}`, or `{"data": null, "errors": […]}`.
fn execute(view: &View<'_>, query: &str, mut variables: Map<String, Value>, wanted: Option<&str>) -> Value {
    let failed = |errors: Vec<Value>| json!({"data": null, "errors": errors});
    let parsed = match parse(query, wanted) {
        Ok(parsed) => parsed,
        Err(message) => return failed(vec![json!({"message": message})]),
    };
    let Some(selection) = &parsed.selection else { return failed(vec![json!({"message": "Must provide an operation."})]) };
    let mut check = Check::new(&parsed);
    check.selection("Query", selection);
    if check.aliases > MAX_ALIASES {
        check.errors.insert(0, json!({"message": format!("{} aliases found. Allowed: {MAX_ALIASES}", check.aliases)}));
    }
    if !check.errors.is_empty() {
        return failed(check.errors);
    }
    for variable in &parsed.variables {
        let given = variables.get(&variable.name);
        let missing = match (given, &variable.default) {
            (None, None) => variable.of.needed.then_some("to be provided"),
            (Some(Value::Null), _) => variable.of.needed.then_some("not to be None"),
            _ => None,
        };
        if let Some(missing) = missing {
            let (name, of) = (&variable.name, &variable.of.text);
            let text = format!("Variable '${name}' has invalid value: Expected a value of non-null type '{of}' {missing}.");
            return failed(vec![json!({"message": text})]);
        }
        if let (None, Some(default)) = (given, &variable.default) {
            variables.insert(variable.name.clone(), default.clone());
        }
    }
    let mut run = run::Run::new(view, &parsed, variables);
    match run.query(selection) {
        Ok(data) => json!({"data": data}),
        Err(error) => failed(vec![error]),
    }
}

fn parse(query: &str, wanted: Option<&str>) -> Result<Parsed, String> {
    let document = parse_query::<String>(query).map_err(|problem| format!("Syntax Error: {problem}"))?.into_static();
    let mut parsed = Parsed::default();
    for definition in document.definitions {
        let (name, variables, selection) = match definition {
            Definition::Fragment(fragment) => {
                parsed.fragments.insert(fragment.name.clone(), fragment);
                continue;
            }
            Definition::Operation(OperationDefinition::SelectionSet(selection)) => (None, Vec::new(), selection),
            Definition::Operation(OperationDefinition::Query(query)) => (query.name, query.variable_definitions, query.selection_set),
            Definition::Operation(OperationDefinition::Mutation(_)) => {
                return Err("The mutation operation is not supported by the schema.".to_owned());
            }
            Definition::Operation(OperationDefinition::Subscription(_)) => {
                return Err("The subscription operation is not supported by the schema.".to_owned());
            }
        };
        // Without a name the first one is run, however many there are.
        let meant = wanted.map_or(parsed.selection.is_none(), |wanted| Some(wanted) == name.as_deref());
        if !meant {
            continue;
        }
        parsed.name = name;
        parsed.selection = Some(selection);
        let variable = |variable: graphql_parser::query::VariableDefinition<'static, String>| Variable {
            of: reference(&variable.var_type),
            default: variable.default_value.as_ref().map(|value| run::plain(value, &Map::new())),
            name: variable.name,
        };
        parsed.variables = variables.into_iter().map(variable).collect();
    }
    match (wanted, &parsed.selection) {
        (Some(name), None) => Err(format!("Unknown operation named \"{name}\".")),
        _ => Ok(parsed),
    }
}

#[cfg(test)]
mod tests;
