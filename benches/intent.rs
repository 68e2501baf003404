//! 25,000 interfaces of 500 devices, as NetBox answers them: pages to records, records to leaves, and one edit brought up to date.
//!
//! Thread CPU time, and the memory of this process. `cargo bench --bench intent`; how to read it: `benches/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints its numbers, and stops when it cannot

use fabric_orchestrator::intent::map;
use fabric_orchestrator::netbox::Settings;
use fabric_orchestrator::netbox::assemble::{List, Pages, assemble};
use fabric_orchestrator::tree::Paths;
use fabric_orchestrator::yang::Schema;
use serde_json::{Value, json};

const DEVICES: usize = 500;
const PORTS: usize = 50;
const PAGE: usize = 1_000;

/// CPU seconds this thread has used.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// MiB of memory this process holds, or held at most.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let row = status.lines().find(|row| row.starts_with(line)).unwrap_or_default();
    row.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Every custom field of an interface, as a NetBox of this data model sends them.
fn fields() -> Value {
    json!({"mlag_peer_link": null, "mlag_local_interface": null, "mlag_id": null, "lacp_mode": null, "lacp_fallback": null,
        "lacp_fallback_timeout": null, "autostate": null, "dot1q_vlan": null, "stp_link_type": null, "stp_portfast": true,
        "stp_bpduguard": null, "trunk_groups": null, "vxlan_source_interface": null, "vxlan_udp_port": null, "vxlan_learn_restrict": null})
}

fn device(n: usize) -> Value {
    json!({"id": n, "name": format!("leaf{n}"), "role": {"id": 2, "slug": "leaf", "name": "leaf"}, "site": {"id": 1, "slug": "load", "name": "load"},
        "status": {"value": "active", "label": "Active"}, "primary_ip4": null, "primary_ip6": null, "cluster": {"id": 1, "name": "load"},
        "tags": [{"id": 1, "slug": "evpn-fabric", "name": "evpn-fabric"}], "config_context": {"lldp": {}},
        "custom_fields": {"asn": 65000 + n, "router_id": format!("10.0.{}.{}", n / 250, n % 250), "mlag_domain_id": null, "mlag_local_address": null,
            "mlag_peer_address": null, "mlag_heartbeat_address": null, "mlag_heartbeat_vrf": null, "mlag_virtual_mac": null},
        "last_updated": "2026-11-22T09:16:36.638221Z"})
}

fn interface(n: usize) -> Value {
    let (device, port) = (n / PORTS, n % PORTS + 1);
    json!({"id": n, "url": format!("http://netbox/api/dcim/interfaces/{n}/"), "display": format!("Ethernet{port}"),
        "device": {"id": device, "url": format!("http://netbox/api/dcim/devices/{device}/"), "display": format!("leaf{device}"), "name": format!("leaf{device}"), "description": ""},
        "name": format!("Ethernet{port}"), "enabled": true, "lag": null, "parent": null, "mtu": null,
        "mode": {"value": "access", "label": "Access"}, "untagged_vlan": {"id": 1, "vid": 40, "name": "users", "display": "users (40)"}, "tagged_vlans": [],
        "vrf": null, "description": format!("to host {n}"), "tags": [], "custom_fields": fields(), "last_updated": "2026-11-22T09:16:36.638221Z"})
}

/// Pages of a list, as bytes.
fn pages(count: usize, row: impl Fn(usize) -> Value) -> Vec<String> {
    let ids: Vec<usize> = (0..count).collect();
    ids.chunks(PAGE)
        .map(|ids| json!({"count": count, "next": null, "results": ids.iter().map(|n| row(*n)).collect::<Vec<_>>()}).to_string())
        .collect()
}

fn main() {
    let schema = Schema::eos().expect("the table is embedded");
    let settings = Settings::new("http://netbox", "nbt_x.y".into());
    let vlans = pages(
        1,
        |_| json!({"id": 1, "vid": 40, "name": "users", "group": {"id": 1}, "status": "active", "custom_fields": {"trunk_groups": null, "stp_disabled": null}}),
    );
    let clusters = pages(1, |_| json!({"id": 1, "name": "load", "type": {"slug": "standalone-switch"}}));
    let groups = pages(1, |_| json!({"id": 1, "name": "load", "scope_type": "virtualization.cluster", "scope_id": 1}));
    let lists = [
        (List::Clusters, clusters),
        (List::VlanGroups, groups),
        (List::Devices, pages(DEVICES, device)),
        (List::Interfaces, pages(DEVICES * PORTS, interface)),
        (List::Vlans, vlans),
    ];
    let bytes: usize = lists.iter().flat_map(|(_, pages)| pages).map(String::len).sum();
    let read = || {
        let mut held = Pages::default();
        for (list, pages) in &lists {
            pages.iter().for_each(|page| held.push(*list, "http://netbox/", page.clone()).unwrap());
        }
        let made = assemble(&held, &settings).unwrap();
        (held, made)
    };
    let before = memory("VmRSS");
    let begun = cpu();
    let (held, made) = read();
    let parsed = cpu() - begun;
    let fabric = &made.fabric;
    assert_eq!((fabric.devices.len(), fabric.interfaces.len()), (DEVICES, DEVICES * PORTS));
    let paths = Paths::new();
    let begun = cpu();
    let mapped: Vec<_> = fabric.devices.iter().map(|device| map::desired(fabric, &schema, &device.name, &paths)).collect();
    let mapping = cpu() - begun;
    let findings = fabric.findings.len() + mapped.iter().map(|device| device.findings.len()).sum::<usize>();
    let leaves: usize = mapped.iter().map(|device| device.tree.len()).sum();
    let (now, most) = (memory("VmRSS") - before, memory("VmHWM") - before);
    // The first read also warms the allocator; the best of three more says what the work itself costs.
    let again = (0..3)
        .map(|_| {
            let begun = cpu();
            drop(read());
            cpu() - begun
        })
        .fold(f64::INFINITY, f64::min);
    println!("{} objects, {:.1} MB of JSON in pages of {PAGE}, {findings} findings", made.objects, bytes as f64 / 1e6);
    println!("parsed into records, linted      {parsed:.3} CPU-s (best of three more {again:.3})");
    println!("mapped into {leaves} leaves    {mapping:.3} CPU-s, {:.2} ms a device", mapping * 1e3 / DEVICES as f64);
    println!("parsed and mapped                {:.3} CPU-s, limit 0.5: {}", parsed + mapping, verdict(parsed + mapping < 0.5));
    println!("memory, raw pages kept included  {now:.0} MiB, at most {most:.0} MiB, limit 100: {}", verdict(most < 100.0));
    drop((held, mapped));
}
