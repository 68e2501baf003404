//! A plan as JSON: what is printed with `--json`, saved, hashed and read back to be committed.
//!
//! The document is versioned by `format`. `changes` stands at the top with everything a reader wants of a change; `steps` hold
//! what a commit needs. The hash is SHA-256 over the document without `hash`, keys sorted, without white space.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::model::{Block, FORMAT, Guard, Plan, SetRequest, Step, UnknownDevice};
use crate::diff::change::{Change, Finding};

/// The whole document.
pub fn document(plan: &Plan) -> Json {
    let mut map = body(plan);
    let mut whole = Map::new();
    whole.insert("format".into(), Json::String(plan.format.clone()));
    whole.insert("hash".into(), Json::String(plan.hash.clone()));
    map.shift_remove("format");
    whole.append(&mut map);
    Json::Object(whole)
}

/// The hash a plan must carry: that of its document, made row by row, because a plan of a thousand devices is 50 MB of it.
pub fn hash(plan: &Plan) -> String {
    let mut digest = Digest::default();
    let frame = frame(plan);
    let mut keys: Vec<&str> = frame.keys().map(String::as_str).chain(["changes", "steps"]).collect();
    keys.sort_unstable();
    digest.text.push(b'{');
    for (at, key) in keys.into_iter().enumerate() {
        if at > 0 {
            digest.text.push(b',');
        }
        written(serde_json::to_writer(&mut digest.text, key));
        digest.text.push(b':');
        match (key, frame.get(key)) {
            ("changes", _) => digest.rows(change_rows(plan)),
            ("steps", _) => digest.rows(step_rows(plan)),
            (_, Some(value)) => canonical(value, &mut digest.text),
            (_, None) => {}
        }
    }
    digest.text.push(b'}');
    digest.end()
}

/// Canonical text on its way into a hash.
#[derive(Default)]
struct Digest {
    text: Vec<u8>,
    hasher: Sha256,
}

impl Digest {
    fn rows(&mut self, rows: impl Iterator<Item = Json>) {
        self.text.push(b'[');
        for (at, row) in rows.enumerate() {
            if at > 0 {
                self.text.push(b',');
            }
            canonical(&row, &mut self.text);
            self.hasher.update(&self.text);
            self.text.clear();
        }
        self.text.push(b']');
    }

    fn end(mut self) -> String {
        self.hasher.update(&self.text);
        self.hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            use std::fmt::Write as _;
            _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn body(plan: &Plan) -> Map<String, Json> {
    let mut map = frame(plan);
    map.insert("changes".into(), change_rows(plan).collect());
    map.insert("steps".into(), step_rows(plan).collect());
    // The order in which people read it.
    for last in ["waves", "blocked", "unknown", "findings", "steps"] {
        if let Some(value) = map.shift_remove(last) {
            map.insert(last.into(), value);
        }
    }
    map
}

fn change_rows(plan: &Plan) -> impl Iterator<Item = Json> {
    plan.changes().map(|(step, change)| {
        let mut row = as_object(change);
        for absent in ["desired", "observed", "origin"] {
            row.entry(absent).or_insert(Json::Null);
        }
        row.insert("wave".into(), json!(step.wave));
        row.insert("step".into(), json!(step.id));
        Json::Object(row)
    })
}

fn step_rows(plan: &Plan) -> impl Iterator<Item = Json> {
    let row = |step: &Step| json!({"id": step.id, "device": step.device, "wave": step.wave, "why": step.why, "set": step.set, "read_set": step.read_set});
    plan.steps.iter().map(row)
}

/// All but its changes and steps.
fn frame(plan: &Plan) -> Map<String, Json> {
    let mut map = Map::new();
    map.insert("format".into(), json!(plan.format));
    map.insert("fabric".into(), json!(plan.fabric));
    map.insert("made".into(), json!(plan.made));
    map.insert("in_sync".into(), json!(plan.in_sync));
    map.insert("waves".into(), json!(plan.waves));
    map.insert("blocked".into(), json!(plan.blocked));
    map.insert("unknown".into(), json!(plan.unknown));
    map.insert("findings".into(), json!(plan.findings));
    map
}

fn as_object(change: &Change) -> Map<String, Json> {
    match serde_json::to_value(change) {
        Ok(Json::Object(map)) => map,
        _ => Map::new(),
    }
}

fn hash_of(map: Map<String, Json>) -> String {
    let mut digest = Digest::default();
    canonical(&Json::Object(map), &mut digest.text);
    digest.end()
}

/// Keys sorted, no white space.
fn canonical(json: &Json, out: &mut Vec<u8>) {
    match json {
        Json::Object(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                written(serde_json::to_writer(&mut *out, key));
                out.push(b':');
                canonical(value, out);
            }
            out.push(b'}');
        }
        Json::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                canonical(item, out);
            }
            out.push(b']');
        }
        other => written(serde_json::to_writer(&mut *out, other)),
    }
}

/// Writing JSON to memory has no way to fail.
fn written(result: serde_json::Result<()>) {
    debug_assert!(result.is_ok());
}

/// Why a plan file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// No JSON at all.
    #[error("the plan is not JSON ({0}); write it with `plan --out FILE`")]
    NotJson(#[source] serde_json::Error),
    /// Another shape or version.
    #[error("this is `{found}`, not `{FORMAT}`; make the plan again with this version")]
    Format {
        /// What it says it is.
        found: String,
    },
    /// It was edited.
    #[error("the plan was changed after it was made: it says hash {said} and has {is}; make it again")]
    Hash {
        /// In the file.
        said: String,
        /// Of the file.
        is: String,
    },
    /// A part is missing or of another type.
    #[error("the plan cannot be read ({0}); make it again")]
    Shape(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct StepRow {
    id: String,
    device: Arc<str>,
    wave: usize,
    why: String,
    set: SetRequest,
    read_set: Vec<Guard>,
}

#[derive(Deserialize)]
struct ChangeRow {
    #[serde(flatten)]
    change: Change,
    step: String,
}

#[derive(Deserialize)]
struct Document {
    format: String,
    hash: String,
    fabric: String,
    made: u64,
    in_sync: bool,
    changes: Vec<ChangeRow>,
    waves: Vec<Vec<Arc<str>>>,
    blocked: Vec<Block>,
    unknown: Vec<UnknownDevice>,
    findings: Vec<Finding>,
    steps: Vec<StepRow>,
}

/// Reads a plan back.
///
/// # Errors
/// [`PlanFileError`]: no JSON, another format, a hash that does not fit, a part missing.
pub fn parse(text: &str) -> Result<Plan, PlanFileError> {
    let json: Json = serde_json::from_str(text).map_err(PlanFileError::NotJson)?;
    let format = json.get("format").and_then(Json::as_str).unwrap_or("no plan");
    if format != FORMAT {
        return Err(PlanFileError::Format { found: format.to_owned() });
    }
    let said = json.get("hash").and_then(Json::as_str).unwrap_or_default().to_owned();
    let is = match &json {
        Json::Object(map) => {
            let mut rest = map.clone();
            rest.shift_remove("hash");
            hash_of(rest)
        }
        _ => String::new(),
    };
    if said != is {
        return Err(PlanFileError::Hash { said, is });
    }
    let read: Document = serde_json::from_value(json).map_err(PlanFileError::Shape)?;
    let mut steps: Vec<Step> = read
        .steps
        .into_iter()
        .map(|row| Step {
            id: row.id,
            device: row.device,
            wave: row.wave,
            changes: Vec::new(),
            set: row.set,
            read_set: row.read_set,
            why: row.why,
        })
        .collect();
    for row in read.changes {
        if let Some(step) = steps.iter_mut().find(|step| step.id == row.step) {
            step.changes.push(row.change);
        }
    }
    Ok(Plan {
        format: read.format,
        hash: read.hash,
        fabric: read.fabric,
        made: read.made,
        in_sync: read.in_sync,
        steps,
        waves: read.waves,
        blocked: read.blocked,
        unknown: read.unknown,
        findings: read.findings,
    })
}
