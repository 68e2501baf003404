//! Inputs to start from, made of the configurations the lab's devices boot with: written before the fuzzer looks for its corpus,
//! into the folder that `FUZZ_SEEDS` names. Nothing is written without it.

use std::path::{Path as File, PathBuf};

use prost::Message as _;
use serde_json::Value as Json;

use crate::gnmi::wire::convert;
use crate::gnmi::wire::proto::{self, subscribe_response::Response};
use crate::path::Path;
use crate::value::Value;

/// Writes the seeds of one target.
pub fn write(make: fn(&str, &Json) -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).expect("a folder for seeds");
    let devices = File::new(env!("CARGO_MANIFEST_DIR")).join("../lab/devices");
    let mut count = 0;
    for entry in std::fs::read_dir(&devices).expect("lab/devices").flatten() {
        let (file, text) = (entry.path(), std::fs::read_to_string(entry.path()).unwrap_or_default());
        let Ok(document) = serde_json::from_str::<Json>(&text) else { continue };
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or("seed").to_owned();
        for (index, seed) in make(&name, &document).into_iter().enumerate() {
            std::fs::write(folder.join(format!("{name}-{index}")), seed).expect("a seed");
            count += 1;
        }
    }
    assert!(count > 0, "no seeds from {}", devices.display());
}

/// The leaves of a document.
pub fn leaves(document: &Json) -> Vec<(Path, Value)> {
    crate::schema().flatten_lossy(&Path::root(), document).0
}

/// The document in parts, each with its path: what a Get of a container answers.
pub fn parts(document: &Json) -> Vec<(Path, Json)> {
    let mut parts = Vec::new();
    for (name, below) in document.as_object().into_iter().flatten() {
        let path = Path::root().child(convert::bare_name(name));
        for (inner, json) in below.as_object().into_iter().flatten() {
            parts.push((path.clone().child(convert::bare_name(inner)), json.clone()));
        }
        parts.push((path, below.clone()));
    }
    parts
}

/// The ways in which a device may say these leaves: one by one, together below a prefix, atomic, old paths, with deletes, as JSON.
pub fn streams(target: &str, document: &Json) -> Vec<Vec<u8>> {
    let leaves = leaves(document);
    let said = |response| proto::SubscribeResponse { response: Some(response), extension: Vec::new() }.encode_to_vec();
    let sync = said(Response::SyncResponse(true));
    let notification = |leaves: &[(Path, Value)], prefix: Path, atomic: bool, deletes: Vec<Path>| {
        let updates = leaves.iter().map(|(path, value)| (path.clone(), Ok(value.clone()))).collect();
        let whole = convert::Notification {
            timestamp: 1_747_924_007_615_237_721,
            target: target.into(),
            prefix,
            atomic,
            deletes,
            updates,
            duplicates: 0,
        };
        convert::notification_message(&whole)
    };
    let mut streams = Vec::new();
    for group in leaves.chunks(12).step_by(5) {
        let prefix = (0..)
            .map(|depth| group[0].0.first(depth))
            .take_while(|above| above.len() < group[0].0.len() && group.iter().all(|(path, _)| path.starts_with(above)))
            .last()
            .unwrap_or_default();
        let mut one_by_one: Vec<Vec<u8>> = group
            .iter()
            .map(|leaf| said(Response::Update(notification(std::slice::from_ref(leaf), Path::root(), false, Vec::new()))))
            .collect();
        one_by_one.push(sync.clone());
        let mut old = notification(group, Path::root(), false, Vec::new());
        #[allow(deprecated)]
        for path in old.update.iter_mut().filter_map(|update| update.path.as_mut()) {
            path.element = convert::path(path).elems.iter().map(ToString::to_string).collect();
            path.elem.clear();
        }
        let together = said(Response::Update(notification(group, prefix.clone(), false, Vec::new())));
        streams.push(one_by_one);
        streams.push(vec![together.clone(), said(Response::Update(notification(&group[..1], prefix.clone(), true, Vec::new()))), together]);
        streams.push(vec![
            said(Response::Update(old)),
            said(Response::Update(notification(&group[1..], Path::root(), false, vec![group[0].0.clone(), prefix]))),
        ]);
    }
    for (path, json) in parts(document).into_iter().filter(|(_, json)| json.to_string().len() < 2_000) {
        let update = proto::Update {
            path: Some(convert::path_message(&path)),
            val: Some(convert::json_ietf_message(&json)),
            ..proto::Update::default()
        };
        streams.push(vec![said(Response::Update(proto::Notification { update: vec![update], ..proto::Notification::default() }))]);
    }
    let framed = |messages: Vec<Vec<u8>>| {
        messages
            .iter()
            .filter_map(|message| Some([&u16::try_from(message.len()).ok()?.to_be_bytes()[..], message].concat()))
            .collect::<Vec<_>>()
            .concat()
    };
    // The first byte chooses how values are spelled.
    streams.into_iter().enumerate().map(|(index, stream)| [&[u8::from(index % 2 == 1)][..], &framed(stream)].concat()).collect()
}
