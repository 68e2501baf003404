use super::journal::{Left, Mark};
use super::*;
use crate::value::Value;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn path(text: &str) -> crate::path::Path {
    crate::path::Path::parse(text).unwrap()
}

const STEPS: [(&str, &str, usize); 6] = [
    ("1-leaf1", "leaf1", 1),
    ("1-leaf3", "leaf3", 1),
    ("1-leaf5", "leaf5", 1),
    ("1-leaf7", "leaf7", 1),
    ("2-leaf2", "leaf2", 2),
    ("2-leaf4", "leaf4", 2),
];

#[test]
fn after_a_crash_each_device_is_done_not_done_or_unknown() {
    let (folder, store) = store();
    let id = store.begin("lab", "kim", "abc", "{}", &STEPS).unwrap();
    for (step, marks) in [
        ("1-leaf1", &[Mark::Rereading, Mark::Sending, Mark::Verifying][..]),
        ("1-leaf3", &[Mark::Rereading, Mark::Sending]),
        ("1-leaf5", &[Mark::Rereading]),
        ("1-leaf7", &[Mark::Rereading, Mark::Sending, Mark::Verifying]),
        ("2-leaf4", &[Mark::Rereading, Mark::Sending]),
    ] {
        marks.iter().for_each(|mark| store.mark(id, step, *mark).unwrap());
    }
    store.finish(id, "1-leaf7", "applied", "", Some(12)).unwrap();
    store.finish(id, "2-leaf4", "unknown", "answer lost", Some(12)).unwrap();
    // The process is still here, so its operation is not taken for interrupted.
    assert_eq!(store.recover("lab").unwrap(), []);
    drop(store); // nothing is flushed on the way out: every call was a transaction of its own
    let store = Store::open(folder.path()).unwrap();
    store.write(|tx| tx.execute("UPDATE operation SET pid = 2147483646", []).map(drop)).unwrap();
    let left: Vec<_> = store.recover("lab").unwrap().into_iter().map(|row| (row.device, row.left)).collect();
    let want = [
        ("leaf1", Left::Done),
        ("leaf3", Left::Unknown),
        ("leaf5", Left::NotDone),
        ("leaf7", Left::Done),
        ("leaf2", Left::NotDone),
        ("leaf4", Left::Unknown),
    ];
    assert_eq!(left, want.map(|(device, left)| (device.to_owned(), left)));
    assert_eq!(store.recover("lab").unwrap(), [], "said once");
    let operation = store.operations("lab", 10).unwrap().remove(0);
    assert_eq!(operation.status, "interrupted: 2 done, 2 not done, 2 unknown");
    assert!(operation.ended.is_some());
    assert_eq!(operation.actions.len(), 6);
}

#[test]
fn applied_is_what_was_set_and_not_deleted() {
    let (_folder, store) = store();
    let vlan =
        |n: u32, leaf: &str| path(&format!("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id={n}]/config/{leaf}"));
    store
        .remember(
            "lab",
            "leaf1",
            1,
            &[(vlan(4, "name"), "a".into()), (vlan(40, "name"), "b".into()), (vlan(40, "status"), "ACTIVE".into())],
            &[],
        )
        .unwrap();
    store
        .remember(
            "lab",
            "leaf1",
            2,
            &[(vlan(4, "name"), "c".into())],
            &[path("/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=40]")],
        )
        .unwrap();
    assert_eq!(store.applied("lab", "leaf1").unwrap(), [(vlan(4, "name"), Value::str("c"))]);
    assert_eq!(store.applied("lab", "leaf2").unwrap(), []);
}

#[test]
fn not_retained_is_remembered_until_it_is_there_or_forgotten() {
    let (_folder, store) = store();
    let (a, b) = (path("/a/b"), path("/a/c"));
    store.remember_not_retained("lab", "leaf1", 1, &[(a.clone(), true.into()), (b.clone(), Value::Uint(7))]).unwrap();
    assert_eq!(store.not_retained("lab", "leaf1").unwrap().len(), 2);
    store.remember("lab", "leaf1", 2, &[(a, true.into())], &[]).unwrap();
    assert_eq!(store.not_retained("lab", "leaf1").unwrap(), [(b.clone(), Value::Uint(7))]);
    store.forget_not_retained("lab", "leaf1", &[b]).unwrap();
    assert_eq!(store.not_retained("lab", "leaf1").unwrap(), []);
}

#[test]
fn one_lease_a_device() {
    let (_folder, store) = store();
    store.lease("lab", "leaf1", "kim", 1, 60_000).unwrap();
    store.lease("lab", "leaf1", "kim", 1, 60_000).unwrap();
    let error = store.lease("lab", "leaf1", "lee", 2, 60_000).unwrap_err();
    assert!(matches!(&error, Error::Leased { holder, seconds: 55..=60, .. } if holder.starts_with("kim@")), "{error}");
    store.write(|tx| tx.execute("UPDATE lease SET pid = 2147483646", []).map(drop)).unwrap();
    store.lease("lab", "leaf1", "lee", 2, 60_000).unwrap();
    assert!(store.leases("lab").unwrap()[0].holder.starts_with("lee@"));
}

#[test]
fn an_operation_gives_its_leases_back() {
    let (_folder, store) = store();
    let id = store.begin("lab", "kim", "abc", "{}", &STEPS[..1]).unwrap();
    store.lease("lab", "leaf1", "kim", id, 60_000).unwrap();
    store.end(id, "applied").unwrap();
    assert_eq!(store.leases("lab").unwrap(), []);
}

#[test]
fn the_audit_chain_finds_a_changed_and_a_missing_row() {
    let (_folder, store) = store();
    for n in 0..5 {
        store.audit("lab", "kim", "armed", &n.to_string()).unwrap();
    }
    assert_eq!(store.audit_verify().unwrap(), Ok(5));
    store.write(|tx| tx.execute("UPDATE audit SET detail = '7' WHERE seq = 3", []).map(drop)).unwrap();
    assert_eq!(store.audit_verify().unwrap(), Err(3));
    store.write(|tx| tx.execute("UPDATE audit SET detail = '2' WHERE seq = 3", []).map(drop)).unwrap();
    assert_eq!(store.audit_verify().unwrap(), Ok(5));
    store.write(|tx| tx.execute("DELETE FROM audit WHERE seq = 2", []).map(drop)).unwrap();
    assert_eq!(store.audit_verify().unwrap(), Err(2));
}

#[test]
fn drift_comes_and_goes() {
    let (_folder, store) = store();
    let event = drift::Drift {
        device: "leaf1".into(),
        path: "/a".into(),
        kind: "update".into(),
        desired: Some("1".into()),
        observed: None,
        changed_by: String::new(),
        appeared: 5,
        cleared: None,
    };
    store.drifted("lab", std::slice::from_ref(&event), &[]).unwrap();
    assert_eq!(store.drift("lab", 9).unwrap(), [event]);
    store.drifted("lab", &[], &[("leaf1".into(), "/a".into())]).unwrap();
    assert!(store.drift("lab", 9).unwrap()[0].cleared.is_some());
}

#[cfg(unix)]
#[test]
fn a_journal_that_cannot_be_written_is_an_error_that_says_so() {
    let (folder, store) = store();
    // A full disk, as SQLite sees it: no page may be added.
    store.read(|connection| connection.pragma_update(None, "max_page_count", 1)).unwrap();
    let big = "x".repeat(1 << 20);
    let error = store.begin("lab", "kim", "abc", &big, &STEPS).unwrap_err();
    assert!(matches!(error, Error::Full(_)), "{error:?}");
    assert!(error.hint().contains("nothing is sent"));
    assert_eq!(store.operations("lab", 9).unwrap(), [], "nothing half written");
    drop(store);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Store::open(&file), Err(Error::Folder { .. })));
}

#[test]
fn a_newer_journal_is_left_alone() {
    let (folder, store) = store();
    store.read(|connection| connection.pragma_update(None, "user_version", 99)).unwrap();
    drop(store);
    assert!(matches!(Store::open(folder.path()), Err(Error::Newer { found: 99, .. })));
}

#[test]
fn intent_is_counted_across_runs() {
    let (folder, store) = store();
    assert_eq!(store.intent_counts("lab").unwrap(), None);
    let counts = std::collections::BTreeMap::from([("devices".to_owned(), 10)]);
    store.remember_intent("lab", &counts).unwrap();
    drop(store);
    assert_eq!(Store::open(folder.path()).unwrap().intent_counts("lab").unwrap(), Some(counts));
}
