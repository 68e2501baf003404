//! The file form of the schema: one compact table, written by `yang compile` and read at start.
//!
//! Layout, all numbers LEB128: magic, release name, strings (lengths, then one blob), modules, patterns, types, then the
//! nodes column by column in breadth-first order with the children of a node side by side, sorted by name. The root is
//! node 0. The whole is gzipped. This module knows the form only; what the nodes mean is `schema`'s part.

use std::collections::HashMap;
use std::io::{Read, Write};

/// First bytes of the unpacked table; the digit is the version of the form.
const MAGIC: &[u8] = b"FOYT1";

/// Number of a text in [`Table`].
pub type StrId = u32;
/// Number of a type in [`Table`].
pub type TypeId = u32;

/// Inclusive bounds, in the unit of the type (decimals: digits without the point).
pub type Ranges = Box<[(i128, i128)]>;

/// What a leaf can hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// int8 to uint64.
    Int {
        /// 8, 16, 32 or 64.
        bits: u8,
        /// Whether negative numbers are possible.
        signed: bool,
        /// Empty: all that the bits allow.
        ranges: Ranges,
    },
    /// decimal64.
    Decimal {
        /// Digits behind the point.
        digits: u8,
        /// Empty: all that 64 bits allow.
        ranges: Ranges,
    },
    /// boolean
    Bool,
    /// empty
    Empty,
    /// enumeration, names in the order of the model
    Enum(Box<[StrId]>),
    /// bits, names by position
    Bits(Box<[StrId]>),
    /// identityref: `(name, module)` of every identity that fits, sorted by name
    Identity(Box<[(StrId, u16)]>),
    /// string
    Str {
        /// Bounds of the number of characters.
        lengths: Ranges,
        /// Numbers of patterns; all must hold.
        patterns: Box<[u32]>,
    },
    /// binary
    Binary {
        /// Bounds of the number of bytes.
        lengths: Ranges,
    },
    /// union, members in the order of the model
    Union(Box<[TypeId]>),
    /// leafref
    Leafref {
        /// The path as the model writes it.
        path: StrId,
        /// The first type at the end of the chain that is no leafref.
        target: TypeId,
    },
    /// instance-identifier
    Instance,
}

/// A type: the name of its typedef (or of the built-in type) and what it can hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeRec {
    /// Name without prefix.
    pub name: StrId,
    /// What it can hold.
    pub base: Base,
}

/// Kinds, as numbered in the file.
pub mod kind {
    /// container
    pub const CONTAINER: u8 = 0;
    /// list
    pub const LIST: u8 = 1;
    /// leaf
    pub const LEAF: u8 = 2;
    /// leaf-list
    pub const LEAF_LIST: u8 = 3;
}

/// One node as drafted by the compiler, before numbering.
#[derive(Clone, Debug, Default)]
pub struct DraftNode {
    /// Name without prefix.
    pub name: String,
    /// Module whose namespace it is in.
    pub module: String,
    /// See [`kind`].
    pub kind: u8,
    /// config true.
    pub config: bool,
    /// 0 unlisted, 1 read, 2 read+write, 3 not-supported.
    pub access: u8,
    /// Number of the type in [`Draft`].
    pub type_id: Option<TypeId>,
    /// Canonical default.
    pub default: Option<String>,
    /// Units.
    pub units: Option<String>,
    /// Key names in the order of the model.
    pub keys: Vec<String>,
    /// Children in any order.
    pub children: Vec<DraftNode>,
}

/// What the compiler fills: texts, types and patterns are numbered on the way, equal ones once.
#[derive(Debug, Default)]
pub struct Draft {
    strings: Vec<String>,
    string_ids: HashMap<String, StrId>,
    types: Vec<TypeRec>,
    type_ids: HashMap<TypeRec, TypeId>,
    patterns: Vec<(StrId, bool)>,
    /// `(module, revision)`, in any order.
    pub modules: Vec<(String, String)>,
    /// Top-level nodes.
    pub top: Vec<DraftNode>,
}

impl Draft {
    /// The number of a text.
    pub fn text(&mut self, text: &str) -> StrId {
        if let Some(id) = self.string_ids.get(text) {
            return *id;
        }
        let id = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.push(text.to_owned());
        self.string_ids.insert(text.to_owned(), id);
        id
    }

    /// The number of a type.
    pub fn type_of(&mut self, rec: TypeRec) -> TypeId {
        if let Some(id) = self.type_ids.get(&rec) {
            return *id;
        }
        let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(rec.clone());
        self.type_ids.insert(rec, id);
        id
    }

    /// A type by its number.
    pub fn rec(&self, id: TypeId) -> Option<&TypeRec> {
        self.types.get(id as usize)
    }

    /// The number of a pattern.
    pub fn pattern(&mut self, expression: &str, inverted: bool) -> u32 {
        let text = self.text(expression);
        let at = self.patterns.iter().position(|have| *have == (text, inverted)).unwrap_or_else(|| {
            self.patterns.push((text, inverted));
            self.patterns.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The number of a module, for [`Base::Identity`].
    pub fn module(&mut self, name: &str) -> u16 {
        let at = self.modules.iter().position(|(have, _)| have == name).unwrap_or_else(|| {
            self.modules.push((name.to_owned(), String::new()));
            self.modules.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The gzipped table.
    ///
    /// # Errors
    /// Only what writing to memory can give.
    pub fn encode(mut self, release: &str) -> std::io::Result<Vec<u8>> {
        let mut rows: Vec<DraftNode> = vec![DraftNode { children: std::mem::take(&mut self.top), ..DraftNode::default() }];
        let mut counts = Vec::new();
        let mut at = 0;
        while at < rows.len() {
            let mut children = rows.get_mut(at).map(|row| std::mem::take(&mut row.children)).unwrap_or_default();
            let above = rows.get(at).map(|row| row.module.clone()).unwrap_or_default();
            children.sort_by(|a, b| (&a.name, rank(&above, &a.module), &a.module).cmp(&(&b.name, rank(&above, &b.module), &b.module)));
            counts.push(children.len());
            rows.append(&mut children);
            at += 1;
        }
        let module_ids: Vec<u16> = rows.iter().map(|row| self.module(&row.module)).collect();
        let (mut names, mut defaults, mut units, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            names.push(self.text(&row.name));
            defaults.push(row.default.as_deref().map_or(0, |text| self.text(text) + 1));
            units.push(row.units.as_deref().map_or(0, |text| self.text(text) + 1));
            keys.push(row.keys.iter().map(|key| self.text(key)).collect::<Vec<_>>());
        }
        let modules: Vec<_> = self.modules.clone().iter().map(|(name, revision)| (self.text(name), self.text(revision))).collect();

        let mut out = Out(MAGIC.to_vec());
        out.text(release);
        out.count(self.strings.len());
        self.strings.iter().for_each(|text| out.count(text.len()));
        self.strings.iter().for_each(|text| out.0.extend_from_slice(text.as_bytes()));
        out.count(modules.len());
        modules.iter().for_each(|(name, revision)| {
            out.put((*name).into());
            out.put((*revision).into());
        });
        out.count(self.patterns.len());
        self.patterns.iter().for_each(|(text, inverted)| {
            out.put((*text).into());
            out.put((*inverted).into());
        });
        out.count(self.types.len());
        self.types.iter().for_each(|rec| out.type_rec(rec));
        out.count(rows.len());
        names.iter().for_each(|name| out.put((*name).into()));
        module_ids.iter().for_each(|module| out.put((*module).into()));
        rows.iter().for_each(|row| out.put((row.kind | u8::from(row.config) << 2 | row.access << 3).into()));
        counts.iter().for_each(|count| out.count(*count));
        rows.iter().for_each(|row| out.put(row.type_id.map_or(0, |id| u128::from(id) + 1)));
        defaults.iter().for_each(|id| out.put((*id).into()));
        units.iter().for_each(|id| out.put((*id).into()));
        for list in &keys {
            out.count(list.len());
            list.iter().for_each(|key| out.put((*key).into()));
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&out.0)?;
        packed.finish()
    }
}

/// Some nodes have a sibling of the same name in another module; a name without module means the one of lowest rank.
fn rank(above: &str, module: &str) -> u8 {
    match module {
        same if same == above => 0,
        old if old.starts_with("openconfig-hercules") => 3,
        open if open.starts_with("openconfig-") => 1,
        own if own.starts_with("arista-") => 2,
        _ => 4,
    }
}

struct Out(Vec<u8>);

impl Out {
    fn put(&mut self, mut number: u128) {
        loop {
            let byte = u8::try_from(number & 0x7f).unwrap_or(0);
            number >>= 7;
            if number == 0 {
                self.0.push(byte);
                return;
            }
            self.0.push(byte | 0x80);
        }
    }

    fn count(&mut self, number: usize) {
        self.put(number as u128);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn ranges(&mut self, ranges: &Ranges) {
        self.count(ranges.len());
        for (low, high) in ranges {
            self.signed(*low);
            self.signed(*high);
        }
    }

    /// Zigzag.
    fn signed(&mut self, number: i128) {
        let magnitude = number.unsigned_abs();
        self.put(if number < 0 { magnitude * 2 - 1 } else { magnitude * 2 });
    }

    fn ids(&mut self, ids: &[u32]) {
        self.count(ids.len());
        ids.iter().for_each(|id| self.put((*id).into()));
    }

    fn type_rec(&mut self, rec: &TypeRec) {
        self.put(rec.name.into());
        match &rec.base {
            Base::Int { bits, signed, ranges } => {
                self.put(0);
                self.put((bits | u8::from(*signed)).into());
                self.ranges(ranges);
            }
            Base::Decimal { digits, ranges } => {
                self.put(1);
                self.put((*digits).into());
                self.ranges(ranges);
            }
            Base::Bool => self.put(2),
            Base::Empty => self.put(3),
            Base::Enum(names) => {
                self.put(4);
                self.ids(names);
            }
            Base::Bits(names) => {
                self.put(5);
                self.ids(names);
            }
            Base::Identity(list) => {
                self.put(6);
                self.count(list.len());
                for (name, module) in list {
                    self.put((*name).into());
                    self.put((*module).into());
                }
            }
            Base::Str { lengths, patterns } => {
                self.put(7);
                self.ranges(lengths);
                self.ids(patterns);
            }
            Base::Binary { lengths } => {
                self.put(8);
                self.ranges(lengths);
            }
            Base::Union(members) => {
                self.put(9);
                self.ids(members);
            }
            Base::Leafref { path, target } => {
                self.put(10);
                self.put((*path).into());
                self.put((*target).into());
            }
            Base::Instance => self.put(11),
        }
    }
}

/// One node as read.
#[derive(Clone, Debug)]
pub struct Rec {
    /// Number of the parent; the root is its own.
    pub parent: u32,
    /// Number of the first child; children stand side by side, sorted by name.
    pub first: u32,
    /// How many children.
    pub count: u32,
    /// Name.
    pub name: StrId,
    /// Type number + 1, 0 for none.
    pub type_id: u32,
    /// Text number + 1, 0 for none.
    pub default: u32,
    /// Text number + 1, 0 for none.
    pub units: u32,
    /// First of its keys in [`Table::keys`].
    pub keys: u32,
    /// Module number.
    pub module: u16,
    /// How many keys.
    pub key_count: u8,
    /// Bits 0-1 kind, 2 config, 3-4 access.
    pub flags: u8,
}

/// The table as read.
#[derive(Debug, Default)]
pub struct Table {
    /// What the compiler called the release, `EOS 4.35.0F`.
    pub release: String,
    blob: String,
    ends: Vec<u32>,
    /// `(name, revision)`.
    pub modules: Vec<(StrId, StrId)>,
    /// `(expression, inverted)`.
    pub patterns: Vec<(StrId, bool)>,
    /// Types; members and targets stand before those that use them.
    pub types: Vec<TypeRec>,
    /// Nodes, the root first.
    pub nodes: Vec<Rec>,
    /// Key names of all lists.
    pub keys: Vec<StrId>,
}

/// Why bytes are no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema table cannot be read: {0}")]
pub struct Broken(pub &'static str);

impl Table {
    /// Unpacks and reads a table; every number is checked, so that later lookups cannot leave it.
    ///
    /// # Errors
    /// [`Broken`] with what is wrong.
    pub fn decode(packed: &[u8]) -> Result<Self, Broken> {
        let mut bytes = Vec::with_capacity(1 << 20);
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).map_err(|_| Broken("not a gzip stream"))?;
        let mut input = In(bytes.strip_prefix(MAGIC).ok_or(Broken("it does not start with FOYT1"))?);
        let mut table = Self { release: input.text()?, ..Self::default() };
        let strings = input.count()?;
        let mut end = 0u32;
        for _ in 0..strings {
            end = end.checked_add(input.number()?).ok_or(Broken("text too long"))?;
            table.ends.push(end);
        }
        let blob = input.take(end as usize)?;
        table.blob = std::str::from_utf8(blob).map_err(|_| Broken("text is not UTF-8"))?.to_owned();
        if table.ends.iter().any(|end| !table.blob.is_char_boundary(*end as usize)) {
            return Err(Broken("text cut inside a character"));
        }
        for _ in 0..input.count()? {
            table.modules.push((input.below(strings)?, input.below(strings)?));
        }
        for _ in 0..input.count()? {
            table.patterns.push((input.below(strings)?, input.below(2)? == 1));
        }
        let (patterns, modules) = (table.patterns.len(), table.modules.len());
        for known in 0..input.count()? {
            table.types.push(TypeRec { name: input.below(strings)?, base: input.base(strings, known, patterns, modules)? });
        }
        table.nodes(&mut input, strings)?;
        if input.0.is_empty() { Ok(table) } else { Err(Broken("bytes after its end")) }
    }

    fn nodes(&mut self, input: &mut In<'_>, strings: usize) -> Result<(), Broken> {
        let total = input.count()?;
        if total == 0 {
            return Err(Broken("no root"));
        }
        let column = |input: &mut In<'_>, limit: usize| (0..total).map(|_| input.below(limit)).collect::<Result<Vec<u32>, _>>();
        let names = column(input, strings)?;
        let modules = column(input, self.modules.len())?;
        let flags = column(input, 32)?;
        let counts = column(input, total)?;
        let types = column(input, self.types.len() + 1)?;
        let defaults = column(input, strings + 1)?;
        let units = column(input, strings + 1)?;
        self.nodes.reserve_exact(total);
        let mut first = 1u32;
        for row in names.iter().zip(&modules).zip(&flags).zip(&counts).zip(&types).zip(&defaults).zip(&units) {
            let ((((((name, module), flags), count), type_id), default), unit) = row;
            let key_count = u8::try_from(input.count()?).map_err(|_| Broken("too many keys"))?;
            let keys = u32::try_from(self.keys.len()).map_err(|_| Broken("too many keys"))?;
            for _ in 0..key_count {
                self.keys.push(input.below(strings)?);
            }
            self.nodes.push(Rec {
                parent: 0,
                first,
                count: *count,
                name: *name,
                type_id: *type_id,
                default: *default,
                units: *unit,
                keys,
                module: u16::try_from(*module).map_err(|_| Broken("too many modules"))?,
                key_count,
                flags: u8::try_from(*flags).map_err(|_| Broken("flags"))?,
            });
            first = first.checked_add(*count).ok_or(Broken("too many children"))?;
        }
        if first as usize != total {
            return Err(Broken("children and nodes differ in number"));
        }
        for id in 0..total {
            let Some((first, count)) = self.nodes.get(id).map(|rec| (rec.first as usize, rec.count as usize)) else { continue };
            if count > 0 && first <= id {
                return Err(Broken("a child before its parent"));
            }
            for child in self.nodes.get_mut(first..first + count).unwrap_or_default() {
                child.parent = u32::try_from(id).unwrap_or(0);
            }
        }
        Ok(())
    }

    /// A text.
    pub fn text(&self, id: StrId) -> &str {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(id).copied().unwrap_or(start);
        self.blob.get(start as usize..end as usize).unwrap_or("")
    }

    /// A text's bytes: cheaper where they are only compared.
    pub fn bytes(&self, id: StrId) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(id).copied().unwrap_or(start);
        self.blob.as_bytes().get(start as usize..end as usize).unwrap_or_default()
    }

    /// A text behind a number + 1.
    pub fn optional(&self, id: u32) -> Option<&str> {
        id.checked_sub(1).map(|id| self.text(id))
    }

    /// A module's name.
    pub fn module(&self, id: u16) -> &str {
        self.modules.get(usize::from(id)).map_or("", |(name, _)| self.text(*name))
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn wide(&mut self) -> Result<u128, Broken> {
        let mut number = 0u128;
        for shift in (0..126).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Broken("cut short"))?;
            self.0 = rest;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken("a number does not end"))
    }

    fn number(&mut self) -> Result<u32, Broken> {
        if let Some((byte, rest)) = self.0.split_first()
            && byte & 0x80 == 0
        {
            self.0 = rest;
            return Ok((*byte).into());
        }
        u32::try_from(self.wide()?).map_err(|_| Broken("a number too large"))
    }

    fn below(&mut self, limit: usize) -> Result<u32, Broken> {
        self.number().and_then(|number| if (number as usize) < limit { Ok(number) } else { Err(Broken("a number out of place")) })
    }

    /// A count of things that each take a byte at least.
    fn count(&mut self) -> Result<usize, Broken> {
        let number = self.number()? as usize;
        if number > self.0.len() { Err(Broken("cut short")) } else { Ok(number) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Broken("cut short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<String, Broken> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map(str::to_owned).map_err(|_| Broken("text is not UTF-8"))
    }

    fn signed(&mut self) -> Result<i128, Broken> {
        let number = self.wide()?;
        let half = i128::try_from(number >> 1).map_err(|_| Broken("a number too large"))?;
        Ok(if number & 1 == 1 { -half - 1 } else { half })
    }

    fn ranges(&mut self) -> Result<Ranges, Broken> {
        (0..self.count()?).map(|_| Ok((self.signed()?, self.signed()?))).collect()
    }

    fn ids(&mut self, limit: usize) -> Result<Box<[u32]>, Broken> {
        (0..self.count()?).map(|_| self.below(limit)).collect()
    }

    fn base(&mut self, strings: usize, known: usize, patterns: usize, modules: usize) -> Result<Base, Broken> {
        Ok(match self.number()? {
            0 => {
                let bits = u8::try_from(self.below(128)?).unwrap_or(64);
                Base::Int { bits: bits & !1, signed: bits & 1 == 1, ranges: self.ranges()? }
            }
            1 => Base::Decimal { digits: u8::try_from(self.below(19)?).unwrap_or(18), ranges: self.ranges()? },
            2 => Base::Bool,
            3 => Base::Empty,
            4 => Base::Enum(self.ids(strings)?),
            5 => Base::Bits(self.ids(strings)?),
            6 => {
                Base::Identity(
                    (0..self.count()?)
                        .map(|_| Ok((self.below(strings)?, u16::try_from(self.below(modules)?).unwrap_or(0))))
                        .collect::<Result<_, Broken>>()?,
                )
            }
            7 => Base::Str { lengths: self.ranges()?, patterns: self.ids(patterns)? },
            8 => Base::Binary { lengths: self.ranges()? },
            9 => Base::Union(self.ids(known)?),
            10 => Base::Leafref { path: self.below(strings)?, target: self.below(known)? },
            11 => Base::Instance,
            _ => return Err(Broken("an unknown type")),
        })
    }
}
