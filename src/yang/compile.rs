//! Makes the table out of the YANG files: libyang compiles the set and gives the nodes, [`super::typing`] their types.
//!
//! Off by default (feature `libyang`): users get the table that comes with the program. The set is a folder with `modules/`,
//! `deps/` and `patched/` (the last is searched first) and `modules-loadable-298.txt`, the names in load order; see
//! <https://github.com/aristanetworks/yang> for the models.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use yang5::context::{Context, ContextFlags};
use yang5::schema::{DataValueType, SchemaNode, SchemaNodeKind, SchemaOutputFormat, SchemaPrinterFlags};

use super::Error;
use super::node::base_name;
use super::source;
use super::table::{Draft, DraftNode, TypeId, kind};
use super::typing::{Types, Unit};

/// The list of modules that libyang takes together.
const MODULE_LIST: &str = "modules-loadable-298.txt";

/// Only imported by the others, but its identities are values (the type of an interface), so it must be loaded by name.
const ALSO: &str = "iana-if-type";

/// libyang with the whole set of `dir` loaded; what the oracle tests compare with.
///
/// # Errors
/// [`Error::File`] if the list cannot be read, [`Error::Compile`] with libyang's message if it refuses the set.
pub fn context(dir: &Path) -> Result<Context, Error> {
    let refused = |error: yang5::Error| Error::Compile(format!("libyang: {error:?}"));
    let mut context = Context::new(ContextFlags::NO_YANGLIBRARY).map_err(refused)?;
    // libyang looks into the folder added last first.
    for folder in ["modules", "deps", "patched"] {
        let folder = dir.join(folder);
        if folder.is_dir() {
            context.set_searchdir(&folder).map_err(refused)?;
        }
    }
    let list = dir.join(MODULE_LIST);
    let names = fs::read_to_string(&list).map_err(|error| Error::File { path: list.display().to_string(), reason: error.to_string() })?;
    let mut names: Vec<(&str, Option<&str>, &[&str])> = names
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| (name, None, &[] as &[&str]))
        .collect();
    if !names.iter().any(|(name, ..)| *name == ALSO) {
        names.push((ALSO, None, &[]));
    }
    context.load_modules(&names).map_err(refused)?;
    Ok(context)
}

/// The gzipped table of the set in `dir`, ready for [`super::Schema::from_bytes`]. The access of each node is taken from
/// `pathreport`, else from `pathreport.csv` in `dir`. The release is named after the folder (`EOS-4.35.0F`).
///
/// # Errors
/// [`Error::File`] for files that cannot be read, [`Error::Compile`] where libyang or the types refuse the set.
pub fn compile(dir: &Path, pathreport: Option<&Path>) -> Result<Vec<u8>, Error> {
    let context = context(dir)?;
    let units = units(&context)?;
    let types = Types::new(&units).map_err(Error::Compile)?;
    let report = pathreport.map_or_else(|| dir.join("pathreport.csv"), Path::to_path_buf);
    let mut walk = Walk { types, access: access(&report)?, draft: Draft::default() };
    let mut modules: Vec<_> =
        context.modules(false).map(|module| (module.name().to_owned(), module.revision().unwrap_or_default().to_owned())).collect();
    modules.sort();
    walk.draft.modules = modules;
    // libyang puts the error report of NETCONF into its context as if it were data; the module's text has none.
    for module in context.modules(true).filter(|module| module.name() != "ietf-netconf") {
        let mut top = walk.nodes(module.data(), "", "", UNLISTED)?;
        walk.draft.top.append(&mut top);
    }
    let release = dir.file_name().map_or_else(|| "EOS".to_owned(), |name| name.to_string_lossy().replacen('-', " ", 1));
    walk.draft.encode(&release).map_err(|error| Error::Compile(error.to_string()))
}

const UNLISTED: u8 = 0;
const NOT_SUPPORTED: u8 = 3;

/// The statements of every module libyang knows, as it prints them: it has found the files and chosen the copies.
fn units(context: &Context) -> Result<Vec<Unit>, Error> {
    let print = |name: &str, text: Result<String, yang5::Error>| {
        let text = text.map_err(|error| Error::Compile(format!("{name}: libyang cannot print it: {error:?}")))?;
        source::read(&text).map_err(|why| Error::Compile(format!("{name}: {why}")))
    };
    let mut units = Vec::new();
    for module in context.modules(false) {
        let root = print(module.name(), module.print_string(SchemaOutputFormat::YANG, SchemaPrinterFlags::empty()))?;
        for include in root.all("include") {
            let submodule = module
                .get_submodule_latest(&include.arg)
                .ok_or_else(|| Error::Compile(format!("{}: libyang has no submodule {}", module.name(), include.arg)))?;
            let root = print(&include.arg, submodule.print_string(SchemaOutputFormat::YANG, SchemaPrinterFlags::empty()))?;
            units.push(Unit::new(root, module.is_implemented()));
        }
        units.push(Unit::new(root, module.is_implemented()));
    }
    Ok(units)
}

/// Access by schema path without slash in front, out of the path report's first three columns.
fn access(report: &Path) -> Result<HashMap<String, u8>, Error> {
    let text = fs::read_to_string(report).map_err(|error| Error::File { path: report.display().to_string(), reason: error.to_string() })?;
    let mut access = HashMap::new();
    for line in text.lines().skip(1) {
        let mut columns = line.splitn(4, ',');
        if let (Some(path), Some(_), Some(word)) = (columns.next(), columns.next(), columns.next()) {
            let number = match word {
                "read" => 1,
                "read+write" => 2,
                "not-supported" => NOT_SUPPORTED,
                _ => continue,
            };
            access.insert(path.to_owned(), number);
        }
    }
    Ok(access)
}

struct Walk<'s> {
    types: Types<'s>,
    access: HashMap<String, u8>,
    draft: Draft,
}

impl Walk<'_> {
    /// The nodes of a row of siblings; `path` has names only, `data` names with modules.
    fn nodes<'n>(
        &mut self,
        siblings: impl Iterator<Item = SchemaNode<'n>>,
        path: &str,
        data: &str,
        above: u8,
    ) -> Result<Vec<DraftNode>, Error> {
        let mut nodes = Vec::new();
        for node in siblings {
            let kind = match node.kind() {
                SchemaNodeKind::Choice | SchemaNodeKind::Case => {
                    nodes.extend(self.nodes(node.children(), path, data, above)?);
                    continue;
                }
                SchemaNodeKind::Container => kind::CONTAINER,
                SchemaNodeKind::List => kind::LIST,
                SchemaNodeKind::Leaf => kind::LEAF,
                SchemaNodeKind::LeafList => kind::LEAF_LIST,
                _ => continue, // anydata, operations, notifications: nothing to configure or to mirror
            };
            let (name, module) = (node.name().to_owned(), node.module().name().to_owned());
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            let data = format!("{data}/{module}:{name}");
            // What is not supported is not supported below either, unless the report says so.
            let inherited = if above == NOT_SUPPORTED { above } else { UNLISTED };
            let access = self.access.get(&path).copied().unwrap_or(inherited);
            let type_id = match node.leaf_type() {
                Some(leaf_type) => Some(self.type_id(&data, leaf_type.base_type())?),
                None => None,
            };
            let default = if kind == kind::LEAF && node.has_default() { node.default_value_canonical().ok().flatten() } else { None };
            nodes.push(DraftNode {
                kind,
                config: node.is_config(),
                access,
                type_id,
                default,
                units: node.units().map(str::to_owned),
                keys: if kind == kind::LIST { node.list_keys().map(|key| key.name().to_owned()).collect() } else { Vec::new() },
                children: self.nodes(node.children(), &path, &data, access)?,
                name,
                module,
            });
        }
        Ok(nodes)
    }

    fn type_id(&mut self, data: &str, wants: DataValueType) -> Result<TypeId, Error> {
        let id = self.types.of(data, &mut self.draft).map_err(Error::Compile)?;
        let have = self.draft.rec(id).map_or("nothing", |rec| base_name(&rec.base));
        let want = keyword(wants);
        if have == want { Ok(id) } else { Err(Error::Compile(format!("{data}: the YANG text says {have}, libyang {want}"))) }
    }
}

fn keyword(base: DataValueType) -> &'static str {
    match base {
        DataValueType::Unknown => "unknown",
        DataValueType::Binary => "binary",
        DataValueType::Uint8 => "uint8",
        DataValueType::Uint16 => "uint16",
        DataValueType::Uint32 => "uint32",
        DataValueType::Uint64 => "uint64",
        DataValueType::String => "string",
        DataValueType::Bits => "bits",
        DataValueType::Bool => "boolean",
        DataValueType::Dec64 => "decimal64",
        DataValueType::Empty => "empty",
        DataValueType::Enum => "enumeration",
        DataValueType::IdentityRef => "identityref",
        DataValueType::InstanceId => "instance-identifier",
        DataValueType::LeafRef => "leafref",
        DataValueType::Union => "union",
        DataValueType::Int8 => "int8",
        DataValueType::Int16 => "int16",
        DataValueType::Int32 => "int32",
        DataValueType::Int64 => "int64",
    }
}
