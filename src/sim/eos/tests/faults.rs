//! Faults, commit-confirmed, TLS, and the habits of EOS.

use super::rpc::{Talk, json_update, login, next, subscribe, wire};
use super::*;
use crate::gnmi::wire::gnmi_ext;
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::g_nmi_client::GNmiClient;
use crate::gnmi::wire::proto::subscription_list::Mode;
use serde_json::json;
use std::time::Duration;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

const DESCRIPTION: &str = "/interfaces/interface[name=Ethernet1]/config/description";

fn describe(text: &str) -> proto::SetRequest {
    proto::SetRequest { update: vec![json_update(DESCRIPTION, json!(text))], ..proto::SetRequest::default() }
}

fn commit(id: &str, action: gnmi_ext::commit::Action) -> Vec<gnmi_ext::Extension> {
    let commit = gnmi_ext::Commit { id: id.into(), action: Some(action) };
    vec![gnmi_ext::Extension { ext: Some(gnmi_ext::extension::Ext::Commit(commit)) }]
}

fn seconds(nanos: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 0, nanos })
}

#[tokio::test]
async fn a_broken_connection_leaves_the_set_done_or_not_done() {
    let fabric = lab(Options::default());
    for (fault, wanted) in [(SetFault::DropBefore, "host1"), (SetFault::DropAfter, "new")] {
        let mut talk = Talk::to(&fabric, "leaf1").await;
        let device = fabric.device("leaf1").unwrap();
        device.with_faults(|faults| (faults.set, faults.set_times) = (fault.clone(), 1));
        let error = talk.set(describe("new")).await.unwrap_err();
        assert!(matches!(error.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled), "{error:?}");
        assert_eq!(device.value(&path(DESCRIPTION)), Some(Value::str(wanted)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_commit_that_is_not_confirmed_is_undone() {
    use gnmi_ext::commit::Action;
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let armed = |nanos| Action::Commit(gnmi_ext::CommitRequest { rollback_duration: seconds(nanos) });
    let request = |text: &str, extension| proto::SetRequest { extension, ..describe(text) };
    talk.set(request("kept", commit("a", armed(500_000_000)))).await.unwrap();
    assert_eq!(talk.set(describe("other")).await.unwrap_err().code(), Code::FailedPrecondition);
    let confirm =
        |id| proto::SetRequest { extension: commit(id, Action::Confirm(gnmi_ext::CommitConfirm {})), ..proto::SetRequest::default() };
    assert_eq!(talk.set(confirm("b")).await.unwrap_err().code(), Code::InvalidArgument);
    talk.set(confirm("a")).await.unwrap();
    assert_eq!(talk.set(confirm("a")).await.unwrap_err().code(), Code::FailedPrecondition);

    let mut stream = talk.stream(subscribe(Mode::Stream, &[(DESCRIPTION, proto::SubscriptionMode::OnChange, 0)])).await.unwrap();
    while next(&mut stream).await.is_some() {}
    talk.set(request("lost", commit("c", armed(100_000_000)))).await.unwrap();
    let (first, _) = next(&mut stream).await.unwrap();
    let (second, _) = next(&mut stream).await.unwrap();
    assert!(format!("{first:?}").contains("lost") && format!("{second:?}").contains("kept"), "{first:?} {second:?}");
}

#[tokio::test]
async fn logins_paths_and_leaves_can_be_made_to_fail() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let fault = |json| fabric.apply_event(&Event { device: "leaf1".into(), fault: Some(json), ..Event::default() }).unwrap();
    fault(json!({"discard": [DESCRIPTION]}));
    talk.set(describe("new")).await.unwrap();
    assert_eq!(super::value(&fabric, "leaf1", DESCRIPTION), Some(Value::str("host1")), "accepted, not retained");
    fault(json!({"discard": [], "set": {"refuse": {"code": 10, "message": "busy"}}, "set_times": 1}));
    assert_eq!(talk.set(describe("new")).await.unwrap_err().code(), Code::Aborted);
    talk.set(describe("new")).await.unwrap();
    fault(json!({"deny_set": true, "refuse_get": ["/system"]}));
    assert_eq!(talk.set(describe("new")).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(talk.get("/system/config/hostname").await.is_err());
    assert!(talk.get("/interfaces/interface[name=Ethernet1]/config").await.is_ok());
    fault(json!({"never_sync": true, "eof_after": 3}));
    let mut stream = talk.stream(subscribe(Mode::Stream, &[("/interfaces", proto::SubscriptionMode::OnChange, 0)])).await.unwrap();
    for _ in 0..3 {
        stream.message().await.unwrap().unwrap();
    }
    let end = stream.message().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unknown, "EOF"));
    fault(json!({"deny_login": true}));
    let mut again = Talk::to(&fabric, "leaf1").await;
    assert_eq!(again.get("/system").await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_reboot_breaks_streams_and_forgets_what_was_not_saved() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    talk.set(describe("unsaved")).await.unwrap();
    let mut stream =
        talk.stream(subscribe(Mode::Stream, &[("/system/state/boot-time", proto::SubscriptionMode::OnChange, 0)])).await.unwrap();
    while next(&mut stream).await.is_some() {}
    fabric.power_off("leaf1");
    assert!(stream.message().await.is_err());
    assert!(talk.get("/system").await.is_err(), "nobody answers while it is down");
    fabric.power_on("leaf1", false);
    let mut reached = talk.get(DESCRIPTION).await;
    for _ in 0..50 {
        if reached.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        reached = talk.get(DESCRIPTION).await;
    }
    assert_eq!(reached.unwrap()[0].1, json!("host1"));
}

#[tokio::test]
async fn hostile_strings_are_carried_as_they_are() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let hostile = "a\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{202e}b";
    talk.set(describe(hostile)).await.unwrap();
    assert_eq!(talk.get(DESCRIPTION).await.unwrap()[0].1, json!(hostile));
}

#[test]
fn the_habits_of_eos_bite_and_can_be_switched_off() {
    let fabric = lab(Options::default());
    // A new Port-Channel with its member in another Update loses its type; in one Update it keeps it.
    let lag = |name: &str| json!({"name": name, "config": {"name": name, "type": "iana-if-type:ieee8023adLag"}, "openconfig-if-aggregate:aggregation": {"config": {"lag-type": "LACP"}}});
    let member = json!({"name": "Ethernet1", "openconfig-if-ethernet:ethernet": {"config": {"openconfig-if-aggregate:aggregate-id": "Port-Channel7"}}});
    let kind = "/interfaces/interface[name=Port-Channel7]/aggregation/config/lag-type";
    let apart = [
        update("/interfaces/interface[name=Port-Channel7]", lag("Port-Channel7")),
        update("/interfaces/interface[name=Ethernet1]", member.clone()),
    ];
    set(&fabric, "leaf1", &apart).unwrap();
    assert_eq!(super::value(&fabric, "leaf1", kind), None);
    let other = lab(Options::default());
    set(&other, "leaf1", &[update("/interfaces", json!({"interface": [lag("Port-Channel7"), member]}))]).unwrap();
    assert_eq!(super::value(&other, "leaf1", kind), Some(Value::str("LACP")));
    // Another VRF takes the addresses away, unless they come after it.
    let address = "/interfaces/interface[name=Vlan78]/routed-vlan/ipv4/addresses/address[ip=10.78.78.3]/config/prefix-length";
    let leave = [Op::Delete(path("/network-instances/network-instance[name=gold]/interfaces/interface[id=Vlan78]"))];
    set(&fabric, "leaf8", &leave).unwrap();
    assert_eq!(super::value(&fabric, "leaf8", address), None);
    let entry = "/interfaces/interface[name=Vlan78]/routed-vlan/ipv4/addresses/address[ip=10.78.78.3]";
    let join = update(
        "/network-instances/network-instance[name=gold]/interfaces/interface[id=Vlan78]",
        json!({"config": {"id": "Vlan78", "interface": "Vlan78"}}),
    );
    set(&fabric, "leaf8", &[join, update(entry, json!({"config": {"ip": "10.78.78.3", "prefix-length": 24}}))]).unwrap();
    assert_eq!(super::value(&fabric, "leaf8", address), Some(Value::Uint(24)));
    // An empty entry cannot replace one; a replaced leaf-list is exactly what was said.
    let refused = set(&fabric, "leaf8", &[Op::Replace(path("/interfaces/interface[name=Vlan78]"), Payload::Json(json!({})))]).unwrap_err();
    assert_eq!(refused.code, Code::InvalidArgument);
}

/// A certificate authority, and a certificate of it for `name`.
fn certificate(authority: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>, name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn tls_wants_a_client_certificate_when_told_to() {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let (server, key) = certificate(&authority, "leaf1");
    let fabric = lab(Options::default());
    let tls = Tls { certificate: server, key, client_authority: Some(authority.pem()) };
    let running = fabric.serve_with("leaf1", "127.0.0.1:0".parse().unwrap(), Some(tls)).await.unwrap();
    let trust = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem())).domain_name("leaf1");
    let (mine, mine_key) = certificate(&authority, "client");
    for (config, welcome) in [(trust.clone().identity(Identity::from_pem(mine, mine_key)), true), (trust, false)] {
        let endpoint = Channel::from_shared(format!("https://{}", running.address)).unwrap().tls_config(config).unwrap();
        let answer = match endpoint.connect().await {
            Ok(channel) => {
                GNmiClient::new(channel).capabilities(login(proto::CapabilityRequest::default(), "admin")).await.map_err(|e| e.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(answer.is_ok(), welcome, "{answer:?}");
    }
    assert!(
        GNmiClient::connect(format!("http://{}", running.address)).await.is_err() || {
            let mut plain = GNmiClient::connect(format!("http://{}", running.address)).await.unwrap();
            plain.capabilities(login(proto::CapabilityRequest::default(), "admin")).await.is_err()
        }
    );
    _ = wire("/");
}

/// Serves the lab until killed, for clients in other languages: prints one JSON line. `SIM_EOS_SCENARIO` may name a script.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "serves until killed"]
async fn serve_the_lab() {
    let fabric = lab(Options { counters: Duration::from_secs(1), ..Options::default() });
    let mut running = Vec::new();
    for device in fabric.devices() {
        running.push((device.name.clone(), fabric.serve(&device.name, "127.0.0.1:0".parse().unwrap()).await.unwrap()));
    }
    let devices: Vec<_> = running.iter().map(|(name, running)| json!({"name": name, "address": running.address.to_string()})).collect();
    println!("{}", json!({"devices": devices}));
    if let Ok(script) = std::env::var("SIM_EOS_SCENARIO") {
        fabric.apply_scenario_json(&std::fs::read_to_string(script).unwrap()).unwrap();
    }
    std::future::pending::<()>().await;
}
