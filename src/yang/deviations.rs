//! Where EOS is not what its models or the gNMI specification say: one entry per quirk.
//!
//! For each: since or in which release it was seen, what happens, where that is known from, what the product does about it,
//! and the tests that hold it to that. Nothing here was seen on a device by us unless the evidence says so; where the
//! evidence is thin, the simulated device has a switch for it. What the path report says of single nodes is in the table
//! itself ([`super::Node::access`]), not here.

/// Where a quirk is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The models or the path report of the release, checked by a test against the embedded table.
    Model(&'static str),
    /// A document, or code, of Arista or of OpenConfig.
    Document(&'static str),
    /// Somebody else's device, by their account.
    Reported(&'static str),
}

/// One way in which EOS differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirk {
    /// Short name, for findings and journals.
    pub id: &'static str,
    /// Releases it is known for.
    pub versions: &'static str,
    /// What an operator or a client sees.
    pub symptom: &'static str,
    /// Where it is known from.
    pub evidence: Evidence,
    /// What the product does.
    pub product: &'static str,
    /// Tests that hold the product to it, by function name; empty where the part in question names them itself.
    pub tests: &'static [&'static str],
}

/// The featureprofiles entry that lists what Arista devices need.
const PROFILES: &str = "openconfig/featureprofiles, deviations of the Arista platforms";
/// The path report of the release.
const REPORT: &str = "aristanetworks/yang, EOS-4.35.0F, pathreport.csv";

/// All quirks we know of.
pub const QUIRKS: &[Quirk] = &[
    Quirk {
        id: "support-is-in-the-report",
        versions: "4.35.0F",
        symptom: "Arista's not-supported deviations cannot be compiled together; the compiled models offer nodes that EOS refuses",
        evidence: Evidence::Model(REPORT),
        product: "every node carries what the path report says; a document with a not-supported or read-only node is refused before it is sent",
        tests: &["what_eos_does_not_let_be_written_is_refused"],
    },
    Quirk {
        id: "keys-called-read",
        versions: "4.35.0F",
        symptom: "some list keys (lldp, stp, varp) are `read` in the path report though an entry cannot be written without them",
        evidence: Evidence::Model(REPORT),
        product: "list keys and their twins under config are accepted inside a written entry",
        tests: &["what_eos_does_not_let_be_written_is_refused", "good_documents_pass"],
    },
    Quirk {
        id: "must-is-not-judged",
        versions: "4.35.0F",
        symptom: "must and when expressions of Arista's modules compare identities without prefix and stand on containers that always exist: full validation fails on good documents",
        evidence: Evidence::Model("libyang 5.4.9 on the EOS-4.35.0F set"),
        product: "names, types, ranges, patterns, keys and access are judged, must and when are not",
        tests: &["good_documents_pass", "verdicts_are_those_of_libyang"],
    },
    Quirk {
        id: "two-nodes-one-name",
        versions: "4.35.0F",
        symptom: "siblings of two modules share a name (system, components, interfaces; timers of BFD below BGP)",
        evidence: Evidence::Model("the embedded table"),
        product: "a name without module means the module of the parent, then openconfig, then arista; documents carry the module",
        tests: &["twins_are_told_apart_by_module"],
    },
    Quirk {
        id: "lag-trunk-groups-read-only",
        versions: "4.35.0F",
        symptom: "aggregation/switched-vlan/config/trunk-groups is `read`, its ethernet twin read+write",
        evidence: Evidence::Model(REPORT),
        product: "refused by validation; the line goes through origin cli",
        tests: &["good_documents_pass"],
    },
    Quirk {
        id: "sixty-four-bits-two-spellings",
        versions: "all",
        symptom: "64-bit counters are strings in a Get (JSON_IETF) and numbers in a Subscribe",
        evidence: Evidence::Reported("public captures of cEOS 4.34"),
        product: "every value gets one canonical form before it is compared",
        tests: &["spellings_of_one_value_are_equal"],
    },
    Quirk {
        id: "identities-bare-in-keys",
        versions: "all",
        symptom: "path keys carry the bare identity (identifier=BGP), documents the one with its module",
        evidence: Evidence::Document("aristanetworks/openmgmt, captures"),
        product: "bare in paths and in trees, qualified in documents",
        tests: &["spellings_of_one_value_are_equal", "flatten_and_document_are_inverse"],
    },
    Quirk {
        id: "decimal-val",
        versions: "all",
        symptom: "decimal64 leaves come as the deprecated decimal_val {digits, precision}",
        evidence: Evidence::Document("aristanetworks/openmgmt, captures"),
        product: "both forms become one decimal",
        tests: &["spellings_of_one_value_are_equal"],
    },
    Quirk {
        id: "rates-are-four-bytes",
        versions: "4.35.0F",
        symptom: "interface rates are ieeefloat32, a binary of four bytes in the model; the wire form is not known",
        evidence: Evidence::Model("arista-intf-augments"),
        product: "bytes, base64, float and number are all taken and become one floating point number",
        tests: &["spellings_of_one_value_are_equal"],
    },
    Quirk {
        id: "get-answers-wrapped",
        versions: "4.34",
        symptom: "a Get of a list or container answers with the node's own qualified name around it",
        evidence: Evidence::Reported("public captures of cEOS 4.34"),
        product: "flatten takes the document with or without that wrapping",
        tests: &["answers_of_eos_are_unwrapped"],
    },
    Quirk {
        id: "list-without-keys",
        versions: "4.34",
        symptom: "VLAN members are a list without keys: entries have no path of their own",
        evidence: Evidence::Model("openconfig-vlan"),
        product: "the whole list is one value",
        tests: &["lists_without_keys_are_one_value"],
    },
    Quirk {
        id: "interface-enabled",
        versions: "all",
        symptom: "ipv4/config/enabled defaults to false on EOS: without it a port stays switched",
        evidence: Evidence::Document(PROFILES),
        product: "intent always states it for routed interfaces",
        tests: &[],
    },
    Quirk {
        id: "omit-l2-mtu",
        versions: "all",
        symptom: "/interfaces/interface/config/mtu is writable by the report, but is not the IP MTU; state reads 0",
        evidence: Evidence::Document(PROFILES),
        product: "only ipv4/config/mtu is ever written",
        tests: &[],
    },
    Quirk {
        id: "missing-value-for-defaults",
        versions: "all",
        symptom: "a leaf at its default may be absent from what the device reports",
        evidence: Evidence::Document(PROFILES),
        product: "an absent leaf equals its default when compared",
        tests: &[],
    },
    Quirk {
        id: "aggregate-atomic-update",
        versions: "all",
        symptom: "lag-type is lost unless a Port-Channel and its members are in one Update at /interfaces",
        evidence: Evidence::Document(PROFILES),
        product: "a Port-Channel and its members are written in one Update",
        tests: &[],
    },
    Quirk {
        id: "vrf-before-address",
        versions: "all",
        symptom: "putting an interface into a VRF clears its addresses",
        evidence: Evidence::Document(PROFILES),
        product: "the VRF is written first, and moving an interface is planned as losing its addresses",
        tests: &[],
    },
    Quirk {
        id: "fixed-names",
        versions: "all",
        symptom: "the default instance is `default`, the BGP protocol `BGP`, static routes `STATIC`; other names are refused",
        evidence: Evidence::Document(PROFILES),
        product: "intent uses these names only",
        tests: &[],
    },
    Quirk {
        id: "tables-are-deleted-by-hand",
        versions: "all",
        symptom: "deleting an instance leaves its entries under tables",
        evidence: Evidence::Document(PROFILES),
        product: "a plan that deletes an instance deletes its tables explicitly",
        tests: &[],
    },
    Quirk {
        id: "implicit-entries",
        versions: "all",
        symptom: "VLAN 1, members of the default instance and one table per protocol are there without having been written",
        evidence: Evidence::Reported("public captures of cEOS 4.34"),
        product: "never taken for ours to delete",
        tests: &[],
    },
    Quirk {
        id: "static-index-is-its-own",
        versions: "4.34",
        symptom: "the index of a static route's next hop comes back as AUTO_1_172-16-0-254",
        evidence: Evidence::Reported("public captures of cEOS 4.34"),
        product: "next hops are matched by prefix and address, never by index",
        tests: &[],
    },
    Quirk {
        id: "virtual-mac-without-path",
        versions: "4.30.2F and later",
        symptom: "ip virtual-router mac-address has no node any more",
        evidence: Evidence::Model("arista-exp-eos-varp-net-inst, in 4.28.0F only"),
        product: "written through origin cli",
        tests: &["what_has_no_path"],
    },
    Quirk {
        id: "evpn-of-openconfig-not-supported",
        versions: "4.35.0F",
        symptom: "network-instance/evpn and connection-points are not-supported; EVPN instances are under /arista/eos/evpn",
        evidence: Evidence::Model(REPORT),
        product: "intent writes /arista/eos/evpn; the other is refused by validation",
        tests: &["what_eos_does_not_let_be_written_is_refused"],
    },
    Quirk {
        id: "replace-erases-cli-lines",
        versions: "all",
        symptom: "an OpenConfig update, merge or replace can erase lines that only the CLI has in the same place",
        evidence: Evidence::Document("aristanetworks/openmgmt, limitations"),
        product: "leaves and list entries are updated, containers never replaced; the running-config is compared around a Set",
        tests: &[],
    },
    Quirk {
        id: "set-is-not-saved",
        versions: "all; the knob since 4.28.0F",
        symptom: "a Set changes the running-config only, unless `operation set persistence` is configured",
        evidence: Evidence::Document("aristanetworks/openmgmt"),
        product: "the startup-config is saved after a verified apply, as asked for in the configuration",
        tests: &[],
    },
    Quirk {
        id: "old-timestamps",
        versions: "all; send-time since 4.27.0F",
        symptom: "timestamps are those of the last change, minutes or days old at the start of a stream; 0 for a subtree",
        evidence: Evidence::Document("aristanetworks/openmgmt"),
        product: "freshness is judged by the time of receipt",
        tests: &[],
    },
    Quirk {
        id: "eos-cli-origin",
        versions: "all",
        symptom: "update requests with an origin of \"eos_cli\" are not supported",
        evidence: Evidence::Reported("openconfig/ygnmi#173"),
        product: "the origin is spelled cli",
        tests: &[],
    },
    Quirk {
        id: "leafrefs-of-the-whole-tree",
        versions: "4.24.0F",
        symptom: "a Set fails with NotFound because a leafref elsewhere in the tree has no target",
        evidence: Evidence::Reported("karimra/gnmic#293"),
        product: "the device's message is shown with the path it names; nothing is retried",
        tests: &[],
    },
];

/// A quirk by its short name.
pub fn quirk(id: &str) -> Option<&'static Quirk> {
    QUIRKS.iter().find(|quirk| quirk.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    fn sources(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, text);
            } else if entry.extension().is_some_and(|ext| ext == "rs") {
                text.push_str(&std::fs::read_to_string(&entry).unwrap());
            }
        }
    }

    #[test]
    fn every_quirk_is_whole_and_its_tests_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        sources(&root.join("src"), &mut text);
        sources(&root.join("tests"), &mut text);
        let mut ids = HashSet::new();
        for quirk in QUIRKS {
            assert!(ids.insert(quirk.id), "{} twice", quirk.id);
            for part in [quirk.id, quirk.versions, quirk.symptom, quirk.product] {
                assert!(!part.is_empty(), "{}", quirk.id);
            }
            for test in quirk.tests {
                assert!(text.contains(&format!("fn {test}(")), "{}: no test {test}", quirk.id);
            }
            // What is said of the model is tested by us, here.
            assert!(!matches!(quirk.evidence, Evidence::Model(_)) || !quirk.tests.is_empty(), "{}", quirk.id);
        }
        assert_eq!(quirk("omit-l2-mtu").map(|quirk| quirk.id), Some("omit-l2-mtu"));
        assert_eq!(quirk("no-such"), None);
    }
}
