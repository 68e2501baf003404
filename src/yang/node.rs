//! One node of the schema, as the other parts see it.

use std::fmt::Write as _;

use super::schema::Schema;
use super::table::{self, Base, Ranges, StrId, TypeId};

/// The number of a node; the root is 0. Only good for the schema it came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The number, for arrays beside the schema.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is. Choices and cases are no data and are left out of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// container; the root too
    Container,
    /// list
    List,
    /// leaf
    Leaf,
    /// leaf-list
    LeafList,
}

impl NodeKind {
    /// The YANG keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::List => "list",
            Self::Leaf => "leaf",
            Self::LeafList => "leaf-list",
        }
    }

    /// Whether it holds a value.
    pub fn is_leaf(self) -> bool {
        matches!(self, Self::Leaf | Self::LeafList)
    }
}

/// What Arista's path report of this release says about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `read`
    Read,
    /// `read+write`
    ReadWrite,
    /// `not-supported`, on the node or above it
    NotSupported,
    /// The report does not list the node.
    Unknown,
}

impl Access {
    /// As the path report spells it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read+write",
            Self::NotSupported => "not-supported",
            Self::Unknown => "unlisted",
        }
    }
}

/// One node. Cheap to make and to copy; everything borrows from the schema.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    schema: &'a Schema,
    /// Its number.
    pub id: NodeId,
    /// Number of the node above; `None` for the root.
    pub parent: Option<NodeId>,
    /// Name without module.
    pub name: &'a str,
    /// The module whose namespace it is in.
    pub module: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// `config true`
    pub config: bool,
    /// What the path report says.
    pub access: Access,
    /// Canonical text of the default; [`Schema::default_of`] gives the value.
    pub default: Option<&'a str>,
    /// Units as the model writes them.
    pub units: Option<&'a str>,
    /// Key names of a list, in the order of the model; empty for a list without keys and for other kinds.
    pub keys: Keys<'a>,
    pub(super) type_id: Option<TypeId>,
}

impl<'a> Node<'a> {
    pub(super) fn new(schema: &'a Schema, id: NodeId) -> Self {
        let table = schema.table();
        let rec = schema.rec(id);
        let keys = table.keys.get(rec.keys as usize..rec.keys as usize + usize::from(rec.key_count)).unwrap_or_default();
        Self {
            schema,
            id,
            parent: (id.0 != 0).then_some(NodeId(rec.parent)),
            name: table.text(rec.name),
            module: table.module(rec.module),
            kind: schema.kind(id),
            config: rec.flags & 4 != 0,
            access: match rec.flags >> 3 {
                1 => Access::Read,
                2 => Access::ReadWrite,
                3 => Access::NotSupported,
                _ => Access::Unknown,
            },
            default: table.optional(rec.default),
            units: table.optional(rec.units),
            keys: Keys { schema, ids: keys },
            type_id: rec.type_id.checked_sub(1),
        }
    }

    /// The schema path, `/interfaces/interface/config/mtu`.
    pub fn path(&self) -> String {
        let mut names = Vec::new();
        let mut at = Some(*self);
        while let Some(node) = at.filter(|node| node.parent.is_some()) {
            names.push(node.name);
            at = node.parent.map(|id| self.schema.node(id));
        }
        if names.is_empty() {
            return "/".to_owned();
        }
        names.iter().rev().fold(String::new(), |mut text, name| {
            text.push('/');
            text.push_str(name);
            text
        })
    }

    /// Whether this leaf is a key of the list right above it.
    pub fn is_key(&self) -> bool {
        self.kind == NodeKind::Leaf && self.parent.is_some_and(|above| self.schema.node(above).keys.contains(self.name))
    }

    /// Whether a Set may write this leaf: `config true`, and not said to be read-only or unsupported. Keys are not seen here.
    pub fn writable(&self) -> bool {
        self.config && matches!(self.access, Access::ReadWrite | Access::Unknown)
    }

    /// The name of the leaf's type: of its typedef (`vlan-id`), else of the built-in type; `None` when it is no leaf.
    pub fn type_name(&self) -> Option<&'a str> {
        self.type_id.map(|id| self.schema.table().text(self.schema.type_rec(id).name))
    }

    /// The built-in type at the end of typedefs and leafrefs: `uint16`, `identityref`, `union`.
    pub fn base_type(&self) -> Option<&'static str> {
        self.type_id.map(|id| base_name(&self.schema.resolved(id).base))
    }

    /// What the leaf may hold, in one line: `uint16 1..4094`, `enumeration ACCESS | TRUNK`, `leafref ../config/name (string)`.
    pub fn describe(&self) -> Option<String> {
        self.type_id.map(|id| describe(self.schema, id))
    }

    /// Names to choose from: of an enumeration, of bits, of an identityref (bare), of a boolean, also inside a union.
    pub fn choices(&self) -> Vec<&'a str> {
        let mut names = Vec::new();
        if let Some(id) = self.type_id {
            choices(self.schema, id, &mut names);
        }
        names
    }

    /// `(path as written, resolved type name)` of a leafref.
    pub fn leafref(&self) -> Option<(&'a str, &'a str)> {
        match self.schema.type_rec(self.type_id?).base {
            Base::Leafref { path, target } => {
                let table = self.schema.table();
                Some((table.text(path), table.text(self.schema.type_rec(target).name)))
            }
            _ => None,
        }
    }
}

fn choices<'a>(schema: &'a Schema, id: TypeId, names: &mut Vec<&'a str>) {
    let table = schema.table();
    match &schema.resolved(id).base {
        Base::Enum(list) | Base::Bits(list) => names.extend(list.iter().map(|name| table.text(*name))),
        Base::Identity(list) => names.extend(list.iter().map(|(name, _)| table.text(*name))),
        Base::Bool => names.extend(["true", "false"]),
        Base::Union(members) => members.iter().for_each(|member| choices(schema, *member, names)),
        _ => {}
    }
}

/// The built-in type's name.
pub(super) fn base_name(base: &Base) -> &'static str {
    match base {
        Base::Int { bits: 8, signed: false, .. } => "uint8",
        Base::Int { bits: 16, signed: false, .. } => "uint16",
        Base::Int { bits: 32, signed: false, .. } => "uint32",
        Base::Int { signed: false, .. } => "uint64",
        Base::Int { bits: 8, .. } => "int8",
        Base::Int { bits: 16, .. } => "int16",
        Base::Int { bits: 32, .. } => "int32",
        Base::Int { .. } => "int64",
        Base::Decimal { .. } => "decimal64",
        Base::Bool => "boolean",
        Base::Empty => "empty",
        Base::Enum(_) => "enumeration",
        Base::Bits(_) => "bits",
        Base::Identity(_) => "identityref",
        Base::Str { .. } => "string",
        Base::Binary { .. } => "binary",
        Base::Union(_) => "union",
        Base::Leafref { .. } => "leafref",
        Base::Instance => "instance-identifier",
    }
}

/// One line about a type; long lists of names are cut.
pub(super) fn describe(schema: &Schema, id: TypeId) -> String {
    let table = schema.table();
    let rec = schema.type_rec(id);
    let built_in = base_name(&rec.base);
    let mut text = table.text(rec.name).to_owned();
    if text != built_in {
        _ = write!(text, " ({built_in})");
    }
    match &rec.base {
        Base::Int { ranges, .. } => describe_ranges(&mut text, ranges, 0),
        Base::Decimal { digits, ranges } => describe_ranges(&mut text, ranges, *digits),
        Base::Str { lengths, patterns } => {
            if !lengths.is_empty() {
                text.push_str(" length");
                describe_ranges(&mut text, lengths, 0);
            }
            // A typedef's name says more than its expression; a message about a pattern carries the expression anyway.
            let shown = patterns.iter().filter_map(|id| table.patterns.get(*id as usize)).map(|(expression, _)| table.text(*expression));
            for expression in shown.filter(|expression| table.text(rec.name) == built_in && expression.len() <= 40) {
                _ = write!(text, " like {expression}");
            }
        }
        Base::Binary { lengths } if !lengths.is_empty() => {
            text.push_str(" bytes");
            describe_ranges(&mut text, lengths, 0);
        }
        Base::Enum(names) | Base::Bits(names) => describe_names(&mut text, names.iter().map(|name| table.text(*name))),
        Base::Identity(list) => describe_names(&mut text, list.iter().map(|(name, _)| table.text(*name))),
        Base::Union(members) => {
            text.push_str(" of ");
            for (index, member) in members.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(&describe(schema, *member));
            }
        }
        Base::Leafref { path, target } => _ = write!(text, " {} = {}", table.text(*path), describe(schema, *target)),
        _ => {}
    }
    text
}

fn describe_ranges(text: &mut String, ranges: &Ranges, digits: u8) {
    let number = |value: i128| match i64::try_from(value) {
        Ok(value) if digits > 0 => crate::value::Decimal::new(value, digits).to_string(),
        _ => value.to_string(),
    };
    for (index, (low, high)) in ranges.iter().enumerate() {
        text.push_str(if index == 0 { " " } else { "|" });
        text.push_str(&number(*low));
        if high > low {
            _ = write!(text, "..{}", number(*high));
        }
    }
}

fn describe_names<'a>(text: &mut String, names: impl ExactSizeIterator<Item = &'a str>) {
    const SHOWN: usize = 24;
    let more = names.len().saturating_sub(SHOWN);
    for (index, name) in names.take(SHOWN).enumerate() {
        text.push_str(if index == 0 { " " } else { " | " });
        text.push_str(name);
    }
    if more > 0 {
        _ = write!(text, " | … {more} more");
    }
}

/// Key names of a list.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    schema: &'a Schema,
    ids: &'a [StrId],
}

impl<'a> Keys<'a> {
    /// The names, in the order of the model.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + 'a + use<'a> {
        let table: &'a table::Table = self.schema.table();
        self.ids.iter().map(|id| table.text(*id))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether `name` is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|key| key == name)
    }
}

impl<'a> IntoIterator for Keys<'a> {
    type Item = &'a str;
    type IntoIter = std::vec::IntoIter<&'a str>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}
