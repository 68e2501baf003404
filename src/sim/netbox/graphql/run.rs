//! Walks a checked selection over the objects.

use graphql_parser::query::{Directive, Field, Selection, SelectionSet, TypeCondition, Value as Ast};
use serde_json::{Map, Value, json};

use super::super::compute;
use super::super::kind::{Calc, Kind, KindId, Type};
use super::super::page::MAX;
use super::super::render::View;
use super::super::store::Object;
use super::relation::{reach, sorted};
use super::schema::{FieldDef, Schema, TypeRef};
use super::{Parsed, filter};

/// One execution.
pub(super) struct Run<'a> {
    view: &'a View<'a>,
    schema: &'static Schema,
    parsed: &'a Parsed,
    variables: Map<String, Value>,
    path: Vec<Value>,
}

/// An object of an answer.
#[derive(Clone, Copy)]
enum Node<'v> {
    /// The root.
    Query,
    /// An object of the database.
    Row(KindId, u64),
    /// Something without an id.
    Plain(&'v Value),
}

/// The error that ends an execution, as in `errors`.
type Failed = Value;
type Set = SelectionSet<'static, String>;

impl<'a> Run<'a> {
    pub fn new(view: &'a View<'a>, parsed: &'a Parsed, variables: Map<String, Value>) -> Self {
        Self { view, schema: Schema::get(), parsed, variables, path: Vec::new() }
    }

    /// The whole answer.
    pub fn query(&mut self, set: &Set) -> Result<Value, Failed> {
        let mut map = Map::new();
        self.into(&mut map, Node::Query, "Query", set)?;
        Ok(Value::Object(map))
    }

    fn failed(&self, field: &Field<'static, String>, message: &str) -> Failed {
        let at = field.position;
        json!({"message": message, "locations": [{"line": at.line, "column": at.column}], "path": self.path})
    }

    fn into(&mut self, map: &mut Map<String, Value>, node: Node<'_>, of: &str, set: &Set) -> Result<(), Failed> {
        for item in &set.items {
            match item {
                Selection::Field(field) if self.taken(&field.directives) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name).clone();
                    self.path.push(json!(key));
                    let value = self.field(node, of, field)?;
                    self.path.pop();
                    match map.get_mut(&key) {
                        Some(there) => merge(there, value),
                        None => _ = map.insert(key, value),
                    }
                }
                Selection::InlineFragment(fragment) if self.taken(&fragment.directives) => {
                    let fits = fragment.type_condition.as_ref().is_none_or(|TypeCondition::On(name)| name == of);
                    if fits {
                        self.into(map, node, of, &fragment.selection_set)?;
                    }
                }
                Selection::FragmentSpread(spread) if self.taken(&spread.directives) => {
                    let parsed = self.parsed;
                    let fragment = parsed.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|fragment| fragment.type_condition == TypeCondition::On(of.to_owned())) {
                        self.into(map, node, of, &fragment.selection_set)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn taken(&self, directives: &[Directive<'static, String>]) -> bool {
        directives.iter().all(|directive| {
            let asked = directive.arguments.iter().find(|(name, _)| name == "if").map(|(_, value)| plain(value, &self.variables));
            match directive.name.as_str() {
                "skip" => asked != Some(Value::Bool(true)),
                "include" => asked != Some(Value::Bool(false)),
                _ => true,
            }
        })
    }

    fn field(&mut self, node: Node<'_>, of: &str, field: &Field<'static, String>) -> Result<Value, Failed> {
        if field.name == "__typename" {
            return Ok(json!(of));
        }
        let Some(def) = self.schema.field(of, &field.name) else { return Ok(Value::Null) };
        let arguments: Map<String, Value> =
            field.arguments.iter().map(|(name, value)| (name.clone(), plain(value, &self.variables))).collect();
        match node {
            Node::Query => self.root(field, def, &arguments),
            Node::Plain(value) => Ok(value.get(&field.name).cloned().unwrap_or_default()),
            Node::Row(kind, id) if self.schema.leaf(&def.of.name) => Ok(self.leaf(kind, id, &field.name, def)),
            Node::Row(kind, id) if def.of.name == "IPAddressFamilyType" => {
                let object = self.view.store.get(kind, id).cloned().unwrap_or_default();
                let family = compute::value(self.view, kind, id, &object, "family", Calc::Family);
                self.shown(Node::Plain(&family), &def.of.name, field)
            }
            Node::Row(kind, id) => {
                let found = reach(self.view, kind, id, &field.name).unwrap_or_default();
                if def.of.list {
                    return self.many(found, field, &arguments);
                }
                match found.first() {
                    Some((kind, id)) => self.shown(Node::Row(*kind, *id), &type_of(kind.get()), field),
                    None => Ok(Value::Null),
                }
            }
        }
    }

    fn root(&mut self, field: &Field<'static, String>, def: &FieldDef, arguments: &Map<String, Value>) -> Result<Value, Failed> {
        let kind = KindId::all().find(|kind| type_of(kind.get()) == def.of.name);
        if def.of.list {
            let Some(kind) = kind else { return Ok(json!([])) };
            let all = sorted(self.view, self.view.store.table(kind).map(|(id, _)| (kind, id)).collect());
            return self.many(all, field, arguments);
        }
        let id = arguments.get("id").and_then(number);
        match kind.zip(id).filter(|(kind, id)| self.view.store.get(*kind, *id).is_some()) {
            Some((kind, id)) => self.shown(Node::Row(kind, id), &def.of.name, field),
            None => {
                let class = def.of.name.trim_end_matches("Type");
                Err(self.failed(field, &format!("{class} matching query does not exist.")))
            }
        }
    }

    fn shown(&mut self, node: Node<'_>, of: &str, field: &Field<'static, String>) -> Result<Value, Failed> {
        let mut map = Map::new();
        self.into(&mut map, node, of, &field.selection_set)?;
        Ok(Value::Object(map))
    }

    /// A list: filtered, paged, and cut at a thousand without a word.
    fn many(
        &mut self,
        mut found: Vec<(KindId, u64)>,
        field: &Field<'static, String>,
        arguments: &Map<String, Value>,
    ) -> Result<Value, Failed> {
        if let Some(wanted) = arguments.get("filters").and_then(Value::as_object) {
            let mut kept = Vec::new();
            for (kind, id) in found {
                let times = filter::matches(self.view, kind, id, wanted).map_err(|problem| self.failed(field, &problem))?;
                kept.extend(std::iter::repeat_n((kind, id), times));
            }
            found = kept;
        }
        let page = |name: &str| arguments.get("pagination").and_then(|page| page.get(name)).and_then(Value::as_i64);
        let offset = page("offset").unwrap_or(0);
        if let Some(start) = page("start") {
            if offset != 0 {
                return Err(self.failed(field, "Cannot specify both `start` and `offset` in pagination."));
            }
            if start < 0 {
                return Err(self.failed(field, "`start` must be greater than or equal to zero."));
            }
            found.retain(|(_, id)| i64::try_from(*id).is_ok_and(|id| id >= start));
            found.sort_by_key(|(_, id)| *id);
        }
        let limit = page("limit").and_then(|limit| usize::try_from(limit).ok()).filter(|limit| (1..=MAX).contains(limit)).unwrap_or(MAX);
        let rows = found.into_iter().skip(usize::try_from(offset).unwrap_or(0)).take(limit);
        let mut list = Vec::new();
        for (at, (kind, id)) in rows.enumerate() {
            self.path.push(json!(at));
            list.push(self.shown(Node::Row(kind, id), &type_of(kind.get()), field)?);
            self.path.pop();
        }
        Ok(Value::Array(list))
    }

    fn leaf(&self, kind: KindId, id: u64, name: &str, def: &FieldDef) -> Value {
        let view = self.view;
        let Some(object) = view.store.get(kind, id) else { return Value::Null };
        let stored = |name: &str| object.get(name).cloned().unwrap_or_default();
        match name {
            "id" => return json!(id.to_string()),
            "display" => return json!(view.display(kind, id)),
            "class_type" => return json!(kind.get().class),
            "custom_fields" => return view.custom_stored(kind.get(), &stored("custom_fields")),
            "custom_field_data" => return stored("custom_fields"),
            "level" => return compute::value(view, kind, id, object, name, Calc::Depth),
            "_children" => return compute::value(view, kind, id, object, name, Calc::Children),
            "vid_ranges" => return ranges(object),
            _ => {}
        }
        let Some(field) = kind.get().field(name) else { return nothing(&def.of) };
        match field.kind {
            // Of the empty choices only these are null in the database.
            Type::Choice(_) if name == "qinq_role" && stored(name).is_null() => Value::Null,
            Type::Nothing if name == "face" => json!(""),
            Type::Choice(_) => json!(stored(name).as_str().unwrap_or_default()),
            Type::Stamp => json!(stored(name).as_str().unwrap_or_default().replace('Z', "+00:00")),
            Type::Number => json!(stored(name).to_string()),
            Type::Nothing => nothing(&def.of),
            Type::Calc(Calc::Protocol) => {
                compute::value(view, kind, id, object, name, Calc::Protocol).get("value").cloned().unwrap_or_default()
            }
            Type::Json | Type::Calc(_) => view.shown_field(kind, id, object, field),
            _ => stored(name),
        }
    }
}

/// Name of a kind's GraphQL type.
pub(super) fn type_of(kind: &Kind) -> String {
    format!("{}Type", kind.class)
}

/// What a field of NetBox that the lab never fills says.
fn nothing(of: &TypeRef) -> Value {
    match (of.list, of.needed, of.name.as_str()) {
        (true, true, _) => json!([]),
        (_, false, _) => Value::Null,
        (_, _, "Int" | "BigInt") => json!(0),
        (_, _, "Boolean") => json!(false),
        (_, _, "JSON") => json!({}),
        _ => json!(""),
    }
}

/// As Postgres writes them: with the first number that is outside.
fn ranges(object: &Object) -> Value {
    let list = object.get("vid_ranges").and_then(Value::as_array).into_iter().flatten();
    let end = |range: &Value, at: usize| range.get(at).and_then(Value::as_i64).unwrap_or_default();
    Value::Array(list.map(|range| json!(format!("[{}, {})", end(range, 0), end(range, 1) + 1))).collect())
}

/// An id, given as text or number.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A value of the query as JSON, variables filled in; an enumeration is its name.
pub(super) fn plain(value: &Ast<'_, String>, variables: &Map<String, Value>) -> Value {
    match value {
        Ast::Variable(name) => variables.get(name).cloned().unwrap_or_default(),
        Ast::Int(number) => json!(number.as_i64()),
        Ast::Float(number) => json!(number),
        Ast::String(text) | Ast::Enum(text) => json!(text),
        Ast::Boolean(flag) => json!(flag),
        Ast::Null => Value::Null,
        Ast::List(list) => Value::Array(list.iter().map(|item| plain(item, variables)).collect()),
        Ast::Object(map) => Value::Object(map.iter().map(|(name, item)| (name.clone(), plain(item, variables))).collect()),
    }
}

/// The same field selected twice: the selections add up.
fn merge(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (name, value) in more {
                match there.get_mut(&name) {
                    Some(there) => merge(there, value),
                    None => _ = there.insert(name, value),
                }
            }
        }
        (Value::Array(there), Value::Array(more)) => there.iter_mut().zip(more).for_each(|(there, more)| merge(there, more)),
        _ => {}
    }
}
