//! The walk held against prost.

use super::super::canon::AsItCame;
use super::super::proto::typed_value;
use super::*;
use proptest::prelude::*;

fn decoder() -> Arc<Decoder> {
    Decoder::new(Paths::new(), Arc::new(AsItCame))
}

fn elem() -> impl Strategy<Value = proto::PathElem> {
    ("([a-z]{1,3}:)?[a-z]{0,4}", proptest::collection::hash_map("[a-z]{1,2}", ".{0,3}", 0..3))
        .prop_map(|(name, key)| proto::PathElem { name, key })
}

fn any_path() -> impl Strategy<Value = proto::Path> {
    let usual = (
        proptest::sample::select(vec!["", "", "openconfig", "cli"]),
        proptest::collection::vec(elem(), 0..4),
        proptest::sample::select(vec!["", "leaf1"]),
    );
    #[allow(deprecated)]
    let old = proptest::collection::vec("[a-z]{1,3}(\\[a=b\\])?", 0..3);
    #[allow(deprecated)]
    (usual, proptest::option::weighted(0.1, old)).prop_map(|((origin, elem, target), old)| proto::Path {
        origin: origin.into(),
        elem,
        target: target.into(),
        element: old.unwrap_or_default(),
    })
}

fn any_typed() -> impl Strategy<Value = proto::TypedValue> {
    use typed_value::Value as V;
    #[allow(deprecated)]
    let scalar = prop_oneof![
        ".{0,6}".prop_map(V::StringVal),
        any::<i64>().prop_map(V::IntVal),
        any::<u64>().prop_map(V::UintVal),
        any::<bool>().prop_map(V::BoolVal),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| V::BytesVal(bytes.into())),
        any::<f32>().prop_map(V::FloatVal),
        any::<f64>().prop_map(V::DoubleVal),
        (any::<i64>(), 0u32..25).prop_map(|(digits, precision)| V::DecimalVal(proto::Decimal64 { digits, precision })),
        proptest::sample::select(vec!["1", "\"x\"", "{\"a:b\":{\"c\":1}}", "[1,2]", "[{\"k\":1}]", "{", "[null]", "null"])
            .prop_map(|text| V::JsonIetfVal(text.into())),
        "[a-z]{0,3}".prop_map(V::AsciiVal),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| V::ProtoBytes(bytes.into())),
        Just(V::AnyVal(prost_types::Any { type_url: "t".into(), value: vec![1, 2] })),
    ]
    .prop_map(|kind| proto::TypedValue { value: Some(kind) })
    .boxed();
    prop_oneof![
        10 => scalar.clone(),
        2 => proptest::collection::vec(scalar.clone(), 0..3).prop_map(|element| proto::TypedValue { value: Some(V::LeaflistVal(proto::ScalarArray { element })) }),
        1 => proptest::collection::vec(scalar, 0..3).prop_map(|element| {
            let inner = proto::TypedValue { value: Some(V::LeaflistVal(proto::ScalarArray { element })) };
            proto::TypedValue { value: Some(V::LeaflistVal(proto::ScalarArray { element: vec![inner] })) }
        }),
        1 => Just(proto::TypedValue { value: None }),
    ]
}

fn any_message() -> impl Strategy<Value = proto::SubscribeResponse> {
    let update = (
        proptest::option::weighted(0.95, any_path()),
        proptest::option::weighted(0.95, any_typed()),
        prop_oneof![4 => Just(0u32), 1 => any::<u32>()],
    );
    #[allow(deprecated)]
    let update = update.prop_map(|(path, val, duplicates)| proto::Update { path, val, duplicates, value: None });
    let notification = (
        any::<i64>(),
        proptest::option::of(any_path()),
        proptest::collection::vec(update, 0..4),
        proptest::collection::vec(any_path(), 0..2),
        any::<bool>(),
    )
        .prop_map(|(timestamp, prefix, update, delete, atomic)| proto::Notification { timestamp, prefix, update, delete, atomic });
    use subscribe_response::Response as R;
    #[allow(deprecated)]
    let response = prop_oneof![
        20 => notification.prop_map(|notification| Some(R::Update(notification))),
        1 => any::<bool>().prop_map(|sync| Some(R::SyncResponse(sync))),
        1 => Just(Some(R::Error(proto::Error { code: 3, message: "x".into(), data: None }))),
        1 => Just(None),
    ];
    response.prop_map(|response| proto::SubscribeResponse { response, extension: Vec::new() })
}

/// Both ways over the same tables, the fast one twice: cold and warm.
fn agree(bytes: &[u8], decoder: &Decoder) -> Result<bool, TestCaseError> {
    let mut scratch = Scratch::default();
    let mut usual = false;
    for _ in 0..2 {
        let (mut fast, mut slow) = (Batch::default(), Batch::default());
        let by_prost = decoder.decode_any(bytes, &mut slow);
        match decoder.decode_usual(bytes, &mut scratch, &mut fast) {
            Some(received) => {
                usual = true;
                prop_assert_eq!(Ok(received), by_prost);
                prop_assert_eq!(&fast, &slow);
            }
            None => prop_assert_eq!(&fast, &Batch::default(), "nothing is added by a way not taken"),
        }
        let mut either = Batch::default();
        let received = decoder.decode(bytes, &mut scratch, &mut either);
        prop_assert_eq!(received.is_ok(), decoder.decode_any(bytes, &mut Batch::default()).is_ok());
        prop_assert_eq!(either, slow);
    }
    Ok(usual)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn agrees_with_prost(message in any_message(), cut in any::<prop::sample::Index>(), spoil in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let decoder = decoder();
        let bytes = message.encode_to_vec();
        agree(&bytes, &decoder)?;
        if !bytes.is_empty() {
            agree(&bytes[..cut.index(bytes.len())], &decoder)?;
            let mut broken = bytes.clone();
            for (at, byte) in spoil {
                let at = at.index(broken.len());
                broken[at] = byte;
            }
            agree(&broken, &decoder)?;
            // Twice the same message in one buffer: prost merges the fields.
            agree(&[bytes.as_slice(), bytes.as_slice()].concat(), &decoder)?;
        }
    }
}

#[test]
fn the_telemetry_of_a_switch_takes_the_fast_way() {
    let decoder = decoder();
    let name = |name: &str| proto::PathElem { name: name.into(), ..proto::PathElem::default() };
    let interface = proto::PathElem { name: "interface".into(), key: [("name".to_owned(), "Ethernet1".to_owned())].into() };
    let update = |leaf: &str, kind: typed_value::Value| proto::Update {
        path: Some(proto::Path { elem: vec![name(leaf)], ..proto::Path::default() }),
        val: Some(proto::TypedValue { value: Some(kind) }),
        ..proto::Update::default()
    };
    let notification = proto::Notification {
        timestamp: 1_747_924_007_615_237_721,
        prefix: Some(proto::Path {
            elem: vec![name("interfaces"), interface, name("state")],
            target: "leaf1".into(),
            ..proto::Path::default()
        }),
        update: vec![update("mtu", typed_value::Value::UintVal(9214)), update("oper-status", typed_value::Value::StringVal("UP".into()))],
        delete: vec![proto::Path { elem: vec![name("description")], ..proto::Path::default() }],
        ..proto::Notification::default()
    };
    let message = proto::SubscribeResponse {
        response: Some(subscribe_response::Response::Update(notification)),
        ..proto::SubscribeResponse::default()
    };
    let bytes = message.encode_to_vec();
    assert!(agree(&bytes, &decoder).unwrap());
    let mut batch = Batch::default();
    decoder.decode_usual(&bytes, &mut Scratch::default(), &mut batch).unwrap();
    let told: Vec<String> = batch
        .ops
        .iter()
        .map(|op| match op {
            Op::Set(id, value) => format!("{} = {value}", decoder.paths().get(*id)),
            Op::Delete(path) => format!("- {path}"),
            Op::Replace(..) => String::new(),
        })
        .collect();
    let base = "/interfaces/interface[name=Ethernet1]/state";
    assert_eq!(told, [format!("- {base}/description"), format!("{base}/mtu = 9214"), format!("{base}/oper-status = UP")]);
    let sync = proto::SubscribeResponse {
        response: Some(subscribe_response::Response::SyncResponse(true)),
        ..proto::SubscribeResponse::default()
    };
    assert_eq!(decoder.decode_usual(&sync.encode_to_vec(), &mut Scratch::default(), &mut batch), Some(Received::Sync));
}

#[test]
fn atomic_replaces_its_prefix_but_never_the_device() {
    let decoder = decoder();
    let path = |text: &str| Path::parse(text).unwrap();
    let notification = |prefix: &str| convert::Notification {
        atomic: true,
        prefix: path(prefix),
        updates: vec![(path("/a/b"), Ok(Value::Uint(1)))],
        ..convert::Notification::default()
    };
    let mut batch = Batch::default();
    decoder.notification(notification("/a"), &mut batch);
    decoder.notification(notification("/"), &mut batch);
    assert!(matches!(batch.ops.as_slice(), [Op::Replace(prefix, leaves), Op::Set(..)] if prefix.to_string() == "/a" && leaves.len() == 1));
}

/// cEOS mixes both in one stream: a prefix with short paths, and full paths without a prefix.
#[test]
fn a_leaf_is_one_leaf_however_its_path_is_cut() {
    let decoder = decoder();
    let whole = convert::path_message(&Path::parse("/interfaces/interface[name=Management1]/state/counters/in-octets").unwrap());
    let cut = |at: usize, value: u64, prefixed: bool| {
        let (above, below) = whole.elem.split_at(at);
        let path = |elem: &[proto::PathElem]| proto::Path { elem: elem.to_vec(), ..proto::Path::default() };
        let update = proto::Update {
            path: Some(path(below)),
            val: Some(proto::TypedValue { value: Some(typed_value::Value::UintVal(value)) }),
            ..proto::Update::default()
        };
        let prefix = prefixed.then(|| path(above));
        let notification = proto::Notification { prefix, update: vec![update], ..proto::Notification::default() };
        proto::SubscribeResponse {
            response: Some(subscribe_response::Response::Update(notification)),
            ..proto::SubscribeResponse::default()
        }
    };
    let mut batch = Batch::default();
    let mut scratch = Scratch::default();
    for (at, prefixed) in [(4, true), (0, false), (0, true), (5, true), (2, true)] {
        let message = cut(at, at as u64, prefixed).encode_to_vec();
        assert_eq!(decoder.decode_usual(&message, &mut scratch, &mut batch), Some(Received::Notification));
    }
    let ids: Vec<_> = batch.ops.iter().map(|op| if let Op::Set(id, _) = op { *id } else { panic!() }).collect();
    assert!(ids.len() == 5 && ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(decoder.paths().len(), 1);
}

/// Both ways count the same, and what is known already is never refused.
#[test]
fn a_device_that_makes_up_paths_fills_its_own_measure_only() {
    let shared = decoder();
    let said = |n: u32| {
        let path = Path::parse(&format!("/list/entry[id={n}]/value")).unwrap();
        let update = proto::Update {
            path: Some(convert::path_message(&path)),
            val: Some(convert::value_message(&Value::Uint(n.into()))),
            ..proto::Update::default()
        };
        let response =
            Some(subscribe_response::Response::Update(proto::Notification { update: vec![update], ..proto::Notification::default() }));
        proto::SubscribeResponse { response, ..proto::SubscribeResponse::default() }.encode_to_vec()
    };
    let (wild, tame) = (shared.limited(10), shared.limited(10));
    let mut scratch = Scratch::default();
    for round in 1..=2 {
        let (mut fast, mut slow) = (Batch::default(), Batch::default());
        for n in 0..1000 {
            assert_eq!(wild.decode_usual(&said(n), &mut scratch, &mut fast), Some(Received::Notification));
            wild.decode_any(&said(n), &mut slow).unwrap();
        }
        assert_eq!((fast.ops.len(), fast.bad, fast.updates), (10, 990, 1000));
        assert_eq!(fast, slow);
        assert!(fast.bad_leaves[0].reason.contains("more paths"));
        assert_eq!((shared.paths().len(), wild.ignored()), (10, round * 2 * 990), "what is refused is not remembered");
    }
    let mut batch = Batch::default();
    for n in 5..20 {
        tame.decode(&said(n), &mut scratch, &mut batch).unwrap();
    }
    assert_eq!((batch.ops.len(), tame.ignored(), shared.paths().len()), (15, 0, 20), "others are not concerned, and known paths are free");
    wild.forgive();
    assert_eq!((wild.decode(&said(900), &mut scratch, &mut batch).is_ok(), wild.ignored(), batch.ops.len()), (true, 0, 16));
}
