//! The schema: that of a real NetBox, cut down to the kinds the lab holds (`tests/real_netbox/graphql_schema.py` does it), as a look-up table.

use std::sync::LazyLock;

use graphql_parser::schema::{Definition, InputValue, Type, TypeDefinition, parse_schema};
use rustc_hash::FxHashMap;

/// What a field or argument is.
#[derive(Debug, Clone)]
pub(super) struct TypeRef {
    /// Name of the type below lists and `!`.
    pub name: String,
    /// Whether it is a list.
    pub list: bool,
    /// Whether it is never null.
    pub needed: bool,
    /// As written: `[DeviceType!]!`.
    pub text: String,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct FieldDef {
    pub arguments: Vec<(String, TypeRef)>,
    pub of: TypeRef,
}

/// A type that is looked into.
#[derive(Debug)]
pub(super) enum Block {
    /// Fields in the order of the schema.
    Object(Vec<(String, FieldDef)>),
    /// Names of its members.
    Union(Vec<String>),
    /// Names of its values.
    Enum(Vec<String>),
    /// Its fields.
    Input(Vec<(String, TypeRef)>),
}

/// Types by name. One that is not here belongs to kinds the lab has no objects of.
#[derive(Debug, Default)]
pub(super) struct Schema(FxHashMap<String, Block>);

const LEAVES: &[&str] = &["ID", "String", "Int", "Float", "Boolean", "BigInt", "JSON", "DateTime", "Date", "Decimal"];

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(include_str!("schema.graphql")));

impl Schema {
    /// The one of the lab.
    pub fn get() -> &'static Self {
        &SCHEMA
    }

    fn read(text: &str) -> Self {
        let Ok(document) = parse_schema::<String>(text) else { return Self::default() }; // a test reads it
        let mut types = FxHashMap::default();
        for definition in document.definitions {
            let Definition::TypeDefinition(definition) = definition else { continue };
            match definition {
                TypeDefinition::Object(of) => {
                    let field = |field: graphql_parser::schema::Field<'_, String>| {
                        (field.name, FieldDef { arguments: inputs(field.arguments), of: reference(&field.field_type) })
                    };
                    types.insert(of.name, Block::Object(of.fields.into_iter().map(field).collect()));
                }
                TypeDefinition::Union(of) => _ = types.insert(of.name, Block::Union(of.types)),
                TypeDefinition::Enum(of) => {
                    _ = types.insert(of.name, Block::Enum(of.values.into_iter().map(|value| value.name).collect()));
                }
                TypeDefinition::InputObject(of) => _ = types.insert(of.name, Block::Input(inputs(of.fields))),
                _ => {}
            }
        }
        Self(types)
    }

    /// A type, unless it belongs to kinds the lab has none of.
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.0.get(name)
    }

    /// A field of an object type.
    pub fn field(&self, of: &str, name: &str) -> Option<&FieldDef> {
        match self.block(of)? {
            Block::Object(fields) => fields.iter().find(|(have, _)| have == name).map(|(_, field)| field),
            _ => None,
        }
    }

    /// Whether a type has no fields of its own.
    pub fn leaf(&self, name: &str) -> bool {
        LEAVES.contains(&name)
    }
}

fn inputs(list: Vec<InputValue<'_, String>>) -> Vec<(String, TypeRef)> {
    let one = |input: InputValue<'_, String>| {
        let mut of = reference(&input.value_type);
        of.needed &= input.default_value.is_none();
        (input.name, of)
    };
    list.into_iter().map(one).collect()
}

/// What a type is, also that of a variable.
pub(super) fn reference(of: &Type<'_, String>) -> TypeRef {
    match of {
        Type::NamedType(name) => TypeRef { name: name.clone(), list: false, needed: false, text: name.clone() },
        Type::ListType(inner) => {
            let inner = reference(inner);
            TypeRef { list: true, needed: false, text: format!("[{}]", inner.text), name: inner.name }
        }
        Type::NonNullType(inner) => {
            let inner = reference(inner);
            TypeRef { needed: true, text: format!("{}!", inner.text), ..inner }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kind::KindId;
    use super::*;

    #[test]
    fn every_kind_of_the_lab_has_its_type() {
        let schema = Schema::get();
        for kind in KindId::all().map(KindId::get).filter(|kind| kind.class != "Branch") {
            assert!(matches!(schema.block(&format!("{}Type", kind.class)), Some(Block::Object(_))), "{}", kind.class);
        }
        let list = schema.field("Query", "device_list").expect("device_list");
        assert_eq!((list.of.text.as_str(), list.of.list, list.of.needed), ("[DeviceType!]!", true, true));
        assert!(schema.field("Query", "netbox_bgp_session_list").is_some_and(|list| list.arguments.len() == 1), "no paging there");
    }
}
