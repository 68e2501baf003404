//! Streams of bytes through the walker, held against prost: the same operations or both an error, never a panic, and tables that
//! grow with the bytes that came, not faster.
#![no_main]

use fabric_orchestrator_fuzz::gnmi::SchemaCanon;
use fabric_orchestrator_fuzz::gnmi::wire::batch::Batch;
use fabric_orchestrator_fuzz::gnmi::wire::canon::AsItCame;
use fabric_orchestrator_fuzz::gnmi::wire::walk::{Decoder, Scratch};
use fabric_orchestrator_fuzz::tree::{Paths, Tree};
use fabric_orchestrator_fuzz::{messages, schema, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write(seeds::streams), |data: &[u8]| {
    let [first, data @ ..] = data else { return };
    // With the schema's spellings or as it came: both are what a session may run with.
    let decoder = match first & 1 {
        0 => Decoder::new(Paths::new(), std::sync::Arc::new(AsItCame)),
        _ => Decoder::new(Paths::new(), SchemaCanon::new(std::sync::Arc::clone(schema()))),
    };
    let (mut scratch, mut stream) = (Scratch::default(), Batch::default());
    let mut oracle = Tree::new(std::sync::Arc::clone(decoder.paths()));
    for message in messages(data) {
        // Cold and warm.
        for _ in 0..2 {
            let (mut fast, mut slow, mut either) = (Batch::default(), Batch::default(), Batch::default());
            let by_prost = decoder.decode_any(message, &mut slow);
            match decoder.decode_usual(message, &mut scratch, &mut fast) {
                Some(received) => {
                    assert_eq!(Ok(received), by_prost, "{message:02x?}");
                    assert_eq!(fast, slow, "{message:02x?}");
                }
                None => assert_eq!(fast, Batch::default(), "nothing is added by a way not taken: {message:02x?}"),
            }
            assert_eq!(decoder.decode(message, &mut scratch, &mut either).is_ok(), by_prost.is_ok(), "{message:02x?}");
            assert_eq!(either, slow, "{message:02x?}");
            assert!(slow.weight() <= 2 * message.len() + 2, "{} operations of {} bytes", slow.weight(), message.len());
            slow.clone().apply(&mut oracle);
            stream.append(either);
        }
    }
    assert!(decoder.paths().len() <= 2 * data.len() + 2, "{} paths of {} bytes", decoder.paths().len(), data.len());
    // A receiver that is slow gets it all at once, thinned out, and ends with the same mirror.
    stream.coalesce();
    let mut mirror = Tree::new(std::sync::Arc::clone(decoder.paths()));
    stream.apply(&mut mirror);
    assert!(mirror == oracle);
});
