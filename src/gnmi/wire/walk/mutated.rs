//! A bounded fuzz: streams of messages of the shapes a switch sends, bent at the level of bytes, and held against prost.
//!
//! One decoder sees the whole stream, as in life: what a broken message leaves in its tables must not bend the ones behind it.

use super::super::canon::AsItCame;
use super::super::proto::{TypedValue, typed_value::Value as V};
use super::*;
use proptest::prelude::*;

fn path(text: &str) -> proto::Path {
    convert::path_message(&Path::parse(text).unwrap())
}

fn update(at: &str, kind: V) -> proto::Update {
    proto::Update { path: Some(path(at)), val: Some(TypedValue { value: Some(kind) }), ..proto::Update::default() }
}

fn message(prefix: &str, atomic: bool, deletes: &[&str], update: Vec<proto::Update>) -> Vec<u8> {
    let notification = proto::Notification {
        timestamp: 1_747_924_007_615_237_721,
        prefix: (!prefix.is_empty()).then(|| proto::Path { target: "leaf1".into(), ..path(prefix) }),
        update,
        delete: deletes.iter().map(|text| path(text)).collect(),
        atomic,
    };
    let response = Some(subscribe_response::Response::Update(notification));
    proto::SubscribeResponse { response, ..proto::SubscribeResponse::default() }.encode_to_vec()
}

/// What EOS sends, shape by shape: counters with and without prefix, states, floats, leaf-lists, JSON, deletes, atomic ones, sync.
fn shapes() -> Vec<Vec<u8>> {
    let text = |text: &str| V::StringVal(text.into());
    let port = "/interfaces/interface[name=Ethernet1]/state";
    let neighbor = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/\
                    neighbor[neighbor-address=10.0.1.0]/state";
    let list =
        V::LeaflistVal(proto::ScalarArray { element: ["65001:110040", "x"].map(|item| TypedValue { value: Some(text(item)) }).into() });
    let sync = Some(subscribe_response::Response::SyncResponse(true));
    vec![
        message(port, false, &[], vec![update("/mtu", V::UintVal(9214)), update("/oper-status", text("UP"))]),
        message("", false, &[], (0..4).map(|n| update(&format!("{port}/counters/in-{n}"), V::UintVal(u64::MAX >> n))).collect()),
        message("", false, &[], vec![update(&format!("{neighbor}/session-state"), text("ESTABLISHED"))]),
        message(
            neighbor,
            true,
            &[],
            vec![update("/peer-as", V::UintVal(65001)), update("/description", text("a text that is longer than 22"))],
        ),
        message(port, false, &["/description", "/counters"], vec![update("/enabled", V::BoolVal(true))]),
        message("", false, &[port], Vec::new()),
        message("", false, &[], vec![update("/a", V::JsonIetfVal(r#"{"m:b":{"c":[1,"2"]},"d":[null]}"#.into())), update("/e", list)]),
        message(
            "",
            false,
            &[],
            vec![update("/f", V::DoubleVal(0.25)), update("/g", V::IntVal(-3)), update("/h", V::BytesVal(vec![1, 255].into()))],
        ),
        proto::SubscribeResponse { response: sync, ..proto::SubscribeResponse::default() }.encode_to_vec(),
    ]
}

/// One thing done to the bytes of a message.
#[derive(Clone, Debug)]
enum Bend {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    /// A part once more behind itself: fields said twice.
    Double(prop::sample::Index, usize),
    /// The end of another message.
    Graft(prop::sample::Index, usize),
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<prop::sample::Index>;
    let noise = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..12),
        // Varints without end, lengths beyond everything, groups.
        Just(vec![0xff; 11]),
        Just(vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Just(vec![0x0b, 0x0c]),
    ];
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Bend::Flip(at, byte)),
        2 => at().prop_map(Bend::Cut),
        2 => (at(), 1usize..20).prop_map(|(at, length)| Bend::Drop(at, length)),
        2 => (at(), noise).prop_map(|(at, bytes)| Bend::Insert(at, bytes)),
        2 => (at(), 1usize..80).prop_map(|(at, length)| Bend::Double(at, length)),
        1 => (at(), 0usize..9).prop_map(|(at, other)| Bend::Graft(at, other)),
    ]
}

fn bent(mut bytes: Vec<u8>, bends: &[Bend], shapes: &[Vec<u8>]) -> Vec<u8> {
    for bend in bends {
        let place = |at: &prop::sample::Index| at.index(bytes.len() + 1);
        match bend {
            Bend::Flip(at, to) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *to;
                }
            }
            Bend::Cut(at) => bytes.truncate(place(at)),
            Bend::Drop(at, length) => {
                let at = place(at);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Bend::Insert(at, noise) => {
                let at = place(at);
                bytes.splice(at..at, noise.iter().copied());
            }
            Bend::Double(at, length) => {
                let at = place(at);
                let part = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            Bend::Graft(at, other) => {
                let other = &shapes[*other];
                let at = place(at);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_bent_stream_is_read_as_prost_reads_it_or_refused(stream in proptest::collection::vec((0usize..9, proptest::collection::vec(bend(), 0..4)), 1..12)) {
        let shapes = shapes();
        let decoder = Decoder::new(Paths::new(), Arc::new(AsItCame));
        let mut scratch = Scratch::default();
        let mut said = 0;
        for (shape, bends) in stream {
            let bytes = bent(shapes[shape].clone(), &bends, &shapes);
            let (mut fast, mut slow) = (Batch::default(), Batch::default());
            let ours = decoder.decode(&bytes, &mut scratch, &mut fast);
            let theirs = decoder.decode_any(&bytes, &mut slow);
            prop_assert_eq!(ours.is_err(), theirs.is_err());
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                prop_assert_eq!(ours, theirs);
            }
            prop_assert_eq!(&fast, &slow);
            prop_assert!(fast.weight() <= bytes.len() + 1, "{} operations out of {} bytes", fast.weight(), bytes.len());
            said += bytes.len();
            prop_assert!(decoder.paths().len() <= said, "paths come out of bytes, not out of nowhere");
        }
    }
}

#[test]
fn every_cut_and_every_changed_byte_of_every_shape() {
    let shapes = shapes();
    let decoder = Decoder::new(Paths::new(), Arc::new(AsItCame));
    let mut scratch = Scratch::default();
    let mut same = |bytes: &[u8]| {
        let (mut fast, mut slow) = (Batch::default(), Batch::default());
        let (ours, theirs) = (decoder.decode(bytes, &mut scratch, &mut fast).ok(), decoder.decode_any(bytes, &mut slow).ok());
        assert!(ours == theirs && fast == slow, "{bytes:02x?}: {ours:?} {fast:?}, prost {theirs:?} {slow:?}");
    };
    for shape in &shapes {
        for at in 0..shape.len() {
            same(&shape[..at]);
            for change in [0x01u8, 0x08, 0x80, 0xff] {
                let mut bytes = shape.clone();
                bytes[at] ^= change;
                same(&bytes);
            }
        }
        same(shape);
    }
}

#[test]
fn the_shapes_of_a_switch_take_the_fast_way() {
    let decoder = Decoder::new(Paths::new(), Arc::new(AsItCame));
    let mut scratch = Scratch::default();
    for (at, shape) in shapes().iter().enumerate() {
        assert!(decoder.decode_usual(shape, &mut scratch, &mut Batch::default()).is_some(), "shape {at}");
    }
}
