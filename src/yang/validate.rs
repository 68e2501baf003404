//! Whether a JSON_IETF document fits the schema: names, modules, shapes, types, ranges, patterns, keys, and for documents
//! to be written also whether EOS lets each leaf be written.
//!
//! The rules for spelling are those of RFC 7951 and give the verdicts of libyang's strict parser; `must`, `when` and whether
//! a leafref has a target are not judged (with Arista's models they cannot be, see [`super::deviations`]). Reading what a
//! device says is not this module's part: [`Schema::flatten_lossy`] is more lenient.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::canonical::{inside, limits, scaled};
use super::json::shape;
use super::node::{Access, Node, NodeId, NodeKind, base_name, describe};
use super::pattern::Pattern;
use super::schema::{Schema, split_module};
use super::table::{Base, Ranges, TypeId};
use crate::path::{Elem, Path};
use crate::value::Value;

/// What is wrong with a node of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// The schema has no such node.
    UnknownNode,
    /// The node needs its module in front of its name.
    NeedsModule,
    /// An object, array or value where another is wanted.
    WrongShape,
    /// A value its type does not allow.
    WrongType,
    /// A number or length outside its range.
    OutOfRange,
    /// A text its pattern does not allow.
    Pattern,
    /// A list entry without one of its keys.
    MissingKey,
    /// Two list entries with the same keys, or the same member of a leaf-list twice.
    Duplicate,
    /// Written, but the device only lets it be read.
    ReadOnly,
    /// The path report says this release does not support it.
    NotSupported,
}

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Where, with keys.
    pub path: Path,
    /// What.
    pub kind: IssueKind,
    /// In words, without the path.
    pub message: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To be written to a device: read-only and unsupported nodes are issues.
    Config,
    /// As read from a device: state is welcome.
    Data,
}

/// Why a value does not fit its type.
type Refusal = (IssueKind, String);

impl Schema {
    /// Everything wrong with a JSON_IETF document standing at `root`, in the order of the document; nothing if it fits.
    ///
    /// At the root every member carries its module; at another node members of that node's own module need not. For a list
    /// entry (`root` ends with keys) the keys may be left out of the object. In [`Mode::Config`] list keys and their twins
    /// under `config` are accepted even where the path report calls them `read`: EOS makes the entry out of them.
    pub fn validate(&self, root: &Path, json: &Json, mode: Mode) -> Vec<Issue> {
        let mut walk = Walk { schema: self, mode, at: root.clone(), issues: Vec::new() };
        let Some(id) = self.find(root) else {
            walk.issue(IssueKind::UnknownNode, "no such node in the schema".to_owned());
            return walk.issues;
        };
        if !walk.may_write(id) {
            return walk.issues;
        }
        let node = self.node(id);
        let entry = root.elems.last().filter(|elem| !elem.keys.is_empty());
        match (node.kind, json) {
            (NodeKind::List, Json::Object(members)) if entry.is_some() => {
                for (key, text) in entry.iter().flat_map(|elem| &elem.keys) {
                    let leaf = self.child(id, key);
                    let given =
                        leaf.and_then(|leaf| walk.member(members, leaf, Some(node.module)).and_then(|value| self.key_text(leaf, value)));
                    if given.is_some_and(|given| given != *text) {
                        walk.issue(IssueKind::WrongType, format!("key `{key}` differs from the path's"));
                    }
                }
                walk.members(id, members, Some(node.module));
            }
            (NodeKind::List, _) => {
                walk.at.elems.pop();
                walk.child(id, json);
            }
            (NodeKind::Container, Json::Object(members)) => {
                walk.members(id, members, node.parent.map(|_| node.module));
            }
            (NodeKind::Leaf | NodeKind::LeafList, _) => walk.leaf(&node, json),
            (NodeKind::Container, other) => walk.issue(IssueKind::WrongShape, format!("an object is wanted, not {}", shape(other))),
        }
        walk.issues
    }

    /// Whether a canonical value lies within ranges, lengths and patterns of its leaf; else what is wanted.
    pub(super) fn admits_at(&self, leaf: NodeId, value: &Value) -> Result<(), String> {
        let node = self.node(leaf);
        let Some(type_id) = node.type_id else { return Ok(()) };
        let json = self.json_ietf_at(leaf, value);
        let items = match &json {
            Json::Array(items) if node.kind == NodeKind::LeafList => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        items.iter().try_for_each(|item| self.refuse(type_id, node.module, item)).map_err(|_| describe(self, type_id))
    }

    /// How many values were accepted because a pattern is beyond us.
    pub fn patterns_skipped(&self) -> usize {
        self.patterns_skipped.load(Ordering::Relaxed)
    }

    /// Patterns of the table that are beyond us: none in EOS 4.35.0F.
    pub fn unsupported_patterns(&self) -> Vec<&str> {
        let all = self.table().patterns.iter().map(|(text, _)| self.table().text(*text));
        all.filter(|expression| Pattern::compile(expression).is_none()).collect()
    }

    /// Checks one JSON_IETF value against a type. `module` is the leaf's: an identity of it needs no prefix.
    fn refuse(&self, type_id: TypeId, module: &str, json: &Json) -> Result<(), Refusal> {
        let base = &self.resolved(type_id).base;
        let wrong = |spelling: &str| (IssueKind::WrongType, format!("{} {spelling}, not {}", base_name(base), shown(json)));
        let not_one = || (IssueKind::WrongType, format!("{} is not {}", shown(json), describe(self, type_id)));
        match base {
            Base::Int { bits, signed, ranges } => {
                let number = match json {
                    Json::Number(number) if *bits < 64 => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
                    Json::String(text) if *bits == 64 => text.trim_ascii().parse().ok(),
                    _ => return Err(wrong(if *bits == 64 { "is written as a string of digits" } else { "is written as a number" })),
                };
                let number: i128 = number.ok_or_else(|| wrong("is a whole number"))?;
                let (low, high) = limits(*bits, *signed);
                if !(low..=high).contains(&number) || !inside(ranges, number) {
                    return Err((IssueKind::OutOfRange, format!("{number} is outside {}", describe(self, type_id))));
                }
                Ok(())
            }
            Base::Decimal { digits, ranges } => {
                let Json::String(text) = json else { return Err(wrong("is written as a string")) };
                let Some(Value::Decimal(decimal)) = Value::decimal(text.trim_ascii()) else { return Err(not_one()) };
                let (number, precision) = (decimal.digits(), decimal.precision());
                match scaled(shortened(number, precision), *digits) {
                    Some(number) if i64::try_from(number).is_ok() && inside(ranges, number) => Ok(()),
                    _ => Err((IssueKind::OutOfRange, format!("{text} is outside {}", describe(self, type_id)))),
                }
            }
            Base::Bool if json.is_boolean() => Ok(()),
            Base::Bool => Err(wrong("is true or false")),
            Base::Empty => match json {
                Json::Array(items) if matches!(items.as_slice(), [Json::Null]) => Ok(()),
                _ => Err(wrong("is written [null]")),
            },
            Base::Enum(names) => match json {
                Json::String(text) if names.iter().any(|name| self.table().text(*name) == text) => Ok(()),
                _ => Err(not_one()),
            },
            Base::Bits(names) => match json {
                Json::String(text) if text.split_ascii_whitespace().all(|bit| names.iter().any(|name| self.table().text(*name) == bit)) => {
                    Ok(())
                }
                _ => Err(not_one()),
            },
            Base::Identity(list) => match json {
                Json::String(text) => {
                    let (given, bare) = split_module(text);
                    let given = given.unwrap_or(module);
                    let fits = |(name, of): &(u32, u16)| self.table().text(*name) == bare && self.table().module(*of) == given;
                    if list.iter().any(fits) { Ok(()) } else { Err(not_one()) }
                }
                _ => Err(wrong("is written as a string")),
            },
            Base::Str { lengths, patterns } => {
                let Json::String(text) = json else { return Err(wrong("is written as a string")) };
                self.refuse_text(type_id, lengths, patterns, text)
            }
            Base::Binary { lengths } => {
                let Json::String(text) = json else { return Err(wrong("is written as a string in base64")) };
                let bytes = STANDARD.decode(text.as_bytes()).map_err(|_| not_one())?;
                self.refuse_length(type_id, lengths, bytes.len())
            }
            Base::Union(members) => {
                let mut why = IssueKind::WrongType;
                for member in members {
                    match self.refuse(*member, module, json) {
                        Ok(()) => return Ok(()),
                        // A member that takes such values, only not this one, says more than those that never would.
                        Err((kind, _)) if why == IssueKind::WrongType => why = kind,
                        Err(_) => {}
                    }
                }
                Err((why, not_one().1))
            }
            Base::Instance if json.is_string() => Ok(()),
            Base::Instance | Base::Leafref { .. } => Err(not_one()),
        }
    }

    fn refuse_text(&self, type_id: TypeId, lengths: &Ranges, patterns: &[u32], text: &str) -> Result<(), Refusal> {
        if text.chars().any(|letter| letter < ' ' && !matches!(letter, '\t' | '\n' | '\r')) {
            return Err((IssueKind::WrongType, "a control character is in the text".to_owned()));
        }
        self.refuse_length(type_id, lengths, text.chars().count())?;
        for number in patterns.iter().map(|id| *id as usize) {
            let Some((cell, (expression, inverted))) = self.patterns.get(number).zip(self.table().patterns.get(number)) else { continue };
            let expression = self.table().text(*expression);
            match cell.get_or_init(|| Pattern::compile(expression)) {
                None => _ = self.patterns_skipped.fetch_add(1, Ordering::Relaxed),
                Some(pattern) if pattern.matches(text) != *inverted => {}
                Some(_) => {
                    let name = self.table().text(self.resolved(type_id).name);
                    let not = if *inverted { "must not be" } else { "is not" };
                    return Err((IssueKind::Pattern, format!("`{text}` {not} like {name}: {expression}")));
                }
            }
        }
        Ok(())
    }

    fn refuse_length(&self, type_id: TypeId, lengths: &Ranges, length: usize) -> Result<(), Refusal> {
        if inside(lengths, length as i128) {
            return Ok(());
        }
        Err((IssueKind::OutOfRange, format!("length {length} is outside {}", describe(self, type_id))))
    }
}

/// A decimal without zeros at its end: libyang does not count them against the digits a type allows.
fn shortened(mut digits: i64, mut precision: u8) -> (i64, u8) {
    while precision > 0 && digits % 10 == 0 {
        (digits, precision) = (digits / 10, precision - 1);
    }
    (digits, precision)
}

/// A value in a message: short ones as written, others by their shape.
fn shown(json: &Json) -> String {
    let text = json.to_string();
    if text.len() <= 80 { format!("`{text}`") } else { shape(json).to_owned() }
}

struct Walk<'a> {
    schema: &'a Schema,
    mode: Mode,
    at: Path,
    issues: Vec<Issue>,
}

impl<'a> Walk<'a> {
    fn issue(&mut self, kind: IssueKind, message: String) {
        self.issues.push(Issue { path: self.at.clone(), kind, message });
    }

    /// The member a name without (inside `above`) or with its module gives.
    fn member<'j>(&self, members: &'j Map<String, Json>, child: NodeId, above: Option<&str>) -> Option<&'j Json> {
        let node = self.schema.node(child);
        let bare = members.get(node.name).filter(|_| above == Some(node.module));
        bare.or_else(|| members.iter().find(|(name, _)| split_module(name) == (Some(node.module), node.name)).map(|(_, value)| value))
    }

    /// The members of an object of node `id`; bare names mean the module `above`.
    fn members(&mut self, id: NodeId, members: &Map<String, Json>, above: Option<&str>) {
        for (name, value) in members {
            if name.starts_with('@') {
                continue; // metadata
            }
            let (module, bare) = split_module(name);
            let child = module.or(above).and_then(|module| self.schema.child_in(id, module, bare));
            if let Some(child) = child {
                self.child(child, value);
                continue;
            }
            let parent = self.schema.node(id).path();
            self.at.elems.push(Elem::new(bare));
            match (module, self.schema.child(id, bare).map(|child| self.schema.node(child).module)) {
                (None, Some(wants)) => self.issue(IssueKind::NeedsModule, format!("must be written `{wants}:{bare}`")),
                (Some(given), Some(wants)) => {
                    self.issue(IssueKind::UnknownNode, format!("no node `{bare}` of module {given} below {parent}; {wants} has one"));
                }
                (_, None) => self.issue(IssueKind::UnknownNode, format!("no node `{bare}` below {parent}")),
            }
            self.at.elems.pop();
        }
    }

    /// The child `id` of what `self.at` names.
    fn child(&mut self, id: NodeId, json: &Json) {
        let node = self.schema.node(id);
        self.at.elems.push(Elem::new(node.name));
        if self.may_write(id) {
            match (node.kind, json) {
                (NodeKind::Container, Json::Object(members)) => self.members(id, members, Some(node.module)),
                (NodeKind::Container, other) => {
                    self.issue(IssueKind::WrongShape, format!("an object is wanted, not {}", shape(other)));
                }
                (NodeKind::List, Json::Array(entries)) => self.entries(&node, entries),
                (NodeKind::List, other) => {
                    self.issue(IssueKind::WrongShape, format!("an array of objects is wanted, not {}", shape(other)));
                }
                (NodeKind::Leaf | NodeKind::LeafList, _) => self.leaf(&node, json),
            }
        }
        self.at.elems.pop();
    }

    fn entries(&mut self, node: &Node<'a>, entries: &[Json]) {
        let mut seen: HashSet<Elem> = HashSet::new();
        for entry in entries {
            let Json::Object(members) = entry else {
                self.issue(IssueKind::WrongShape, format!("a list entry is an object, not {}", shape(entry)));
                continue;
            };
            let mut keys = Vec::with_capacity(node.keys.len());
            let mut whole = true;
            for key in node.keys.iter() {
                let Some(leaf) = self.schema.child(node.id, key) else { continue };
                match self.member(members, leaf, Some(node.module)) {
                    Some(value) => keys.extend(self.schema.key_text(leaf, value).map(|text| (key.to_owned(), text))),
                    None => {
                        whole = false;
                        self.issue(IssueKind::MissingKey, format!("an entry has no key `{key}`"));
                    }
                }
            }
            let elem = Elem::keyed(node.name, keys);
            let above = self.at.elems.pop();
            self.at.elems.push(elem.clone());
            if whole && !node.keys.is_empty() && elem.keys.len() == node.keys.len() && !seen.insert(elem) {
                self.issue(IssueKind::Duplicate, "the entry is there twice".to_owned());
            }
            self.members(node.id, members, Some(node.module));
            self.at.elems.pop();
            self.at.elems.extend(above);
        }
    }

    fn leaf(&mut self, node: &Node<'a>, json: &Json) {
        let Some(type_id) = node.type_id else { return };
        let items = match (node.kind, json) {
            (NodeKind::LeafList, Json::Array(items)) => items.as_slice(),
            (NodeKind::LeafList, other) => {
                return self.issue(IssueKind::WrongShape, format!("an array of values is wanted, not {}", shape(other)));
            }
            (_, one) => std::slice::from_ref(one),
        };
        for (index, item) in items.iter().enumerate() {
            if item.is_object() {
                self.issue(IssueKind::WrongShape, "a value is wanted, not an object".to_owned());
            } else if let Err((kind, message)) = self.schema.refuse(type_id, node.module, item) {
                self.issue(kind, message);
            } else if node.config && items.iter().take(index).any(|before| before == item) {
                self.issue(IssueKind::Duplicate, format!("{} is there twice", shown(item)));
            }
        }
    }

    /// Whether the mode lets the node be there; if not, says so. Everything below a refused node is refused with it.
    fn may_write(&mut self, id: NodeId) -> bool {
        if self.mode == Mode::Data || id == self.schema.root() {
            return true;
        }
        let node = self.schema.node(id);
        if !node.config {
            self.issue(IssueKind::ReadOnly, "state: a device only lets it be read (config false)".to_owned());
        } else if node.access == Access::NotSupported {
            self.issue(IssueKind::NotSupported, format!("not supported by {}", self.schema.release()));
        } else if node.access == Access::Read && node.kind.is_leaf() && !self.schema.names_entry(&node) {
            self.issue(IssueKind::ReadOnly, format!("{} only lets it be read", self.schema.release()));
        } else {
            return true;
        }
        false
    }
}

impl Schema {
    /// Whether a leaf is a list key, or the twin of one under the entry's `config`.
    pub fn names_entry(&self, node: &Node<'_>) -> bool {
        let Some(above) = node.parent.map(|id| self.node(id)) else { return false };
        let twin = || above.name == "config" && above.parent.is_some_and(|list| self.node(list).keys.contains(node.name));
        above.keys.contains(node.name) || twin()
    }
}
