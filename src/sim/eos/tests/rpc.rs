//! The RPCs over TCP, with a plain generated client.

use super::*;
use crate::gnmi::wire::proto;
use crate::gnmi::wire::proto::g_nmi_client::GNmiClient;
use crate::gnmi::wire::proto::subscribe_request::Request as Asked;
use crate::gnmi::wire::proto::subscribe_response::Response as Said;
use crate::gnmi::wire::proto::typed_value::Value as Typed;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Request, Streaming};

pub(super) struct Talk {
    client: GNmiClient<Channel>,
    _running: Running,
}

pub(super) fn login<T>(message: T, password: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("username", "admin".parse().unwrap());
    request.metadata_mut().insert("password", password.parse().unwrap());
    request
}

pub(super) fn wire(text: &str) -> proto::Path {
    let path = path(text);
    convert::path_out(&path, "")
}

pub(super) fn json_update(at: &str, json: serde_json::Value) -> proto::Update {
    let val = proto::TypedValue { value: Some(Typed::JsonIetfVal(json.to_string().into_bytes().into())) };
    proto::Update { path: Some(wire(at)), val: Some(val), ..proto::Update::default() }
}

impl Talk {
    pub(super) async fn to(fabric: &Arc<Fabric>, device: &str) -> Self {
        let running = fabric.serve(device, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let client = GNmiClient::connect(format!("http://{}", running.address)).await.unwrap().max_decoding_message_size(usize::MAX);
        Self { client, _running: running }
    }

    pub(super) async fn get(&mut self, at: &str) -> Result<Vec<(String, serde_json::Value)>, tonic::Status> {
        let request =
            proto::GetRequest { path: vec![wire(at)], encoding: proto::Encoding::JsonIetf as i32, ..proto::GetRequest::default() };
        let answer = self.client.get(login(request, "admin")).await?.into_inner();
        let read = |update: proto::Update| {
            let path = convert::path_in(update.path.as_ref(), None).unwrap().to_string();
            let value = match update.val.unwrap().value.unwrap() {
                Typed::JsonIetfVal(bytes) => serde_json::from_slice(&bytes).unwrap(),
                Typed::StringVal(text) => json!(text),
                Typed::UintVal(number) => json!(number),
                Typed::BoolVal(value) => json!(value),
                other => json!(format!("{other:?}")),
            };
            (path, value)
        };
        Ok(answer.notification.into_iter().flat_map(|notification| notification.update).map(read).collect())
    }

    pub(super) async fn set(&mut self, request: proto::SetRequest) -> Result<proto::SetResponse, tonic::Status> {
        Ok(self.client.set(login(request, "admin")).await?.into_inner())
    }

    pub(super) async fn stream(&mut self, list: proto::SubscriptionList) -> Result<Streaming<proto::SubscribeResponse>, tonic::Status> {
        let first = proto::SubscribeRequest { request: Some(Asked::Subscribe(list)), extension: Vec::new() };
        let input = futures_util::StreamExt::chain(tokio_stream::iter([first]), futures_util::stream::pending());
        Ok(self.client.subscribe(login(input, "admin")).await?.into_inner())
    }
}

pub(super) fn subscribe(
    mode: proto::subscription_list::Mode,
    subscriptions: &[(&str, proto::SubscriptionMode, u64)],
) -> proto::SubscriptionList {
    let subscription = subscriptions.iter().map(|(at, kind, interval)| proto::Subscription {
        path: Some(wire(at)),
        mode: *kind as i32,
        sample_interval: *interval,
        ..proto::Subscription::default()
    });
    proto::SubscriptionList { subscription: subscription.collect(), mode: mode as i32, ..proto::SubscriptionList::default() }
}

/// `(full path, value)` and deletes of one message; `None` is the sync.
pub(super) async fn next(stream: &mut Streaming<proto::SubscribeResponse>) -> Option<(Vec<(String, Typed)>, Vec<String>)> {
    let message = tokio::time::timeout(std::time::Duration::from_secs(20), stream.message()).await.unwrap().unwrap().unwrap();
    match message.response.unwrap() {
        Said::Update(notification) => {
            let full = |path: Option<&proto::Path>| convert::path_in(path, notification.prefix.as_ref()).unwrap().to_string();
            let updates = notification.update.iter().map(|update| (full(update.path.as_ref()), update.val.clone().unwrap().value.unwrap()));
            Some((updates.collect(), notification.delete.iter().map(|path| full(Some(path))).collect()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn capabilities_and_login() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let answer = talk.client.capabilities(login(proto::CapabilityRequest::default(), "admin")).await.unwrap().into_inner();
    assert_eq!(answer.g_nmi_version, "0.7.0");
    assert!(answer.supported_models.len() > 100);
    assert_eq!(answer.supported_encodings, [0, 4, 3]);
    let denied = talk.client.capabilities(login(proto::CapabilityRequest::default(), "wrong")).await.unwrap_err();
    assert_eq!(denied.code(), Code::Unauthenticated);
    assert!(!denied.message().contains("wrong"), "never echo a password");
    let nobody = talk.client.capabilities(Request::new(proto::CapabilityRequest::default())).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn get_answers_in_the_shapes_of_eos() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let leaf = talk.get("/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu").await.unwrap();
    assert_eq!(leaf[0].1, json!(9214));
    let mode = talk.get("/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config").await.unwrap();
    assert_eq!(mode[0].1["openconfig-vlan:interface-mode"], json!("TRUNK"));
    let vlans = talk.get("/network-instances/network-instance[name=default]/vlans").await.unwrap();
    assert!(vlans[0].1["openconfig-network-instance:vlan"].as_array().unwrap().len() >= 4, "{vlans:?}");
    let wild = talk.get("/interfaces/interface[name=*]/config/description").await.unwrap();
    assert!(wild.iter().any(|(at, value)| at.contains("[name=Ethernet11]") && value == "spine1"), "keys are filled in");
    let partly =
        talk.get("/network-instances/network-instance[name=default]/protocols/protocol[name=BGP]/bgp/global/config/as").await.unwrap();
    assert_eq!(partly, [(format!("{BGP}/global/config/as"), json!(65001))]);
    let everywhere = talk.get("/.../router-id").await.unwrap();
    assert!(everywhere.len() >= 2, "{everywhere:?}");
    let root = talk.get("/").await.unwrap();
    assert_eq!(root[0].1["openconfig-system:system"]["config"]["hostname"], json!("leaf1"));
    let (leaves, issues) = schema().flatten_lossy(&Path::root(), &root[0].1);
    assert!(issues.is_empty() && leaves.len() > 800, "{} leaves, {:?}", leaves.len(), issues.first());
    assert_eq!(talk.get("/interfaces/interface[name=Ethernet99]/state/mtu").await.unwrap_err().code(), Code::NotFound);
    let unknown = talk.get("/interfaces/interfaze").await.unwrap_err();
    assert_eq!(
        (unknown.code(), unknown.message().contains("failed to access node \"interfaze\" in node \"interfaces\"")),
        (Code::InvalidArgument, true)
    );
}

#[tokio::test]
async fn a_set_is_all_or_nothing_and_streams_tell_both_ends() {
    let fabric = lab(Options::default());
    let mut leaf = Talk::to(&fabric, "leaf4").await;
    let mut spine = Talk::to(&fabric, "spine2").await;
    let changes = [
        ("/interfaces/interface/state/oper-status", proto::SubscriptionMode::OnChange, 0),
        (&format!("{BGP}/neighbors"), proto::SubscriptionMode::TargetDefined, 0),
    ];
    let mut stream = spine.stream(subscribe(proto::subscription_list::Mode::Stream, &changes)).await.unwrap();
    let mut first = 0;
    while let Some((updates, _)) = next(&mut stream).await {
        assert!((1..=9).contains(&updates.len()));
        first += updates.len();
    }
    assert!(first > 100, "{first}");

    let mut request = proto::SetRequest {
        update: vec![
            json_update("/interfaces/interface[name=Ethernet12]/config/enabled", json!(false)),
            json_update("/system/state/hostname", json!("x")),
        ],
        ..proto::SetRequest::default()
    };
    let refused = leaf.set(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert_eq!(
        super::value(&fabric, "leaf4", "/interfaces/interface[name=Ethernet12]/config/enabled"),
        Some(Value::Bool(true)),
        "nothing was applied"
    );
    request.update.pop();
    let done = leaf.set(request).await.unwrap();
    assert_eq!(done.response.len(), 1);
    assert!(done.timestamp > 1_600_000_000_000_000_000);
    let mut seen = Vec::new();
    while !seen.iter().any(|(at, value): &(String, Typed)| {
        at.contains("10.0.2.7") && at.ends_with("session-state") && *value == Typed::StringVal("ACTIVE".into())
    }) {
        let (updates, _) = next(&mut stream).await.unwrap();
        seen.extend(updates);
    }
    let down = ("/interfaces/interface[name=Ethernet4]/state/oper-status".to_owned(), Typed::StringVal("DOWN".into()));
    assert!(seen.contains(&down), "{seen:?}");
    let who = leaf.get("/system/session/history/state").await.unwrap();
    assert_eq!(who[0].1.to_string().matches("\"admin\"").count(), 1, "{who:?}");
}

#[tokio::test]
async fn deletes_name_the_whole_entry() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let changes = [("/network-instances/network-instance/vlans/vlan", proto::SubscriptionMode::OnChange, 0)];
    let mut stream = talk.stream(subscribe(proto::subscription_list::Mode::Stream, &changes)).await.unwrap();
    while next(&mut stream).await.is_some() {}
    let gone = "/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=40]";
    talk.set(proto::SetRequest { delete: vec![wire(gone)], ..proto::SetRequest::default() }).await.unwrap();
    let (updates, deletes) = next(&mut stream).await.unwrap();
    assert!(updates.is_empty());
    assert_eq!(deletes, [gone]);
}

#[tokio::test]
async fn one_bad_path_refuses_the_whole_subscription() {
    let fabric = lab(Options::default());
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let members = "/network-instances/network-instance/vlans/vlan/members/member/state";
    let list = subscribe(
        proto::subscription_list::Mode::Stream,
        &[("/interfaces", proto::SubscriptionMode::OnChange, 0), (members, proto::SubscriptionMode::OnChange, 0)],
    );
    let status = talk.stream(list).await.unwrap().message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(members), "{status}");
}

#[tokio::test]
async fn samples_move_and_once_ends() {
    let fabric = lab(Options { min_sample: std::time::Duration::from_millis(20), ..Options::default() });
    let mut talk = Talk::to(&fabric, "leaf1").await;
    let octets = "/interfaces/interface[name=Ethernet11]/state/counters/out-octets";
    let list = subscribe(proto::subscription_list::Mode::Stream, &[(octets, proto::SubscriptionMode::Sample, 50_000_000)]);
    let mut stream = talk.stream(list).await.unwrap();
    let mut values = Vec::new();
    while values.len() < 3 {
        if let Some((updates, _)) = next(&mut stream).await {
            values.extend(updates.into_iter().map(|(_, value)| match value {
                Typed::UintVal(number) => number,
                other => panic!("{other:?}"),
            }));
        }
    }
    assert!(values[0] < values[1] && values[1] < values[2], "{values:?}");
    let mut once = talk
        .stream(subscribe(proto::subscription_list::Mode::Once, &[("/system", proto::SubscriptionMode::TargetDefined, 0)]))
        .await
        .unwrap();
    let mut count = 0;
    while let Some((updates, _)) = next(&mut once).await {
        count += updates.len();
    }
    assert!(count > 10);
    assert!(once.message().await.unwrap().is_none(), "ONCE ends after the sync");
}
