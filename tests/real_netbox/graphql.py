#!/usr/bin/env python3
"""Ask a REAL NetBox and the simulated one the same GraphQL queries, good and bad, and name every difference.

    python3 graphql.py REAL_URL REAL_TOKEN SIMULATED_URL SIMULATED_TOKEN

Both must hold the reference fabric (the recordings' seeding script; `lab --headless`). Only reads. Exit status 1 when a difference is not in
KNOWN, or one of KNOWN is none any more.
"""
import json
import pathlib
import re
import urllib.error
import urllib.request

from beside import compare

HERE = pathlib.Path(__file__).resolve().parent
FABRIC = (HERE.parent / "data/netbox/graphql-fabric.graphql").read_text()

# What the lab's NetBox says otherwise, by query.
KNOWN = {
    "{ device_list { id ": "another parser words it its own way",
    "{ device_list(filters: ) { id } }": "another parser words it its own way",
    "{ cable_list { id terminations { id } } }": "ends of a cable are no objects of their own in the lab",
    "{ device_list(filters: {name: {regex: \"^leaf[12]$\"}}) { name } }": "no regular expressions; it says so",
    "{ service_list(filters: {ip_addresses: {address: {contains: \"172.16.0.1/\"}}}) { id } }": "the real one goes on and lists the names it has",
    "{ tenant_list { nope } }": "types the lab has no objects of are not looked into",
}

QUERIES = [
    "{ device_list { id name status serial asset_tag position face airflow latitude vc_position local_context_data interface_count display class_type __typename } }",
    "{ device_list { custom_fields custom_field_data device_type { model slug u_height manufacturer { name slug } } oob_ip { id } primary_ip6 { id } tenant { name } } }",
    "{ interface_list(pagination: {start: 0, limit: 20}) { id name label type enabled mtu mode speed duplex mgmt_only mark_connected cable_end cable { id label } link_peers { ... on InterfaceType { name } } } }",
    "{ interface_list(filters: {device: {name: {exact: \"leaf1\"}}}) { id name lag { name } parent { name } member_interfaces { name } child_interfaces { name } bridge_interfaces { name } l2vpn_termination { id } wireless_lans { id } mac_addresses { id } } }",
    "{ interface_list(filters: {device_id: 3, enabled: {exact: true}}, pagination: {limit: 3}) { id name } }",
    "{ interface_list(filters: {device: {name: {in_list: [\"leaf1\", \"spine1\"]}}, type: {exact: TYPE_VIRTUAL}}) { id name } }",
    "{ interface_list(filters: {mtu: {comparison_lookup: {gte: 9214}}}, pagination: {start: 100}) { id mtu } }",
    "{ interface_list(filters: {mtu: {filter_lookup: {exact: 9214}}, name: {starts_with: \"Ethernet1\"}}, pagination: {start: 0, limit: 5}) { id mtu name } }",
    "{ interface_list(filters: {site: {slug: {exact: \"dc\"}}}, pagination: {start: 5, limit: 5}) { id name } }",
    "{ interface_list(filters: {cabled: true}, pagination: {start: 0, limit: 4}) { id } }",
    "{ interface_list(filters: {mode: {exact: MODE_TAGGED}}) { id name untagged_vlan { vid } tagged_vlans { vid } } }",
    "{ interface_list(filters: {vrf: {name: {exact: \"gold\"}}}) { id } }",
    "{ interface_list(filters: {lag_id: 29}) { id name } }",
    "{ interface_list(filters: {tagged_vlans: {vid: {filter_lookup: {exact: 40}}}}, pagination: {start: 0}) { id name } }",
    "{ interface_list(filters: {custom_field_data: {path: \"mlag_id\", lookup: {int_comparison_lookup: {exact: 10}}}}) { id } }",
    "{ ip_address_list(filters: {parent: [\"10.0.250.0/24\"]}) { id address } }",
    "{ ip_address_list(filters: {role: {exact: ROLE_ANYCAST}}) { id address role assigned_object { __typename ... on InterfaceType { name device { name } } } } }",
    "{ ip_address_list(filters: {family: FAMILY_4, assigned: true}, pagination: {start: 0, limit: 3}) { id family { value label } status dns_name nat_outside { id } nat_inside { id } } }",
    "{ ip_address_list(filters: {tags: {slug: {exact: \"bgp-network\"}}}) { address } }",
    "{ ip_address_list(filters: {address: {exact: \"10.0.1.0/31\"}}) { address } }",
    "{ ip_address_list(filters: {address: {i_starts_with: \"10.0.1.\"}}) { address } }",
    "{ service_list { id name protocol ports port_mappings ipaddresses { address } parent { ... on DeviceType { name } } tags { slug } } }",
    "{ service_list(filters: {ip_addresses: {address: {contains: \"172.16.0.1/\"}}}) { id } }",
    "{ vlan_list { id vid name status role { slug } group { name } site { id } custom_fields qinq_role qinq_svlan { id } prefixes { prefix } interfaces_as_tagged { name } interfaces_as_untagged { name } } }",
    "{ vlan_list(filters: {group: {slug: {exact: \"leaf1-leaf2\"}}}) { id vid } }",
    "{ vlan_list(filters: {vid: {range_lookup: {start: 40, end: 4090}}}) { id vid } }",
    "{ vlan_group_list { id name slug vid_ranges total_vlan_ids scope { __typename ... on ClusterType { name } } vlans(pagination: {limit: 1}) { vid } } }",
    "{ cluster_list { id name status type { slug } group { name } scope { ... on SiteType { slug } } devices { name } vlan_groups { name } } }",
    "{ cluster_list(filters: {type: {slug: {exact: \"mlag-pair\"}}}) { name } }",
    "{ vrf_list { id name rd enforce_unique custom_fields import_targets { name } export_targets { name } interfaces { id } ip_addresses { id } prefixes { prefix } } }",
    "{ route_target_list { name importing_vrfs { name } exporting_vrfs { name } importing_l2vpns { name } exporting_l2vpns { name } } }",
    "{ l2vpn_list { id name slug type status identifier terminations { id assigned_object { __typename ... on VLANType { vid } } } } }",
    "{ l2vpn_termination_list { id display l2vpn { name } assigned_object { ... on VLANType { vid group { name } } } } }",
    "{ prefix_list { id prefix status is_pool mark_utilized _depth _children role { slug } vlan { vid } vrf { name } scope { __typename ... on SiteType { slug } } family { value } } }",
    "{ prefix_list(filters: {contains: [\"10.0.1.5\"]}) { prefix } }",
    "{ prefix_list(filters: {site: {slug: {exact: \"dc\"}}, role: {slug: {exact: \"underlay-p2p\"}}}) { prefix } }",
    "{ cable_list { id status type label color length length_unit description } }",
    "{ cable_list { id terminations { id } } }",
    "{ cable_list(filters: {label: {exact: \"\"}}, pagination: {offset: 3, limit: 2}) { id a_terminations { ... on InterfaceType { name } } } }",
    "{ asn_list { id asn rir { name } sites { slug } } }",
    "{ asn_list(filters: {asn: {comparison_lookup: {gt: 65001}}}) { asn } }",
    "{ site_list { id name slug status facility physical_address time_zone group { name } asns { asn } devices { name } vlans { vid } prefixes { prefix } clusters { name } vlan_groups { name } } }",
    "{ site_group_list { name level parent { name } children { name } } }",
    "{ device_role_list { name slug color vm_role level devices { name } parent { name } } }",
    "{ platform_list { name slug level manufacturer { name } children { slug } devices { name } parent { slug } } }",
    "{ device_type_list { model slug u_height is_full_depth part_number exclude_from_utilization subdevice_role } }",
    "{ tag_list { name slug color weight description } }",
    "{ config_context_list { name weight is_active data roles { slug } tags { slug } sites { slug } platforms { slug } data_path auto_sync_enabled data_source { id } } }",
    "{ custom_field_list { name type label group_name weight required } }",
    "{ netbox_bgp_session_list { id display name status site { slug } device { name } remote_prefix { prefix } remote_as_macro prefix_list_in { name } extra_attributes comments } }",
    "{ netbox_bgp_session_list(filters: {device: {name: {exact: \"leaf1\"}}}) { name remote_as { asn } local_address { assigned_object { ... on InterfaceType { name vrf { name } } } } } }",
    "{ netbox_bgp_session_list(filters: {id: {in_list: [\"1\", \"2\"]}}) { name } }",
    "{ netbox_bgp_session_list(filters: {id: {gte: \"70\"}}) { id } }",
    "{ netbox_bgp_session_list(filters: {status: STATUS_ACTIVE}) { id } }",
    "{ netbox_bgp_session_list(filters: {status: ACTIVE, remote_as: {asn: {filter_lookup: {exact: 65002}}}}) { id } }",
    "{ netbox_bgp_peer_group_list(filters: {name: {exact: \"underlay\"}}) { id name description local_as { asn } } }",
    "{ netbox_bgp_routing_policy_rule_list { index } netbox_bgp_prefixlist_rule_list { index } netbox_bgp_community_list { value } netbox_bgp_communitylist_list { name } netbox_bgp_aspathlist_rule_list { pattern } }",
    "{ device_list(filters: {id: {in_list: [3, \"1\", 99]}}) { id } }",
    "{ device_list(filters: {site: {slug: {exact: \"dc\"}}, role: {slug: {in_list: [\"spine\", \"leaf\"]}}, status: {exact: STATUS_ACTIVE}}) { name } }",
    "{ device_list(filters: {tags: {slug: {exact: \"nope\"}}}) { name } }",
    "{ device_list(filters: {interfaces: {name: {starts_with: \"Loopback\"}}}) { name } }",
    "{ device_list(filters: {interfaces: {name: {starts_with: \"Loopback\"}}, DISTINCT: true}) { name } }",
    "{ device_list(filters: {name: {exact: \"leaf1\"}, OR: {name: {exact: \"leaf2\"}}}) { name } }",
    "{ device_list(filters: {name: {starts_with: \"leaf\"}, NOT: {name: {ends_with: \"1\"}}}) { name } }",
    "{ device_list(filters: {name: {regex: \"^leaf[12]$\"}}) { name } }",
    "{ device_list(filters: {last_updated: {gte: \"2000-01-01T00:00:00Z\"}}, pagination: {limit: 2}) { name } }",
    "{ device_list(filters: {cluster: {name: {is_null: true}}}) { name } }",
    "{ device_list(pagination: {limit: 0}) { name } }",
    "{ device_list(pagination: {limit: -3, offset: 8}) { name } }",
    "{ device_list(pagination: {start: 1, offset: 2}) { id } }",
    "{ device_list(pagination: {start: -1}) { id } }",
    "{ device(id: 3) { name } other: device(id: 4) { name } interface(id: 27) { name } }",
    "{ device(id: 99999) { id } }",
    "{ device { id } }",
    "{ tenant_list { name } rack_list { name } region_list { name } virtual_chassis_list { name } }",
    "{ tenant_list { nope } }",
    "{ device_list { nope } }",
    "{ device_list(filters: {nope: 1}) { id } }",
    "{ device_list(filters: {name: 1}) { id } }",
    "{ device_list(filters: {id: {in_list: [true]}}) { id } }",
    "{ device_list(pagination: {limit: \"x\"}) { id } }",
    "{ device_list(nope: 1) { id } }",
    "{ nope_list { id } }",
    "{ device_list }",
    "{ device_list { name { x } } }",
    "{ device_list { role } }",
    "{ device_list { ...x } }",
    "{ device_list { ... on InterfaceType { id } } }",
    "{ device_list(filters: {name: {exact: $x}}) { id } }",
    "query Q($x: String!) { device_list(filters: {name: {exact: $x}}) { id } }",
    "mutation { x }",
    "{ device_list { id ",
    "{ device_list(filters: ) { id } }",
    "{ " + " ".join(f"a{n}: asn_list {{ id }}" for n in range(10)) + " }",
    "{ " + " ".join(f"a{n}: asn_list {{ id }}" for n in range(11)) + " }",
    "query A { asn_list { id } } query B { asn_list { asn } }",
]


def ask(base, headers, body, method="POST"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(base + "/graphql/", data=data if method == "POST" else None, method=method, headers=headers)
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=120) as answer:
            status, kind, text = answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        status, kind, text = error.code, error.headers["Content-Type"], error.headers.get("Location") or error.read().decode()
    if "json" in kind:
        return status, kind, json.loads(re.sub(r'"(\d{4}-\d\d-\d\dT[^"]*)"', '"TIME"', text))
    return status, kind, "a page" if text.lstrip().startswith("<") else text


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def answers(base, token):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    yield "the fabric", ask(base, headers, {"query": FABRIC, "variables": {"tag": "evpn-fabric"}})
    for query in QUERIES:
        yield query, ask(base, headers, {"query": query})
    small = {"query": "{ asn_list { asn } }"}
    without = {"Content-Type": "application/json"}
    yield "no token", ask(base, without, small)
    yield "no token, JSON only", ask(base, {**without, "Accept": "application/json"}, small)
    yield "bad token", ask(base, {**headers, "Authorization": "Bearer nbt_000000000000.0"}, small)
    yield "bad v1 token", ask(base, {**headers, "Authorization": "Token 0"}, small)
    yield "no JSON", ask(base, headers, b"{bad")
    yield "no query", ask(base, headers, {})
    yield "a form", ask(base, {**headers, "Content-Type": "application/x-www-form-urlencoded"}, b"query=x")
    yield "GET", ask(base, {**headers, "Accept": "text/html"}, b"", "GET")


def plain(value):
    """Without what is no difference of the lab's: rows that Postgres has no order for, and places in the query (its parser keeps fewer)."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key != "locations"}
    if isinstance(value, dict) and "netbox_bgp_peer_group_list" in value:
        value["netbox_bgp_peer_group_list"].sort(key=json.dumps)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    compare("GraphQL answers", answers, KNOWN, plain)
