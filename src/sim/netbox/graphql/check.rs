//! What a query may ask: fields, arguments and fragments that exist, values that fit. Wordings are graphql-core's.

use graphql_parser::Pos;
use graphql_parser::query::{Field, Selection, SelectionSet, TypeCondition, Value};
use serde_json::{Value as Json, json};

use super::Parsed;
use super::schema::{Block, Schema, TypeRef};

/// Walks a query and collects what is wrong with it.
pub(super) struct Check<'a> {
    pub schema: &'static Schema,
    pub parsed: &'a Parsed,
    pub errors: Vec<Json>,
    /// Names of the variables the operation declares.
    pub variables: Vec<&'a str>,
    /// Aliases found.
    pub aliases: usize,
    fragments: Vec<&'a str>,
}

impl<'a> Check<'a> {
    pub fn new(parsed: &'a Parsed) -> Self {
        let variables = parsed.variables.iter().map(|variable| variable.name.as_str()).collect();
        Self { schema: Schema::get(), parsed, errors: Vec::new(), variables, aliases: 0, fragments: Vec::new() }
    }

    fn error(&mut self, at: Pos, message: String) {
        self.errors.push(json!({"message": message, "locations": [{"line": at.line, "column": at.column}]}));
    }

    /// A selection on a type; nothing is known about types the lab has no objects of.
    pub fn selection(&mut self, of: &str, set: &'a SelectionSet<'static, String>) {
        for item in &set.items {
            match item {
                Selection::Field(field) => self.field(of, field),
                Selection::InlineFragment(fragment) => {
                    let TypeCondition::On(name) = match &fragment.type_condition {
                        Some(condition) => condition,
                        None => &TypeCondition::On(of.to_owned()),
                    };
                    self.condition(of, name, fragment.position);
                    self.selection(name, &fragment.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.parsed.fragments.get(&spread.fragment_name) else {
                        self.error(spread.position, format!("Unknown fragment '{}'.", spread.fragment_name));
                        continue;
                    };
                    if self.fragments.contains(&fragment.name.as_str()) {
                        self.error(spread.position, format!("Cannot spread fragment '{}' within itself.", fragment.name));
                        continue;
                    }
                    let TypeCondition::On(name) = &fragment.type_condition;
                    self.condition(of, name, spread.position);
                    self.fragments.push(&fragment.name);
                    self.selection(name, &fragment.selection_set);
                    self.fragments.pop();
                }
            }
        }
    }

    fn condition(&mut self, of: &str, name: &str, at: Pos) {
        let fits = match self.schema.block(of) {
            Some(Block::Union(members)) => members.iter().any(|member| member == name),
            Some(_) => of == name,
            None => true,
        };
        if !fits {
            let text = format!("Fragment cannot be spread here as objects of type '{of}' can never be of type '{name}'.");
            self.error(at, text);
        }
    }

    fn field(&mut self, of: &str, field: &'a Field<'static, String>) {
        self.aliases += usize::from(field.alias.is_some());
        if field.name == "__typename" {
            return;
        }
        let Some(block) = self.schema.block(of) else { return };
        let Some(def) = self.schema.field(of, &field.name) else {
            let hint = self.hint(block, &field.name);
            return self.error(field.position, format!("Cannot query field '{}' on type '{of}'.{hint}", field.name));
        };
        for (name, value) in &field.arguments {
            match def.arguments.iter().find(|(have, _)| have == name) {
                Some((_, wanted)) => self.value(wanted, value, field.position),
                None => self.error(field.position, format!("Unknown argument '{name}' on field '{of}.{}'.", field.name)),
            }
        }
        for (name, wanted) in def.arguments.iter().filter(|(_, wanted)| wanted.needed) {
            if !field.arguments.iter().any(|(have, _)| have == name) {
                let text =
                    format!("Argument '{of}.{}({name}:)' of type '{}' is required, but it was not provided.", field.name, wanted.text);
                self.error(field.position, text);
            }
        }
        let empty = field.selection_set.items.is_empty();
        match (self.schema.leaf(&def.of.name), empty) {
            (true, false) => {
                let text = format!("Field '{}' must not have a selection since type '{}' has no subfields.", field.name, def.of.text);
                self.error(field.position, text);
            }
            (false, true) => {
                let name = &field.name;
                let text = format!(
                    "Field '{name}' of type '{}' must have a selection of subfields. Did you mean '{name} {{ ... }}'?",
                    def.of.text
                );
                self.error(field.position, text);
            }
            _ => self.selection(&def.of.name, &field.selection_set),
        }
    }

    fn value(&mut self, wanted: &TypeRef, value: &'a Value<'static, String>, at: Pos) {
        match value {
            Value::Variable(name) => {
                if !self.variables.contains(&name.as_str()) {
                    let by = self.parsed.name.as_ref().map_or_else(String::new, |name| format!(" by operation '{name}'"));
                    self.error(at, format!("Variable '${name}' is not defined{by}."));
                }
            }
            Value::List(list) if wanted.list => {
                list.iter().for_each(|item| self.value(&TypeRef { list: false, ..wanted.clone() }, item, at))
            }
            Value::Object(map) => {
                let Some(Block::Input(fields)) = self.schema.block(&wanted.name) else {
                    if self.schema.leaf(&wanted.name) {
                        self.error(at, format!("Expected value of type '{}', found {value}.", wanted.name));
                    }
                    return;
                };
                for (name, value) in map {
                    match fields.iter().find(|(have, _)| have == name) {
                        Some((_, wanted)) => self.value(wanted, value, at),
                        None => {
                            let hint = near(name, fields.iter().map(|(name, _)| name.as_str()));
                            let of = &wanted.name;
                            let found: Vec<String> = map.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                            let found = found.join(", ");
                            let text =
                                format!("Expected value of type '{of}' not to include unknown field '{name}'.{hint} Found: {{ {found} }}.");
                            self.error(at, text);
                        }
                    }
                }
            }
            Value::Enum(name) if matches!(self.schema.block(&wanted.name), Some(Block::Enum(names)) if !names.contains(name)) => {
                let of = &wanted.name;
                self.error(at, format!("Value '{name}' does not exist in '{of}' enum."));
            }
            _ => {
                let fits = match (wanted.name.as_str(), value) {
                    (_, Value::Null) => !wanted.needed,
                    ("ID", Value::Int(_) | Value::String(_)) | ("BigInt" | "JSON" | "Float", _) => true,
                    ("Int", Value::Int(_)) | ("Boolean", Value::Boolean(_)) => true,
                    ("String" | "DateTime" | "Date" | "Decimal", Value::String(_)) => true,
                    ("ID" | "Int" | "Boolean" | "String" | "DateTime" | "Date" | "Decimal", _) => false,
                    // An object is wanted, or an enumeration, whose values are not in the table.
                    (name, _) => !matches!(self.schema.block(name), Some(Block::Input(_))),
                };
                if !fits {
                    let kind = match wanted.name.as_str() {
                        name @ ("Int" | "Boolean" | "String" | "ID") => {
                            let article = match name {
                                "Int" => "Int cannot represent non-integer value",
                                "Boolean" => "Boolean cannot represent a non boolean value",
                                "ID" => "ID cannot represent a non-string and non-integer value",
                                _ => "String cannot represent a non string value",
                            };
                            format!("{article}: {value}")
                        }
                        name => format!("Expected value of type '{name}' to be an object, found: {value}."),
                    };
                    self.error(at, kind);
                }
            }
        }
    }

    fn hint(&self, block: &Block, name: &str) -> String {
        match block {
            Block::Object(fields) => near(name, fields.iter().map(|(name, _)| name.as_str())),
            _ => String::new(),
        }
    }
}

/// ` Did you mean 'name' or 'role'?`, for names that are near.
fn near<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let limit = name.len() * 2 / 5 + 1;
    let mut found: Vec<(usize, &str)> = known.map(|other| (distance(name, other), other)).filter(|(far, _)| *far <= limit).collect();
    found.sort();
    found.truncate(5);
    let names: Vec<String> = found.into_iter().map(|(_, name)| format!("'{name}'")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" Did you mean {only}?"),
        Some((last, [one])) => format!(" Did you mean {one} or {last}?"),
        Some((last, others)) => format!(" Did you mean {}, or {last}?", others.join(", ")),
    }
}

/// Edits from one name to another, neighbours that change places counting as one.
fn distance(a: &str, b: &str) -> usize {
    if a.eq_ignore_ascii_case(b) {
        return usize::from(a != b);
    }
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let above = rows.last().cloned().unwrap_or_default();
        let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX);
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(x != y);
            let mut best = (get(&above, j + 1) + 1).min(get(&row, j) + 1).min(get(&above, j) + cost);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if let (true, Some(before)) = (swapped, rows.len().checked_sub(2).and_then(|at| rows.get(at))) {
                best = best.min(get(before, j - 1) + cost);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or_default()
}
