//! What NetBox can say of a fabric beyond the reference one, edited into the simulated NetBox and read back every way there is:
//! by REST, by GraphQL, and along the change log. All three must want the same leaves and find the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::LazyLock;

use fabric_orchestrator::intent::{Fabric, map};
use fabric_orchestrator::netbox::{Client, GraphQl, Read, Settings, Touched};
use fabric_orchestrator::sim::netbox::load::Files;
use fabric_orchestrator::sim::netbox::server::{Running, Server};
use fabric_orchestrator::tree::Paths;
use fabric_orchestrator::yang::Schema;
use serde_json::{Value, json};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::eos().unwrap());

fn files() -> Files {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
    };
    std::fs::read_dir(FilePath::new(env!("CARGO_MANIFEST_DIR")).join("lab/netbox")).unwrap().map(read).collect()
}

/// Desired leaves of every device as text, and what was found.
type Wanted = BTreeMap<String, BTreeMap<String, String>>;

fn leaves(fabric: &Fabric) -> Wanted {
    let paths = Paths::new();
    let mapped = |name: &str| {
        let desired = map::desired(fabric, &SCHEMA, name, &paths);
        desired.tree.sorted().into_iter().map(|(path, leaf)| (path.to_string(), leaf.value.to_string())).collect()
    };
    fabric.devices.iter().map(|device| (device.name.to_string(), mapped(&device.name))).collect()
}

/// `code device` of every finding that is not one of the reference fabric, mapping included.
fn found(fabric: &Fabric) -> Vec<String> {
    let paths = Paths::new();
    let mut all = fabric.findings.clone();
    for device in &fabric.devices {
        let own = map::desired(fabric, &SCHEMA, &device.name, &paths).findings;
        all.extend(own.into_iter().filter(|finding| !fabric.findings.contains(finding)));
    }
    let mut rows: Vec<String> =
        all.iter().map(|finding| format!("{} {}", finding.code, finding.device.as_deref().unwrap_or("-"))).collect();
    rows.sort();
    rows.dedup();
    rows
}

/// A NetBox with the reference fabric, and what was wanted before it was edited.
struct World {
    netbox: Running,
    settings: Settings,
    follower: Client,
    before: Wanted,
    known: Vec<String>,
}

/// What an edit brought: `-path value` and `+path value` by device, and new findings.
struct Effect {
    rows: BTreeMap<String, Vec<String>>,
    found: Vec<String>,
    read: Read,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(shape: impl Fn(&mut Settings)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have
        let netbox = Server::start(&files(), SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let mut settings = Settings::new(&netbox.url, netbox.token.clone().into());
        shape(&mut settings);
        let follower = Client::new(settings.clone()).unwrap();
        let read = follower.read(|_| {}).await.unwrap();
        Self { before: leaves(&read.fabric), known: found(&read.fabric), netbox, settings, follower }
    }

    /// One edit through the API; the object as NetBox has it then.
    async fn write(&self, method: &str, path: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/{path}", self.netbox.url);
        let call = client.request(method.parse().unwrap(), url).bearer_auth(&self.netbox.token).json(&body);
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The id of the one object a query finds.
    async fn id(&self, path: &str) -> u64 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}/api/{path}", self.netbox.url)).bearer_auth(&self.netbox.token).send().await.unwrap();
        let list: Value = answer.json().await.unwrap();
        assert_eq!(list["count"], 1, "{path}: {list}");
        list["results"][0]["id"].as_u64().unwrap()
    }

    /// What is wanted now, read in all ways, against what was wanted at first.
    async fn effect(&self) -> Effect {
        let mut reads = Vec::new();
        for way in [GraphQl::Never, GraphQl::Always] {
            let client = Client::new(Settings { graphql: way, ..self.settings.clone() }).unwrap();
            reads.push(client.read(|_| {}).await.unwrap());
        }
        let (rest, graphql) = (&reads[0], &reads[1]);
        let after = leaves(&rest.fabric);
        assert_eq!((&after, found(&rest.fabric)), (&leaves(&graphql.fabric), found(&graphql.fabric)), "REST and GraphQL");
        assert_eq!(rest.objects, graphql.objects, "REST and GraphQL");
        let followed = self.follower.follow(|_| {}).await.unwrap().expect("an edit that matters");
        assert_eq!((&after, found(&rest.fabric)), (&leaves(&followed.fabric), found(&followed.fabric)), "the change log");
        let mut rows = BTreeMap::new();
        for (name, now) in &after {
            let nothing = BTreeMap::new();
            let old = self.before.get(name).unwrap_or(&nothing);
            let gone = old.iter().filter(|(path, value)| now.get(*path) != Some(value)).map(|(path, value)| format!("-{path} {value}"));
            let came = now.iter().filter(|(path, value)| old.get(*path) != Some(value)).map(|(path, value)| format!("+{path} {value}"));
            let moved: Vec<String> = gone.chain(came).collect();
            if !moved.is_empty() {
                if let Touched::Only(names) = &followed.touched {
                    assert!(names.contains(name.as_str()), "{name} moved, and only {names:?} are said to be touched: {moved:?}");
                }
                rows.insert(name.clone(), moved);
            }
        }
        let found = found(&rest.fabric).into_iter().filter(|row| !self.known.contains(row)).collect();
        Effect { rows, found, read: followed }
    }
}

const GATEWAY: &str = "/arista/varp/config/varp-intf-config[intf-id=Vlan34]/virtual-ip-addr";
const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

fn has(effect: &Effect, device: &str, row: &str) {
    let rows = effect.rows.get(device).cloned().unwrap_or_default();
    assert!(rows.iter().any(|have| have == row), "{device}: {row} is not among {rows:#?}");
}

#[tokio::test]
async fn a_gateway_may_be_an_fhrp_group() {
    let world = World::new().await;
    // The pair's gateway as an FHRP group instead of one address a member.
    for id in [39, 48] {
        world.write("DELETE", &format!("ipam/ip-addresses/{id}/"), Value::Null).await;
    }
    let gone = world.effect().await;
    assert_eq!(gone.rows["leaf3"], [format!("-{GATEWAY}[virtual-ip-addr-key=10.34.34.1/32]/virtual-ip-addr-value true")]);
    let group = world.write("POST", "ipam/fhrp-groups/", json!({"protocol": "other", "group_id": 34, "name": "gw-34"})).await["id"].clone();
    let address = json!({"address": "10.34.34.1/24", "assigned_object_type": "ipam.fhrpgroup", "assigned_object_id": group});
    let address = world.write("POST", "ipam/ip-addresses/", address).await["id"].clone();
    for svi in [42, 52] {
        let body = json!({"group": group, "interface_type": "dcim.interface", "interface_id": svi, "priority": 100});
        world.write("POST", "ipam/fhrp-group-assignments/", body).await;
    }
    let same = world.effect().await;
    assert!(same.rows.is_empty() && same.found.is_empty(), "{:#?} {:?}", same.rows, same.found);
    let held: Vec<_> = same.read.fabric.addresses.iter().filter(|held| held.id == address).collect();
    assert_eq!(held.len(), 2, "one a member");
    let origin = &held[0].origin;
    assert_eq!((origin.user.as_deref(), origin.url.ends_with(&format!("/ipam/ip-addresses/{address}/"))), (Some("admin"), true));

    // Another address on the group, another protocol, a member less.
    world.write("PATCH", &format!("ipam/ip-addresses/{address}/"), json!({"address": "10.34.34.254/24"})).await;
    let moved = world.effect().await;
    assert_eq!(moved.rows.keys().collect::<Vec<_>>(), ["leaf3", "leaf4"]);
    has(&moved, "leaf4", &format!("+{GATEWAY}[virtual-ip-addr-key=10.34.34.254/32]/virtual-ip-addr-value true"));
    let paths: Vec<&str> = moved.read.calls.iter().map(|call| call.url.as_str()).collect();
    assert_ne!(moved.read.touched, Touched::All, "{paths:#?}");
    world.write("PATCH", &format!("ipam/fhrp-groups/{group}/"), json!({"protocol": "vrrp3"})).await;
    assert_eq!(world.effect().await.found, ["gateway-protocol leaf3"]);
    world.write("PATCH", &format!("ipam/fhrp-groups/{group}/"), json!({"protocol": "hsrp"})).await;
    let refused = world.effect().await;
    assert_eq!(refused.found, ["unmapped-gateway leaf3", "unmapped-gateway leaf4"]);
    world.write("PATCH", &format!("ipam/fhrp-groups/{group}/"), json!({"protocol": "other"})).await;
    let of_leaf4 = world.id("ipam/fhrp-group-assignments/?device=leaf4").await;
    world.write("DELETE", &format!("ipam/fhrp-group-assignments/{of_leaf4}/"), Value::Null).await;
    let alone = world.effect().await;
    assert!(alone.found.contains(&"pair-differs leaf3".to_owned()), "{:?}", alone.found);
    assert_eq!(alone.rows["leaf4"], [format!("-{GATEWAY}[virtual-ip-addr-key=10.34.34.1/32]/virtual-ip-addr-value true")]);
}

#[tokio::test]
async fn a_gateway_without_own_addresses_is_ip_address_virtual() {
    let world = World::new().await;
    world.write("DELETE", "ipam/ip-addresses/38/", Value::Null).await;
    let half = world.effect().await;
    assert!(half.found.contains(&"gateway-without-address leaf3".to_owned()), "{:?}", half.found);
    world.write("DELETE", "ipam/ip-addresses/47/", Value::Null).await;
    let whole = world.effect().await;
    assert!(whole.found.is_empty(), "{:?}", whole.found);
    for device in ["leaf3", "leaf4"] {
        let virtual_address = "/interfaces/interface[name=Vlan34]/arista-varp/virtual-address/config";
        has(&whole, device, &format!("+{virtual_address}/ip 10.34.34.1"));
        has(&whole, device, &format!("+{virtual_address}/prefix-length 24"));
        has(&whole, device, &format!("-{GATEWAY}[virtual-ip-addr-key=10.34.34.1/32]/virtual-ip-addr-value true"));
    }
}

#[tokio::test]
async fn addresses_may_be_secondary_of_ipv6_or_say_the_vrf() {
    let world = World::new().await;
    let on = |address: &str, more: Value| {
        let mut body = json!({"address": address, "assigned_object_type": "dcim.interface", "assigned_object_id": 42});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        body
    };
    let vrf = world.id("ipam/vrfs/?name=gold").await;
    world.write("POST", "ipam/ip-addresses/", on("10.35.35.2/24", json!({"role": "secondary", "vrf": vrf}))).await;
    world.write("POST", "ipam/ip-addresses/", on("2001:db8:34::1/64", json!({"role": "anycast", "vrf": vrf}))).await;
    let effect = world.effect().await;
    let interface = "/interfaces/interface[name=Vlan34]/routed-vlan/ipv4/addresses/address[ip=10.35.35.2]/config";
    has(&effect, "leaf3", &format!("+{interface}/type SECONDARY"));
    let gateway = "/arista/varp/config/varp-intf-config[intf-id=Vlan34]/virtual-ip6-addr[virtual-ip6-addr-key=2001:db8:34::1]";
    has(&effect, "leaf3", &format!("+{gateway}/virtual-ip6-addr-value true"));
    assert!(!effect.found.iter().any(|row| row.starts_with("several-addresses")), "{:?}", effect.found);

    // An interface whose VRF only its addresses say.
    let world = World::new().await;
    world.write("PATCH", "dcim/interfaces/42/", json!({"vrf": null})).await;
    let gateway = world.write("PATCH", "ipam/ip-addresses/38/", json!({"description": "own"})).await;
    assert_eq!(gateway["vrf"]["id"], vrf);
    assert!(world.effect().await.rows.is_empty());
    world.write("PATCH", "ipam/ip-addresses/38/", json!({"vrf": null})).await;
    assert!(world.effect().await.found.contains(&"vrf-differs leaf3".to_owned()), "addresses of two VRFs say none");
}

#[tokio::test]
async fn sessions_may_listen_on_a_range_and_filter_by_prefix_lists() {
    let world = World::new().await;
    let session = json!({
        "name": "leaf1-servers", "device": world.id("dcim/devices/?name=leaf1").await, "status": "active", "local_address": 24,
        "remote_prefix": world.write("POST", "ipam/prefixes/", json!({"prefix": "10.77.0.0/24"})).await["id"],
        "local_as": world.id("ipam/asns/?asn=65001").await, "remote_as": world.id("ipam/asns/?asn=65000").await, "peer_group": 2,
    });
    world.write("POST", "plugins/bgp/session/", session).await;
    let range = format!("+{BGP}/global/dynamic-neighbor-prefixes/dynamic-neighbor-prefix[prefix=10.77.0.0/24]/config");
    let effect = world.effect().await;
    assert_eq!(
        effect.rows["leaf1"],
        [format!("{range}/peer-group underlay"), format!("{range}/prefix 10.77.0.0/24"), format!("{range}/remote-as 65000")]
    );
    assert!(effect.found.is_empty(), "{:?}", effect.found);

    let world = World::new().await;
    let list = world.write("POST", "plugins/bgp/prefix-list/", json!({"name": "PL-IN", "family": "ipv4"})).await["id"].clone();
    let rule = json!({"prefix_list": list, "index": 10, "action": "permit", "prefix_custom": "10.0.0.0/8", "ge": 24, "le": 32});
    world.write("POST", "plugins/bgp/prefix-list-rule/", rule).await;
    world.write("PATCH", "plugins/bgp/session/33/", json!({"prefix_list_in": list})).await;
    world.write("PATCH", "plugins/bgp/peer-group/4/", json!({"prefix_list_out": list})).await;
    let effect = world.effect().await;
    let line = "cli:/running-config/line[command=neighbor";
    let family = "[context=router bgp 65001 / address-family ipv4]";
    has(&effect, "leaf1", &format!("+{line} 10.0.1.0 prefix-list PL-IN in]{family} "));
    has(&effect, "leaf1", &format!("+{line} evpn prefix-list PL-IN out]{family} "));
    let set = "/routing-policy/defined-sets/prefix-sets/prefix-set[name=PL-IN]";
    has(&effect, "leaf8", &format!("+{set}/prefixes/prefix[ip-prefix=10.0.0.0/8][masklength-range=24..32]/config/ip-prefix 10.0.0.0/8"));

    // A rule that denies cannot be in a prefix set: then all of the list goes as lines.
    let rule = json!({"prefix_list": list, "index": 5, "action": "deny", "prefix_custom": "10.9.0.0/16", "le": 32});
    world.write("POST", "plugins/bgp/prefix-list-rule/", rule).await;
    let effect = world.effect().await;
    let lines: Vec<&String> = effect.rows["leaf2"].iter().filter(|row| row.contains("ip prefix-list PL-IN")).collect();
    assert_eq!(
        lines,
        [
            "+cli:/running-config/line[command=seq 10][context=ip prefix-list PL-IN] permit 10.0.0.0/8 ge 24 le 32",
            "+cli:/running-config/line[command=seq 5][context=ip prefix-list PL-IN] deny 10.9.0.0/16 le 32"
        ]
    );
    assert!(!effect.rows["leaf2"].iter().any(|row| row.contains("prefix-set")), "{:?}", effect.rows["leaf2"]);
    assert!(effect.found.is_empty(), "{:?}", effect.found);
}

#[tokio::test]
async fn route_maps_set_what_the_command_line_sets() {
    let world = World::new().await;
    let policy = world.write("POST", "plugins/bgp/routing-policy/", json!({"name": "RM-OUT"})).await["id"].clone();
    let set = json!({
        "local-preference": 200, "metric": "50", "community": "65000:100 65000:200 additive", "as-path-prepend": "65001 65001", "origin": "igp",
        "next_hop": "10.0.0.9",
    });
    let rule = json!({"routing_policy": policy, "index": 10, "action": "permit", "set_actions": set, "continue_entry": 20});
    let rule = world.write("POST", "plugins/bgp/routing-policy-rule/", rule).await["id"].clone();
    world.write("PATCH", "plugins/bgp/session/33/", json!({"export_policies": [policy]})).await;
    let effect = world.effect().await;
    let statement = "+/routing-policy/policy-definitions/policy-definition[name=RM-OUT]/statements/statement[name=10]";
    let actions = format!("{statement}/actions/bgp-actions");
    let block = "[context=route-map RM-OUT permit 10]";
    for row in [
        format!("{statement}/actions/config/policy-result ACCEPT_ROUTE"),
        format!("{actions}/config/set-local-pref 200"),
        format!("{actions}/config/set-med 50"),
        format!("{actions}/config/set-next-hop 10.0.0.9"),
        format!("{actions}/config/set-route-origin IGP"),
        format!("{actions}/set-as-path-prepend/config/asn 65001"),
        format!("{actions}/set-as-path-prepend/config/repeat-n 2"),
        format!("+cli:/running-config/line[command=set community]{block} 65000:100 65000:200 additive"),
        format!("+cli:/running-config/line[command=continue]{block} 20"),
    ] {
        has(&effect, "leaf1", &row);
    }
    assert!(effect.found.is_empty(), "{:?}", effect.found);
    world.write("PATCH", &format!("plugins/bgp/routing-policy-rule/{rule}/"), json!({"set_actions": {"weight": 5}})).await;
    assert_eq!(world.effect().await.found, ["unmapped-policy leaf1"]);
}

#[tokio::test]
async fn an_ospf_underlay_is_one_line_of_context() {
    let world = World::new().await;
    let context = json!({
        "name": "ospf", "weight": 3000, "is_active": true, "tags": ["evpn-fabric"],
        "data": {"ospf": [{"process": 1, "max_lsa": 12000, "links": {"area": 0, "network_type": "point-to-point"},
            "networks": [{"prefix": "192.168.0.0/16", "area": "0.0.0.1"}], "passive_interfaces": ["default"]}]},
    });
    world.write("POST", "extras/config-contexts/", context).await;
    let effect = world.effect().await;
    assert_eq!(effect.rows.len(), 10);
    let ospf = "+/network-instances/network-instance[name=default]/protocols/protocol[identifier=OSPF][name=1]";
    let area = format!("{ospf}/ospfv2/areas/area[identifier=0.0.0.0]");
    for row in [
        format!("{ospf}/ospfv2/global/config/router-id 10.0.250.11"),
        format!("{area}/config/identifier 0.0.0.0"),
        format!("{area}/interfaces/interface[id=Ethernet11]/config/network-type POINT_TO_POINT_NETWORK"),
        format!("{area}/interfaces/interface[id=Loopback0]/config/passive true"),
        "+cli:/running-config/line[command=network 192.168.0.0/16 area 0.0.0.1][context=router ospf 1] ".to_owned(),
        "+cli:/running-config/line[command=max-lsa][context=router ospf 1] 12000".to_owned(),
    ] {
        has(&effect, "leaf1", &row);
    }
    assert!(!effect.rows["leaf1"].iter().any(|row| row.contains("[id=Ethernet1]")), "a member of a Port-Channel routes nothing");
    assert!(effect.found.is_empty(), "{:?}", effect.found);
}

#[tokio::test]
async fn roles_are_what_the_settings_say_of_device_roles() {
    let world = World::with(|settings| settings.roles = [("leaf".to_owned(), "border".to_owned())].into()).await;
    let read = world.follower.read(|_| {}).await.unwrap();
    let roles: Vec<&str> = read.fabric.devices.iter().map(|device| device.role.word()).collect();
    assert_eq!(roles.iter().filter(|role| **role == "border").count(), 8);
    assert_eq!(roles.iter().filter(|role| **role == "spine").count(), 2);
    assert!(read.fabric.devices.iter().all(|device| device.role.is_edge() != device.role.is_transit()));
}

#[tokio::test]
async fn a_saved_filter_chooses_the_fabric() {
    let world = World::with(|settings| settings.graphql = GraphQl::Auto).await;
    let filter = json!({
        "name": "Only the pair", "slug": "only-the-pair", "object_types": ["dcim.device"],
        "parameters": {"role": ["leaf"], "name": ["leaf3", "leaf4"], "q": [""]},
    });
    let id = world.write("POST", "extras/saved-filters/", filter).await["id"].clone();
    let with = |name: &str, way: GraphQl| {
        let filter = Some(name.to_owned());
        Client::new(Settings { filter, graphql: way, ..world.settings.clone() }).unwrap()
    };
    for (name, way) in [("only-the-pair", GraphQl::Never), ("Only the pair", GraphQl::Always)] {
        let client = with(name, way);
        let read = client.read(|_| {}).await.unwrap();
        let names: Vec<&str> = read.fabric.devices.iter().map(|device| &*device.name).collect();
        assert_eq!(names, ["leaf3", "leaf4"], "{way:?}");
        assert!(read.fabric.interfaces.iter().all(|interface| read.fabric.device_by_id(interface.device).is_some()));
        let own = leaves(&read.fabric);
        assert_eq!((&own["leaf3"], &own["leaf4"]), (&world.before["leaf3"], &world.before["leaf4"]), "{way:?}");
    }
    // Along the change log: the filter itself, and a device it lets through or no more.
    let client = with("only-the-pair", GraphQl::Never);
    client.read(|_| {}).await.unwrap();
    let parameters = json!({"parameters": {"role": ["leaf"], "name": ["leaf3", "leaf4", "leaf5"]}});
    world.write("PATCH", &format!("extras/saved-filters/{id}/"), parameters).await;
    assert_eq!(client.follow(|_| {}).await.unwrap().unwrap().fabric.devices.len(), 3);
    let leaf5 = world.id("dcim/devices/?name=leaf5").await;
    let spine = world.id("dcim/device-roles/?slug=spine").await;
    world.write("PATCH", &format!("dcim/devices/{leaf5}/"), json!({"role": spine})).await;
    assert_eq!(client.follow(|_| {}).await.unwrap().unwrap().fabric.devices.len(), 2);
    // Who uses no filter is not bothered by one.
    assert!(world.follower.follow(|_| {}).await.unwrap().is_some(), "leaf5 became a spine");
    world.write("PATCH", &format!("extras/saved-filters/{id}/"), json!({"weight": 7})).await;
    assert!(world.follower.follow(|_| {}).await.unwrap().is_none());

    for (body, words) in [
        (json!({"object_types": ["dcim.site"]}), "not for devices"),
        (json!({"object_types": ["dcim.device"], "enabled": false}), "disabled"),
        (json!({"enabled": true, "parameters": {"q": [""]}}), "no parameters"),
    ] {
        world.write("PATCH", &format!("extras/saved-filters/{id}/"), body).await;
        let error = with("only-the-pair", GraphQl::Never).read(|_| {}).await.unwrap_err();
        assert_eq!(error.code(), "filter");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = with("nobody", GraphQl::Never).read(|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("there is none"), "{error}");
}

#[tokio::test]
async fn subinterfaces_have_a_tag_a_vrf_and_a_routed_port() {
    let world = World::new().await;
    let leaf3 = world.id("dcim/devices/?name=leaf3").await;
    let vrf = world.id("ipam/vrfs/?name=gold").await;
    let port = world.write("POST", "dcim/interfaces/", json!({"device": leaf3, "name": "Ethernet5", "type": "10gbase-x-sfpp"})).await["id"]
        .clone();
    let sub = |name: &str, tag: Value| json!({"device": leaf3, "name": name, "type": "virtual", "parent": port, "vrf": vrf, "custom_fields": {"dot1q_vlan": tag}});
    let made = world.write("POST", "dcim/interfaces/", sub("Ethernet5.100", json!(100))).await["id"].clone();
    let address = json!({"address": "10.100.0.1/30", "vrf": vrf, "assigned_object_type": "dcim.interface", "assigned_object_id": made});
    world.write("POST", "ipam/ip-addresses/", address).await;
    let effect = world.effect().await;
    let place = "+/interfaces/interface[name=Ethernet5]/subinterfaces/subinterface[index=100]";
    let member = "+/network-instances/network-instance[name=gold]/interfaces/interface[id=Ethernet5.100]/config";
    for row in [
        format!("{place}/config/enabled true"),
        format!("{place}/vlan/match/single-tagged/config/vlan-id 100"),
        format!("{place}/ipv4/addresses/address[ip=10.100.0.1]/config/prefix-length 30"),
        format!("{member}/interface Ethernet5"),
        format!("{member}/subinterface 100"),
    ] {
        has(&effect, "leaf3", &row);
    }
    assert!(effect.found.is_empty(), "{:?}", effect.found);
    world.write("POST", "dcim/interfaces/", sub("Ethernet5.200", json!(100))).await;
    world.write("POST", "dcim/interfaces/", sub("Ethernet5.300", Value::Null)).await;
    world.write("PATCH", &format!("dcim/interfaces/{port}/"), json!({"mode": "access"})).await;
    let found = world.effect().await.found;
    for code in ["subinterface-tag-reused", "subinterface-without-tag", "subinterface-on-switchport"] {
        assert!(found.contains(&format!("{code} leaf3")), "{code}: {found:?}");
    }
}

#[tokio::test]
async fn who_changed_what_long_ago_is_asked_for_when_somebody_wants_to_know() {
    let world = World::new().await;
    world.write("PATCH", "dcim/interfaces/46/", json!({"description": "to spine1 Ethernet3"})).await;
    world.write("PATCH", "dcim/devices/3/", json!({"comments": "rack 4"})).await;
    for mtu in [9000, 9100, 9214, 9000, 9100, 9214] {
        world.write("PATCH", "dcim/interfaces/47/", json!({"mtu": mtu})).await;
    }
    // A log of which a page holds no more than three entries: the edit is older than what a read takes.
    let client = Client::new(Settings { page_size: 3, graphql: GraphQl::Never, ..world.settings.clone() }).unwrap();
    let read = client.read(|_| {}).await.unwrap();
    let of = |id: u64| read.fabric.interfaces.iter().find(|interface| interface.id == id).unwrap().origin.as_ref().clone();
    let mut origins = vec![of(46), of(47), read.fabric.device("leaf1").unwrap().origin.as_ref().clone(), of(46)];
    assert_eq!((&origins[0].user, origins[1].user.as_deref()), (&None, Some("admin")));
    origins[3].url = origins[3].url.replace("/46/", "/999999/");
    let calls = std::sync::Mutex::new(Vec::new());
    let unknown = client.blame(&mut origins, |call| calls.lock().unwrap().push(call.url.clone())).await.unwrap();
    assert_eq!((unknown, calls.lock().unwrap().len()), (1, 2), "one call a kind, and nobody knows of an object without entries");
    assert_eq!((origins[0].user.as_deref(), origins[2].user.as_deref(), &origins[3].user), (Some("admin"), Some("admin"), &None));
    assert!(origins[0].request.is_some() && origins[0].time.is_some());
}

#[tokio::test]
async fn a_config_context_says_what_no_object_says() {
    let world = World::new().await;
    let get = |path: &'static str| {
        let url = format!("{}/api/{path}", world.netbox.url);
        let call = reqwest::Client::builder().no_proxy().build().unwrap().get(url).bearer_auth(&world.netbox.token);
        async move { call.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let mut context = get("dcim/devices/3/").await["local_context_data"].clone();
    if context.is_null() {
        context = json!({});
    }
    context["evpn_fabric"] = json!({
        "underlay": {"asn": 65001, "router_id": "10.0.250.11", "spine_peers": [{"ip": "10.0.1.0", "asn": 65000}, {"ip": "10.0.2.0", "asn": 65000}]},
        "overlay": {"vtep_ip": "10.0.255.11", "evpn_peers": ["10.0.250.1", "10.0.250.2"]},
        "mlag": {"enabled": true, "domain_id": "leafs", "local_ip": "10.0.199.254", "peer_ip": "10.0.199.255"},
        "vlans": [{"id": 40, "name": "test-l2-vxlan", "vni": 110040}, {"id": 41, "name": "new", "vni": 110041}],
        "vrfs": [{"name": "gold", "vni": 100001}],
    });
    // Everything is said natively, too: the context changes nothing.
    world.write("PATCH", "dcim/devices/3/", json!({"local_context_data": context})).await;
    let both = world.effect().await;
    assert!(both.rows.is_empty() && both.found.is_empty(), "{:#?} {:?}", both.rows, both.found);

    let none = json!({"asn": null, "router_id": null, "mlag_domain_id": null, "mlag_local_address": null, "mlag_peer_address": null});
    world.write("PATCH", "dcim/devices/3/", json!({"custom_fields": none, "cluster": null})).await;
    for session in [33, 34, 35, 36, 37] {
        world.write("DELETE", &format!("plugins/bgp/session/{session}/"), Value::Null).await;
    }
    let vxlan = world.id("dcim/interfaces/?device=leaf1&name=Vxlan1").await;
    world.write("PATCH", &format!("dcim/interfaces/{vxlan}/"), json!({"custom_fields": {"vxlan_source_interface": null}})).await;
    let effect = world.effect().await;
    assert!(effect.found.contains(&"config-context-fallback leaf1".to_owned()), "{:?}", effect.found);
    let rows = &effect.rows["leaf1"];
    for same in [
        "global/config/as ",
        "global/config/router-id",
        "src-ip-intf",
        "mlag/config/domain-id",
        "mlag/config/local-intf",
        "vlan[vlan-id=40]/config/name",
    ] {
        assert!(!rows.iter().any(|row| row.contains(same)), "{same} is as it was: {rows:#?}");
    }
    for came in [
        "+/network-instances/network-instance[name=default]/vlans/vlan[vlan-id=41]/config/name new".to_owned(),
        "+/interfaces/interface[name=Vxlan1]/arista-vxlan/vlan-to-vnis/vlan-to-vni[vlan=41]/config/vni 110041".to_owned(),
        "+/arista/eos/evpn/evpn-instances/evpn-instance[name=41]/config/route-distinguisher 10.0.250.11:41".to_owned(),
        "+/arista/eos/evpn/evpn-instances/evpn-instance[name=41]/route-target/config/import [41:110041]".to_owned(),
        format!("+{BGP}/neighbors/neighbor[neighbor-address=10.0.1.0]/config/peer-as 65000"),
        format!("+{BGP}/neighbors/neighbor[neighbor-address=10.0.250.2]/config/peer-as 65000"),
    ] {
        has(&effect, "leaf1", &came);
    }
    let peers = rows.iter().filter(|row| row.contains("config/peer-group ") && !row.contains("10.0.3.1"));
    assert_eq!(peers.count(), 0, "the groups are called the same: {rows:#?}");
}
