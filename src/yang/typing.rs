//! The types of leaves, out of the YANG statements.
//!
//! libyang's safe interface tells the built-in type of a leaf but not its names, ranges or members, so they are read here:
//! groupings are expanded only to learn which `type` statement stands behind which data path; the nodes themselves come from
//! libyang, and [`super::compile`] refuses to go on where the two differ about a built-in type.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::canonical::limits;
use super::source::Stmt;
use super::table::{Base, Draft, Ranges, TypeId, TypeRec};
use crate::value::Value;

/// One file: a module or submodule.
#[derive(Debug)]
pub(super) struct Unit {
    /// The module it is, or belongs to.
    pub module: String,
    /// Its statements.
    pub root: Stmt,
    /// Whether its deviations count.
    pub implemented: bool,
    prefixes: HashMap<String, String>,
}

impl Unit {
    /// Reads the header.
    pub fn new(root: Stmt, implemented: bool) -> Self {
        let belongs = root.sub("belongs-to");
        let module = belongs.map_or(&root.arg, |belongs| &belongs.arg).clone();
        let own = belongs.unwrap_or(&root).arg_of("prefix").unwrap_or_default().to_owned();
        let mut prefixes: HashMap<_, _> =
            root.all("import").filter_map(|import| Some((import.arg_of("prefix")?.to_owned(), import.arg.clone()))).collect();
        prefixes.insert(own, module.clone());
        Self { module, root, implemented, prefixes }
    }

    /// `(module, name)` of `prefix:name`; no prefix gives no module.
    fn split<'a>(&'a self, name: &'a str) -> Result<(Option<&'a str>, &'a str), String> {
        match name.split_once(':') {
            None => Ok((None, name)),
            Some((prefix, bare)) => match self.prefixes.get(prefix) {
                Some(module) => Ok((Some(module), bare)),
                None => Err(format!("{}: prefix `{prefix}` is not imported", self.module)),
            },
        }
    }
}

/// The statements around a place, innermost first.
struct Link<'s> {
    stmt: &'s Stmt,
    up: Scope<'s>,
}

type Scope<'s> = Option<Rc<Link<'s>>>;

fn inside<'s>(stmt: &'s Stmt, up: &Scope<'s>) -> Scope<'s> {
    Some(Rc::new(Link { stmt, up: up.clone() }))
}

/// A definition and where it stands.
#[derive(Clone)]
struct Place<'s> {
    stmt: &'s Stmt,
    scope: Scope<'s>,
    unit: &'s Unit,
}

#[derive(Clone)]
struct Leaf<'s> {
    type_of: Place<'s>,
    /// The module whose namespace the leaf is in.
    module: &'s str,
}

/// All leaves of the set, by data path `/module:name/module:name`.
pub(super) struct Types<'s> {
    units: &'s [Unit],
    leaves: HashMap<String, Leaf<'s>>,
    /// The same without modules, for leafrefs that leave them out.
    bare: HashMap<String, String>,
    /// Schema paths of choices and cases.
    hidden: HashSet<String>,
    /// Identities derived from one, by `(module, name)`.
    derived: HashMap<(&'s str, &'s str), BTreeSet<(&'s str, &'s str)>>,
    done: HashMap<String, TypeId>,
}

impl<'s> Types<'s> {
    /// Expands every module.
    pub fn new(units: &'s [Unit]) -> Result<Self, String> {
        let mut types = Self {
            units,
            leaves: HashMap::new(),
            bare: HashMap::new(),
            hidden: HashSet::new(),
            derived: HashMap::new(),
            done: HashMap::new(),
        };
        types.identities()?;
        for unit in units {
            types.expand(&unit.root, &inside(&unit.root, &None), unit, &unit.module, "", "", 0)?;
        }
        // Twice: an augment may point through a choice that another one brings.
        for unit in units.iter().chain(units) {
            for augment in unit.root.all("augment") {
                let scope = inside(augment, &inside(&unit.root, &None));
                let (data, schema) = types.target(&augment.arg, unit, &unit.module, "", "")?;
                types.expand(augment, &scope, unit, &unit.module, &data, &schema, 0)?;
            }
        }
        for unit in units.iter().filter(|unit| unit.implemented) {
            for deviation in unit.root.all("deviation") {
                let (data, _) = types.target(&deviation.arg, unit, &unit.module, "", "")?;
                let replaced = deviation.all("deviate").filter(|deviate| deviate.arg == "replace").find_map(|deviate| deviate.sub("type"));
                if let (Some(stmt), Some(leaf)) = (replaced, types.leaves.get_mut(&data)) {
                    leaf.type_of = Place { stmt, scope: inside(&unit.root, &None), unit };
                }
            }
        }
        types.bare = types.leaves.keys().map(|path| (without_modules(path), path.clone())).collect();
        Ok(types)
    }

    fn identities(&mut self) -> Result<(), String> {
        let mut parents: HashMap<(&'s str, &'s str), Vec<(&'s str, &'s str)>> = HashMap::new();
        for unit in self.units {
            for identity in unit.root.all("identity") {
                let bases = parents.entry((&unit.module, &identity.arg)).or_default();
                for base in identity.all("base") {
                    let (module, name) = unit.split(&base.arg)?;
                    bases.push((module.unwrap_or(&unit.module), name));
                }
            }
        }
        for identity in parents.keys() {
            let mut open = parents.get(identity).cloned().unwrap_or_default();
            while let Some(base) = open.pop() {
                if self.derived.entry(base).or_default().insert(*identity) {
                    open.extend(parents.get(&base).into_iter().flatten());
                }
            }
        }
        Ok(())
    }

    /// Follows a schema node path; gives data path and schema path.
    fn target(&self, path: &str, unit: &Unit, module: &str, data: &str, schema: &str) -> Result<(String, String), String> {
        let (mut data, mut schema) = (data.to_owned(), schema.to_owned());
        for name in path.split('/').map(str::trim).filter(|name| !name.is_empty()) {
            let (given, bare) = unit.split(name)?;
            // Inside a grouping the own prefix means the module that uses it.
            let given = given.filter(|given| *given != unit.module).unwrap_or(module);
            let step = format!("/{given}:{bare}");
            schema.push_str(&step);
            if !self.hidden.contains(&schema) {
                data.push_str(&step);
            }
        }
        Ok((data, schema))
    }

    #[allow(clippy::too_many_arguments)] // one walk, seven things that change on the way
    fn expand(
        &mut self,
        parent: &'s Stmt,
        scope: &Scope<'s>,
        unit: &'s Unit,
        module: &'s str,
        data: &str,
        schema: &str,
        depth: usize,
    ) -> Result<(), String> {
        if depth > 100 {
            return Err(format!("{data}: groupings nested too deep"));
        }
        for stmt in &parent.subs {
            let step = || format!("/{module}:{}", stmt.arg);
            match stmt.keyword.as_str() {
                "container" | "list" => {
                    let (data, schema) = (format!("{data}{}", step()), format!("{schema}{}", step()));
                    self.expand(stmt, &inside(stmt, scope), unit, module, &data, &schema, depth + 1)?;
                }
                "choice" | "case" => {
                    let schema = format!("{schema}{}", step());
                    self.hidden.insert(schema.clone());
                    self.expand(stmt, &inside(stmt, scope), unit, module, data, &schema, depth + 1)?;
                }
                "leaf" | "leaf-list" => {
                    let type_of = stmt.sub("type").ok_or_else(|| format!("{data}{}: no type", step()))?;
                    let type_of = Place { stmt: type_of, scope: inside(stmt, scope), unit };
                    self.leaves.insert(format!("{data}{}", step()), Leaf { type_of, module });
                }
                "uses" => {
                    let found = self.lookup("grouping", &stmt.arg, scope, unit)?;
                    self.expand(found.stmt, &inside(found.stmt, &found.scope), found.unit, module, data, schema, depth + 1)?;
                    for augment in stmt.all("augment") {
                        let (data, schema) = self.target(&augment.arg, unit, module, data, schema)?;
                        self.expand(augment, &inside(augment, scope), unit, module, &data, &schema, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A typedef or grouping: around the place first, then at the top of its module.
    fn lookup(&self, keyword: &str, name: &str, scope: &Scope<'s>, unit: &'s Unit) -> Result<Place<'s>, String> {
        let (module, bare) = unit.split(name)?;
        let module = module.unwrap_or(&unit.module);
        if module == unit.module {
            let mut at = scope;
            while let Some(link) = at {
                if let Some(stmt) = link.stmt.subs.iter().find(|sub| sub.keyword == keyword && sub.arg == bare) {
                    return Ok(Place { stmt, scope: at.clone(), unit });
                }
                at = &link.up;
            }
        }
        for unit in self.units.iter().filter(|unit| unit.module == module) {
            if let Some(stmt) = unit.root.subs.iter().find(|sub| sub.keyword == keyword && sub.arg == bare) {
                return Ok(Place { stmt, scope: inside(&unit.root, &None), unit });
            }
        }
        Err(format!("{}: no {keyword} `{name}`", unit.module))
    }

    /// The type of the leaf at a data path.
    pub fn of(&mut self, path: &str, draft: &mut Draft) -> Result<TypeId, String> {
        self.of_leaf(path, draft, 0)
    }

    fn of_leaf(&mut self, path: &str, draft: &mut Draft, depth: usize) -> Result<TypeId, String> {
        if let Some(id) = self.done.get(path) {
            return Ok(*id);
        }
        if depth > 32 {
            return Err(format!("{path}: leafrefs in a circle"));
        }
        let leaf = self.leaves.get(path).cloned().ok_or_else(|| format!("{path}: no such leaf in the YANG text"))?;
        let id = self.resolve(&leaf.type_of, path, leaf.module, draft, depth)?;
        self.done.insert(path.to_owned(), id);
        Ok(id)
    }

    fn resolve(&mut self, place: &Place<'s>, path: &str, module: &str, draft: &mut Draft, depth: usize) -> Result<TypeId, String> {
        let (stmt, unit) = (place.stmt, place.unit);
        let base = match stmt.arg.as_str() {
            "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" => {
                let (signed, bits) = match stmt.arg.strip_prefix('u') {
                    Some(rest) => (false, rest),
                    None => (true, stmt.arg.as_str()),
                };
                Base::Int { bits: bits.trim_start_matches("int").parse().unwrap_or(64), signed, ranges: Ranges::default() }
            }
            "decimal64" => {
                let digits = stmt.arg_of("fraction-digits").and_then(|text| text.parse().ok());
                Base::Decimal { digits: digits.ok_or_else(|| format!("{path}: no fraction-digits"))?, ranges: Ranges::default() }
            }
            "boolean" => Base::Bool,
            "empty" => Base::Empty,
            "string" => Base::Str { lengths: Ranges::default(), patterns: Box::default() },
            "binary" => Base::Binary { lengths: Ranges::default() },
            "instance-identifier" => Base::Instance,
            "enumeration" => Base::Enum(Box::default()),
            "bits" => Base::Bits(Box::default()),
            "identityref" => self.identityref(place, draft)?,
            "union" => {
                let mut members = Vec::new();
                for member in stmt.all("type") {
                    let member = Place { stmt: member, scope: place.scope.clone(), unit };
                    let id = self.resolve(&member, path, module, draft, depth)?;
                    match draft.rec(id) {
                        // As libyang does: a union in a union is its members.
                        Some(TypeRec { base: Base::Union(inner), .. }) => members.extend(inner.iter().copied()),
                        _ => members.push(id),
                    }
                }
                Base::Union(members.into())
            }
            "leafref" => {
                let text = stmt.arg_of("path").ok_or_else(|| format!("{path}: leafref without path"))?;
                let target = self.leafref(text, unit, path, module)?;
                let target = self.of_leaf(&target, draft, depth + 1)?;
                let end = match draft.rec(target) {
                    Some(TypeRec { base: Base::Leafref { target, .. }, .. }) => *target,
                    _ => target,
                };
                Base::Leafref { path: draft.text(text), target: end }
            }
            name => {
                let found = self.lookup("typedef", name, &place.scope, unit)?;
                let inner = found.stmt.sub("type").ok_or_else(|| format!("typedef {name}: no type"))?;
                let inner = Place { stmt: inner, scope: found.scope, unit: found.unit };
                let id = self.resolve(&inner, path, module, draft, depth + 1)?;
                draft.rec(id).map(|rec| rec.base.clone()).ok_or_else(|| format!("typedef {name}: no type"))?
            }
        };
        let base = narrowed(base, stmt, draft).map_err(|why| format!("{path}: type {}: {why}", stmt.arg))?;
        let name = stmt.arg.rsplit(':').next().unwrap_or_default();
        let name = draft.text(name);
        Ok(draft.type_of(TypeRec { name, base }))
    }

    fn identityref(&self, place: &Place<'s>, draft: &mut Draft) -> Result<Base, String> {
        let mut fit: Option<BTreeSet<(&str, &str)>> = None;
        for base in place.stmt.all("base") {
            let (module, name) = place.unit.split(&base.arg)?;
            let below = self.derived.get(&(module.unwrap_or(&place.unit.module), name)).cloned().unwrap_or_default();
            fit = Some(match fit {
                None => below,
                Some(before) => before.intersection(&below).copied().collect(),
            });
        }
        let mut list: Vec<(&str, &str)> = fit.unwrap_or_default().into_iter().map(|(module, name)| (name, module)).collect();
        list.sort_unstable();
        Ok(Base::Identity(list.into_iter().map(|(name, module)| (draft.text(name), draft.module(module))).collect()))
    }

    /// The data path a leafref's path leads to from the leaf at `from`.
    fn leafref(&self, text: &str, unit: &Unit, from: &str, module: &str) -> Result<String, String> {
        let (mut plain, mut nested) = (String::new(), 0usize);
        for letter in text.chars() {
            match letter {
                '[' => nested += 1,
                ']' => nested = nested.saturating_sub(1),
                other if nested == 0 && !other.is_whitespace() => plain.push(other),
                _ => {}
            }
        }
        let plain = plain.strip_prefix("current()/").unwrap_or(&plain);
        let mut at = if plain.starts_with('/') { String::new() } else { from.to_owned() };
        for name in plain.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let (given, bare) = unit.split(name)?;
            at = format!("{at}/{}:{bare}", given.unwrap_or(module));
        }
        if self.leaves.contains_key(&at) {
            return Ok(at);
        }
        self.bare.get(&without_modules(&at)).cloned().ok_or_else(|| format!("{from}: leafref {text} leads to {at}, which is no leaf"))
    }
}

/// What a `type` statement says on top of its base type.
fn narrowed(base: Base, stmt: &Stmt, draft: &mut Draft) -> Result<Base, String> {
    let wide = [(0, u64::MAX.into())];
    Ok(match base {
        Base::Int { bits, signed, ranges } => {
            let ranges = bounds(stmt.arg_of("range"), ranges, &[limits(bits, signed)], 0)?;
            Base::Int { bits, signed, ranges }
        }
        Base::Decimal { digits, ranges } => {
            let ranges = bounds(stmt.arg_of("range"), ranges, &[limits(64, true)], digits)?;
            Base::Decimal { digits, ranges }
        }
        Base::Binary { lengths } => Base::Binary { lengths: bounds(stmt.arg_of("length"), lengths, &wide, 0)? },
        Base::Str { lengths, patterns } => {
            let lengths = bounds(stmt.arg_of("length"), lengths, &wide, 0)?;
            let more = stmt.all("pattern").map(|pattern| draft.pattern(&pattern.arg, pattern.arg_of("modifier") == Some("invert-match")));
            Base::Str { lengths, patterns: patterns.iter().copied().chain(more).collect() }
        }
        Base::Enum(_) if stmt.sub("enum").is_some() => Base::Enum(stmt.all("enum").map(|name| draft.text(&name.arg)).collect()),
        Base::Bits(_) if stmt.sub("bit").is_some() => {
            let mut next = 0u32;
            let mut bits = Vec::new();
            for bit in stmt.all("bit") {
                let position = bit.arg_of("position").and_then(|text| text.parse().ok()).unwrap_or(next);
                next = position.saturating_add(1).max(next);
                bits.push((position, draft.text(&bit.arg)));
            }
            bits.sort_unstable();
            Base::Bits(bits.into_iter().map(|(_, name)| name).collect())
        }
        other => other,
    })
}

/// A range or length expression; `min` and `max` are those of the base type.
fn bounds(text: Option<&str>, base: Ranges, natural: &[(i128, i128)], digits: u8) -> Result<Ranges, String> {
    let Some(text) = text else { return Ok(base) };
    let limits = if base.is_empty() { natural } else { &base };
    let lowest = limits.first().map_or(0, |(low, _)| *low);
    let highest = limits.last().map_or(0, |(_, high)| *high);
    let number = |text: &str| match text.trim() {
        "min" => Ok(lowest),
        "max" => Ok(highest),
        text if digits > 0 => match Value::decimal(text) {
            Some(Value::Decimal(decimal)) if decimal.precision() <= digits => {
                let (number, precision) = (decimal.digits(), decimal.precision());
                Ok(i128::from(number) * 10i128.pow(u32::from(digits - precision)))
            }
            _ => Err(format!("`{text}` is no bound")),
        },
        text => text.parse().map_err(|_| format!("`{text}` is no bound")),
    };
    text.split('|')
        .map(|part| match part.split_once("..") {
            Some((low, high)) => Ok((number(low)?, number(high)?)),
            None => number(part).map(|only| (only, only)),
        })
        .collect()
}

fn without_modules(path: &str) -> String {
    path.split('/').filter(|step| !step.is_empty()).fold(String::new(), |mut text, step| {
        text.push('/');
        text.push_str(step.split_once(':').map_or(step, |(_, name)| name));
        text
    })
}
