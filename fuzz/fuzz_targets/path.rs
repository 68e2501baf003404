//! Texts and messages as paths: what is a path is written as one that is read as the same.
#![no_main]

use fabric_orchestrator_fuzz::gnmi::wire::{convert, proto};
use fabric_orchestrator_fuzz::path::Path;
use fabric_orchestrator_fuzz::{schema, seeds};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fn hold(path: &Path) {
    assert!(path.covers(path) && path.starts_with(path) && path.overlaps(path), "{path}");
    assert!(Path::root().with_origin(path.origin.clone().unwrap_or_default()).len() == 0);
    let _ = (schema().find(path), path.schema_path(), path.parent().map(|above| above.covers(path)));
}

fuzz_target!(init: seeds::write(|_, document| seeds::leaves(document).into_iter().step_by(7).map(|(path, _)| path.to_string().into_bytes()).collect()), |data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(path) = Path::parse(text)
    {
        hold(&path);
        let said = path.to_string();
        assert_eq!(Path::parse(&said).as_ref(), Ok(&path), "{text:?} is written as {said:?}");
    }
    if let Ok(message) = proto::Path::decode(data) {
        let path = convert::path(&message);
        hold(&path);
        let again = convert::path(&proto::Path::decode(convert::path_message(&path).encode_to_vec().as_slice()).expect("our own"));
        // Names are stripped of one module at a time, and keys of one name become one.
        assert!(again.len() == path.len(), "{path} comes back as {again}");
    }
});
