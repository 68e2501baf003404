//! `yang tree|find|check|compile`: the schema.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CLEAN, ERROR, Exit, Failure, out};
use crate::path::Path;
use crate::yang::{Mode, NodeId, Schema};

/// `yang`
#[derive(Debug, Args)]
pub struct Yang {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The nodes below a path
    Tree {
        /// From here down
        #[arg(default_value = "/")]
        path: String,
        /// Levels
        #[arg(long, default_value_t = 2)]
        depth: usize,
    },
    /// Nodes by name or path, nearest first
    Find {
        /// Words or parts of them
        query: Vec<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check a JSON_IETF document
    Check {
        /// The document
        file: PathBuf,
        /// Where it stands
        #[arg(long, default_value = "/")]
        path: String,
        /// It may hold state (read-only leaves)
        #[arg(long)]
        state: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Build a table from YANG files (needs a build with `--features libyang`)
    Compile {
        /// Folder with the modules
        dir: PathBuf,
        /// pathreport.csv of the release
        #[arg(long)]
        report: Option<PathBuf>,
        /// Where to write the table
        #[arg(long, default_value = "schema.table.gz")]
        out: PathBuf,
    },
}

impl Yang {
    /// Does it.
    pub fn run(self) -> Exit {
        match self.what {
            What::Tree { path, depth } => {
                let schema = schema()?;
                let path = parse(&path)?;
                let node = schema.find(&path).ok_or_else(|| unknown(&schema, &path))?;
                let mut text = String::new();
                branch(&schema, node, depth, 0, &mut text);
                out::data(&text);
                Ok(CLEAN)
            }
            What::Find { query, limit, json } => {
                let schema = schema()?;
                let found = schema.search(&query.join(" "), limit);
                if json {
                    let rows: Vec<_> = found
                        .iter()
                        .map(|id| {
                            let node = schema.node(*id);
                            json!({"path": node.path(), "kind": node.kind.keyword(), "type": node.type_name(), "access": node.access.text(), "module": node.module})
                        })
                        .collect();
                    out::json(&json!({"format": "fabric-orch/yang/1", "release": schema.release(), "nodes": rows}), true)?;
                } else {
                    let rows: Vec<_> = found.iter().map(|id| columns(&schema, *id)).collect();
                    out::data(&out::table(&rows));
                }
                if found.is_empty() { Err(Failure::new(format!("no node like `{}`", query.join(" ")))) } else { Ok(CLEAN) }
            }
            What::Check { file, path, state, json } => {
                let schema = schema()?;
                let text = std::fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
                let document: serde_json::Value =
                    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{} is no JSON: {error}", file.display())))?;
                let issues = schema.validate(&parse(&path)?, &document, if state { Mode::Data } else { Mode::Config });
                if json {
                    let rows: Vec<_> = issues
                        .iter()
                        .map(|issue| json!({"path": issue.path, "kind": format!("{:?}", issue.kind), "message": issue.message}))
                        .collect();
                    out::json(&json!({"format": "fabric-orch/check/1", "valid": issues.is_empty(), "issues": rows}), true)?;
                } else {
                    issues.iter().for_each(|issue| out::data(&issue.to_string()));
                    out::talk(&format!("{}: {} issues", file.display(), issues.len()));
                }
                Ok(if issues.is_empty() { CLEAN } else { ERROR })
            }
            What::Compile { dir, report, out } => compile(&dir, report.as_deref(), &out),
        }
    }
}

fn schema() -> Result<Schema, Failure> {
    Schema::eos().map_err(|error| Failure::new(format!("the schema compiled in cannot be read: {error}")))
}

fn parse(text: &str) -> Result<Path, Failure> {
    Path::parse(text).map_err(|error| Failure::new(error.to_string()))
}

fn unknown(schema: &Schema, path: &Path) -> Failure {
    match schema.check_path(path) {
        Err(problem) => Failure::new(problem.to_string()).hint("`fabric-orch yang find WORD` searches"),
        Ok(_) => Failure::new(format!("no node {path}")),
    }
}

/// One node a line, with what it holds.
fn columns(schema: &Schema, id: NodeId) -> Vec<String> {
    let node = schema.node(id);
    let kind = node.describe().unwrap_or_else(|| node.kind.keyword().to_owned());
    vec![node.path(), kind, node.access.text().to_owned()]
}

fn branch(schema: &Schema, id: NodeId, depth: usize, level: usize, text: &mut String) {
    let node = schema.node(id);
    let keys: Vec<_> = node.keys.iter().collect();
    let name = if id == schema.root() { "/".to_owned() } else { node.name.to_owned() };
    let keys = if keys.is_empty() { String::new() } else { format!("[{}]", keys.join(" ")) };
    let what = node.describe().map(|text| format!("  {text}")).unwrap_or_default();
    let access = if node.kind.is_leaf() { format!("  {}", node.access.text()) } else { String::new() };
    text.push_str(&format!("{}{name}{keys}{what}{access}\n", "  ".repeat(level)));
    if depth > 0 {
        for child in schema.children(id) {
            branch(schema, child, depth - 1, level + 1, text);
        }
    }
}

#[cfg(feature = "libyang")]
fn compile(dir: &std::path::Path, report: Option<&std::path::Path>, out: &std::path::Path) -> Exit {
    let table = crate::yang::compile::compile(dir, report).map_err(|error| Failure::new(error.to_string()))?;
    std::fs::write(out, &table).map_err(|error| Failure::new(format!("{}: {error}", out.display())))?;
    super::out::talk(&format!("{} bytes written to {}", table.len(), out.display()));
    Ok(CLEAN)
}

#[cfg(not(feature = "libyang"))]
fn compile(dir: &std::path::Path, _: Option<&std::path::Path>, _: &std::path::Path) -> Exit {
    Err(Failure::new(format!("{} cannot be compiled: this program was built without libyang", dir.display()))
        .hint("build with `cargo build --release --features libyang` (needs cmake and libpcre2-dev)"))
}
