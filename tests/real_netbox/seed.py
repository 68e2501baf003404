#!/usr/bin/env python3
"""Create a fabric in NetBox from a fabric facts file (schema fabric-facts/1), through the REST API.

    NETBOX_URL=http://127.0.0.1:8000 NETBOX_TOKEN=... python3 seed.py --fabric fabric.json
    python3 seed.py --fabric FILE --webhook http://127.0.0.1:9911/hook     # also a webhook and its event rule
    python3 seed.py --fabric FILE --synthetic 500 --ports 50               # also a site of plain leafs, for load tests
    python3 seed.py --fabric FILE --coverage                               # only list: fact -> where it goes

Objects are matched by natural key, created in bulk when missing and patched where they differ: a second run
changes nothing. Nothing is deleted. What NetBox and netbox-bgp have no field for goes, in this order of
preference, to a custom field, to `extra_attributes` of a BGP object, to a config context; README.md has the
table, coverage.json the complete list. A fact that coverage.json does not know stops the script.
"""
import argparse
import collections
import ipaddress
import json
import os
import pathlib
import re
import sys
import time

from nbapi import NetBox

# ------------------------------------------------------------------------------------------------ settings
# Custom field names. Left: what it means here. Right: its name in NetBox; change that to fit a site.
CF = {name: name for name in (
    "asn router_id mlag_domain_id mlag_local_address mlag_peer_address mlag_heartbeat_address mlag_heartbeat_vrf "
    "mlag_virtual_mac mlag_peer_link mlag_local_interface mlag_id lacp_mode lacp_fallback lacp_fallback_timeout "
    "dot1q_vlan autostate trunk_groups stp_disabled stp_link_type stp_portfast stp_bpduguard "
    "vxlan_source_interface vxlan_udp_port vxlan_learn_restrict l3vni vrf_vlan rd_template redistribute "
    "virtual_ip applies_to").split()}
FABRIC_TAG = "evpn-fabric"        # on every managed device
NETWORK_TAG = "bgp-network"       # on every address announced with a BGP network statement
PORT_TYPE = "10gbase-x-sfpp"      # the facts do not record port speeds
AFI_SAFI = {"ipv4": "ipv4-unicast", "evpn": "l2vpn-evpn"}
ROLE_COLORS = {"spine": "3f51b5", "leaf": "009688", "border-leaf": "ff9800", "core": "9c27b0", "access": "795548"}

TEXT, INT, BOOL, JSON = "text", "integer", "boolean", "json"
DEVICE, INTERFACE, VLAN, VRF, L2VPN, ADDRESS = (
    "dcim.device", "dcim.interface", "ipam.vlan", "ipam.vrf", "vpn.l2vpn", "ipam.ipaddress")
POLICIES = ("netbox_bgp.prefixlist", "netbox_bgp.routingpolicy")
MAC = r"^([0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2})$"
CUSTOM_FIELDS = [   # name, on, type, group, label, meaning, more
    ("asn", [DEVICE], INT, "BGP", "ASN", "AS number of the device's BGP instance", {"validation_minimum": 1, "validation_maximum": 4294967295}),
    ("router_id", [DEVICE], TEXT, "BGP", "Router ID", "BGP router id", {}),
    ("redistribute", [VRF, L2VPN], JSON, "BGP", "Redistribute", 'List of {"source", "route_map"} in the VRF or MAC-VRF', {}),
    ("applies_to", list(POLICIES), "multiobject", "BGP", "Applies to", "Devices that hold this list or policy", {"related_object_type": DEVICE}),
    ("mlag_domain_id", [DEVICE], TEXT, "MLAG", "MLAG Domain ID", "domain-id of the pair", {}),
    ("mlag_local_address", [DEVICE], TEXT, "MLAG", "MLAG Local Address", "Own address on the peer link SVI", {}),
    ("mlag_peer_address", [DEVICE], TEXT, "MLAG", "MLAG Peer Address", "Peer's address on the peer link SVI", {}),
    ("mlag_heartbeat_address", [DEVICE], TEXT, "MLAG", "MLAG Heartbeat Address", "Peer's out-of-band address", {}),
    ("mlag_heartbeat_vrf", [DEVICE], TEXT, "MLAG", "MLAG Heartbeat VRF", "VRF name as configured, may name a VRF that is not modelled", {}),
    ("mlag_virtual_mac", [DEVICE], TEXT, "MLAG", "MLAG Virtual MAC", "ip virtual-router mac-address, dotted or colon form", {"validation_regex": MAC}),
    ("mlag_peer_link", [INTERFACE], BOOL, "MLAG", "MLAG Peer Link", "Port-channel to the MLAG peer", {}),
    ("mlag_local_interface", [INTERFACE], BOOL, "MLAG", "MLAG Local Interface", "SVI the peering runs on", {}),
    ("mlag_id", [INTERFACE], INT, "MLAG", "MLAG ID", "mlag id of a dual-homed port-channel", {}),
    ("lacp_mode", [INTERFACE], TEXT, "LAG", "LACP mode", "active, passive or on, on a member port", {}),
    ("lacp_fallback", [INTERFACE], TEXT, "LAG", "LACP fallback", "individual or static", {}),
    ("lacp_fallback_timeout", [INTERFACE], INT, "LAG", "LACP fallback timeout", "Seconds", {}),
    ("dot1q_vlan", [INTERFACE], INT, "Switching", "802.1Q tag", "Encapsulation of a subinterface", {}),
    ("autostate", [INTERFACE], BOOL, "Switching", "Autostate", "False: the SVI stays up without a port", {}),
    ("trunk_groups", [INTERFACE, VLAN], TEXT, "Switching", "Trunk groups", "EOS trunk groups, comma separated", {}),
    ("stp_disabled", [VLAN], BOOL, "Switching", "No spanning tree", "no spanning-tree vlan", {}),
    ("stp_link_type", [INTERFACE], TEXT, "Switching", "STP link type", "point-to-point or shared", {}),
    ("stp_portfast", [INTERFACE], BOOL, "Switching", "STP portfast", "Edge port", {}),
    ("stp_bpduguard", [INTERFACE], BOOL, "Switching", "STP BPDU guard", "On this port", {}),
    ("vxlan_source_interface", [INTERFACE], "object", "VXLAN", "VXLAN source", "Loopback with the VTEP address", {"related_object_type": INTERFACE}),
    ("vxlan_udp_port", [INTERFACE], INT, "VXLAN", "VXLAN UDP port", "Usually 4789", {}),
    ("vxlan_learn_restrict", [INTERFACE], TEXT, "VXLAN", "VXLAN learn restrict", "vxlan learn-restrict", {}),
    ("l3vni", [VRF], INT, "VXLAN", "L3 VNI", "VNI for symmetric IRB", {"validation_minimum": 1, "validation_maximum": 16777214}),
    ("vrf_vlan", [VRF], INT, "VXLAN", "VRF VLAN", "VLAN of the L3 VNI's SVI; empty: the device picks one", {}),
    ("rd_template", [VRF, L2VPN], TEXT, "VXLAN", "RD template", "Per device: {router_id}, {asn}, {vni}, {vlan}", {}),
    ("virtual_ip", [ADDRESS], BOOL, "Addressing", "Virtual IP", "Shared by an MLAG pair: gateway or VTEP address", {}),
]


# ------------------------------------------------------------------------------------------------ functions
def cf(**values):
    return {CF[name]: value for name, value in values.items()}


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def squash(names):
    """leaf1, leaf2, leaf3, spine1 -> 'leaf1..3, spine1'"""
    runs = []
    for stem, number in (re.fullmatch(r"(.*?)(\d*)", n).groups() for n in names):
        number = int(number) if number else None
        if runs and number is not None and runs[-1][0] == stem and runs[-1][2] + 1 == number:
            runs[-1][2] = number
        else:
            runs.append([stem, number, number])
    return ", ".join(f"{s}{'' if a is None else a}{f'..{b}' if a != b else ''}" for s, a, b in runs)


def pruned(value):
    """Without None and empty dicts. Empty lists stay: they say 'none of the usual'."""
    if isinstance(value, dict):
        value = {k: pruned(v) for k, v in value.items()}
        return {k: v for k, v in value.items() if v is not None and v != {}}
    return value


def common(dicts):
    """What all of them say, key by key."""
    first, *rest = dicts
    out = {}
    for k, v in first.items():
        others = [d.get(k) for d in rest]
        if isinstance(v, dict) and all(isinstance(o, dict) for o in others):
            out[k] = common([v, *others])
        elif all(o == v for o in others):
            out[k] = v
    return pruned(out)


def minus(whole, part):
    """What is left to say once `part` has been said."""
    return pruned({k: minus(v, part[k]) if isinstance(v, dict) and k in part else v
                   for k, v in whole.items() if k not in part or (isinstance(v, dict) and v != part[k])})


def usual(values):
    """The most frequent value, the first one where several are."""
    counts = collections.Counter(json.dumps(v, sort_keys=True) for v in values)
    return json.loads(counts.most_common(1)[0][0])


def fact_paths(value, path=""):
    """Every path of the facts, list indexes and loopback names left out."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from fact_paths(v, f"{path}.{'*' if path.endswith(('.loopbacks', '.bgp_neighbor_statements')) else k}")
    elif isinstance(value, list):
        for v in value:
            yield from fact_paths(v, path + "[]")
    else:
        yield path.lstrip(".")


def read_coverage(facts):
    rules = json.loads((pathlib.Path(__file__).parent / "coverage.json").read_text())
    found = {}
    for path in sorted(set(fact_paths(facts))):
        hits = [r for r in rules if path == r or path.startswith((r + ".", r + "["))]
        if not hits:
            sys.exit(f"coverage.json does not say where the fact '{path}' goes")
        found[path] = rules[max(hits, key=len)]
    return found


class Seed:
    def __init__(self, netbox, facts):
        self.nb, self.facts = netbox, facts
        self.devices = {d["name"]: d for d in facts["devices"]}
        self.zones = list(dict.fromkeys(d["zone"] for d in facts["devices"]))
        self.pairs = {m["device"]: p["pair"] for p in facts["mlag_pairs"] for m in p["members"]}
        self.network = ipaddress.ip_network(facts["lab"]["mgmt_network"]["prefix"])

    def run(self):
        self.tags_and_fields()
        self.organisation()
        self.vrfs()
        self.vlans()
        self.contexts()
        self.create_devices()
        self.interfaces()
        self.cables()
        self.prefixes()
        self.addresses()
        self.policies()
        self.sessions()

    # ---------------------------------------------------------------------------- lookups in the facts
    def config(self, device):
        return self.devices[device]["config"]

    def each_interface(self):
        for name, device in self.devices.items():
            for interface in device["config"]["interfaces"]:
                yield name, interface

    def bgp_instances(self, device):
        """(VRF or None for the default one, its part of router bgp)"""
        bgp = device["config"].get("bgp")
        return [(None, bgp), *((v["name"], v) for v in bgp["vrfs"])] if bgp else []

    def each_neighbor(self):
        """(device, vrf, AFs of that VRF, neighbor)"""
        for name, device in self.devices.items():
            for vrf, part in self.bgp_instances(device):
                for n in part["neighbors"]:
                    yield name, vrf, part["address_families"], n

    def vlan_owner(self, device):
        """VLANs belong to a VLAN group scoped to a cluster: the MLAG pair, or the single switch."""
        return self.pairs.get(device, device)

    def subinterface_parent(self, name):
        return name.rsplit(".", 1)[0]

    def template(self, device, rd, **numbers):
        """10.0.250.11:1 -> {router_id}:1, so that one VRF object serves all devices."""
        left, right = rd.rsplit(":", 1)
        d = self.devices[device]
        left = {d["router_id"]: "{router_id}", str(d["asn"]): "{asn}"}.get(left, left)
        right = next((f"{{{k}}}" for k, v in numbers.items() if str(v) == right), right)
        return f"{left}:{right}"

    # ---------------------------------------------------------------------------- organisation
    def tags_and_fields(self):
        self.tags = self.nb.sync("extras/tags/", ["slug"], [
            {"name": FABRIC_TAG, "slug": FABRIC_TAG, "color": "2196f3", "description": "Managed member of the fabric"},
            {"name": NETWORK_TAG, "slug": NETWORK_TAG, "color": "4caf50", "description": "Announced with a BGP network statement"}])
        self.nb.sync("extras/custom-fields/", ["name"], [
            {"name": CF[name], "object_types": on, "type": type_, "group_name": group, "label": label, "description": text,
             "filter_logic": "exact", **more} for name, on, type_, group, label, text, more in CUSTOM_FIELDS])

    def organisation(self):
        nb, lab = self.nb, self.facts["lab"]
        self.site_group = nb.sync("dcim/site-groups/", ["slug"], [
            {"name": lab["name"], "slug": slug(lab["name"])}])[slug(lab["name"])]
        self.sites = nb.sync("dcim/sites/", ["slug"], [
            {"name": z.upper(), "slug": z, "status": "active", "group": self.site_group} for z in self.zones])
        makers = nb.sync("dcim/manufacturers/", ["slug"], [
            {"name": "Arista", "slug": "arista"}, {"name": "Generic", "slug": "generic"}])
        eos = nb.sync("dcim/platforms/", ["slug"], [
            {"name": "Arista EOS", "slug": "arista-eos", "manufacturer": makers["arista"]}])["arista-eos"]
        images = sorted({d["platform"]["image"] for d in self.devices.values()})
        self.platforms = nb.sync("dcim/platforms/", ["slug"], [
            {"name": f"EOS {i.split(':')[1]}", "slug": "arista-eos-" + slug(i.split(":")[1]), "description": i,
             "manufacturer": makers["arista"], "parent": eos} for i in images])
        self.types = nb.sync("dcim/device-types/", ["slug"], [
            {"manufacturer": makers["arista"], "model": "cEOSLab", "slug": "arista-ceoslab", "u_height": 1},
            {"manufacturer": makers["generic"], "model": "Linux host", "slug": "linux-host", "u_height": 1}])
        roles = list(dict.fromkeys(d["role"] for d in self.devices.values()))
        self.roles = nb.sync("dcim/device-roles/", ["slug"], [
            {"name": r, "slug": r, "color": ROLE_COLORS.get(r, "9e9e9e"), "vm_role": False} for r in roles + ["host"]])
        rir = nb.sync("ipam/rirs/", ["slug"], [{"name": "Lab", "slug": "lab", "is_private": True}])["lab"]
        owners = {a["asn"]: a["devices"] for a in self.facts["asns"]}
        for _, _, _, neighbor in self.each_neighbor():
            owners.setdefault(neighbor["effective_remote_as"], [])
        self.asns = nb.sync("ipam/asns/", ["asn"], [
            {"asn": asn, "rir": rir, "description": squash(devices) or "outside this fabric",
             "sites": sorted({self.sites[self.devices[d]["zone"]] for d in devices})} for asn, devices in owners.items()])

    # ---------------------------------------------------------------------------- VRFs, VLANs, VNIs
    def vrf_settings(self):
        """{vrf: {device: what its BGP instance and Vxlan1 say about the VRF}}"""
        settings = collections.defaultdict(dict)
        for name, device in self.devices.items():
            bgp = dict(self.bgp_instances(device))
            vnis = {v["vrf"]: v["vni"] for v in device["config"].get("vxlan", {}).get("vrf_vnis", [])}
            for vrf in device["config"].get("vrfs", []):
                l3vni = next(v["l3_vni"] for v in self.facts["vrfs"] if v["name"] == vrf)
                b = bgp[vrf]
                settings[vrf][name] = {
                    "rd_template": self.template(name, b["rd"], vni=l3vni),
                    "import_targets": b["rt_import"], "export_targets": b["rt_export"],
                    "redistribute": b.get("redistribute", []),
                    "router_id": "{router_id}" if b.get("router_id") == device["router_id"] else b.get("router_id"),
                    "ip_routing": vrf in device["config"].get("ip_routing", []),
                    # a VTEP maps the VRF to its VNI, other routers have no Vxlan1
                    "l3vni": vnis.get(vrf) if "vxlan" in device["config"] else l3vni}
        return settings

    def evi_settings(self):
        """{(vni, name): {device: its MAC-VRF}}"""
        settings = collections.defaultdict(dict)
        for name, device in self.devices.items():
            evis = {e["vlan"]: e for e in device["config"].get("bgp", {}).get("vlan_evis", [])}
            names = {v["id"]: v["name"] for v in device["config"].get("vlans", [])}
            for m in device["config"].get("vxlan", {}).get("vlan_vnis", []):
                e = evis[m["vlan"]]
                settings[m["vni"], names[m["vlan"]]][name] = {
                    "rd_template": self.template(name, e["rd"], vni=m["vni"], vlan=m["vlan"]),
                    "import_targets": e["rt_import"], "export_targets": e["rt_export"],
                    "redistribute": [{"source": s} for s in e["redistribute"]]}
        return settings

    def vrfs(self):
        vrfs, evis = self.vrf_settings(), self.evi_settings()
        typical = {k: {f: usual([s[f] for s in per.values()]) for f in next(iter(per.values()))}
                   for k, per in {**vrfs, **evis}.items()}
        for vrf in vrfs:                                    # the VRF object has no place for these two
            typical[vrf].update(router_id=None, ip_routing=True)
        self.overrides = collections.defaultdict(dict)      # what one device does differently: config context
        for per, kind in ((vrfs, "vrf_overrides"), (evis, "l2vpn_overrides")):
            for key, settings in per.items():
                for device, own in settings.items():
                    differs = {f: v for f, v in own.items() if v != typical[key][f]}
                    if differs:
                        name = key if isinstance(key, str) else key[1]
                        self.overrides[device].setdefault(kind, {})[name] = differs
        targets = sorted({rt for t in typical.values() for rt in t["import_targets"] + t["export_targets"]})
        rts = self.nb.sync("ipam/route-targets/", ["name"], [{"name": rt} for rt in targets])
        shared = lambda t: {"import_targets": [rts[x] for x in t["import_targets"]], "export_targets": [rts[x] for x in t["export_targets"]]}
        self.vrf_ids = self.nb.sync("ipam/vrfs/", ["name"], [
            {"name": v, "rd": None, "enforce_unique": True, **shared(typical[v]),
             "custom_fields": cf(l3vni=typical[v]["l3vni"], rd_template=typical[v]["rd_template"], redistribute=typical[v]["redistribute"])}
            for v in vrfs])
        self.l2vpns = self.nb.sync("vpn/l2vpns/", ["identifier"], [
            {"name": name, "slug": slug(name), "type": "vxlan-evpn", "status": "active", "identifier": vni, **shared(typical[vni, name]),
             "custom_fields": cf(rd_template=typical[vni, name]["rd_template"], redistribute=typical[vni, name]["redistribute"])}
            for vni, name in evis])

    def vlans(self):
        nb = self.nb
        owners = {}
        for name, device in self.devices.items():
            c = device["config"]
            table = [{**v, "stp_disabled": v["id"] in c["spanning_tree"]["disabled_vlans"],
                      "vni": next((m["vni"] for m in c.get("vxlan", {}).get("vlan_vnis", []) if m["vlan"] == v["id"]), None)}
                     for v in c.get("vlans", [])]
            if table and owners.setdefault(self.vlan_owner(name), table) != table:
                sys.exit(f"the members of {self.vlan_owner(name)} have different VLANs; one VLAN group cannot say that")
        types = nb.sync("virtualization/cluster-types/", ["slug"], [
            {"name": "MLAG pair", "slug": "mlag-pair"}, {"name": "Standalone switch", "slug": "standalone-switch"}])
        member = {self.vlan_owner(d): d for d in self.devices}
        self.clusters = nb.sync("virtualization/clusters/", ["name"], [
            {"name": o, "type": types["mlag-pair" if o in self.pairs.values() else "standalone-switch"], "status": "active",
             "scope_type": "dcim.site", "scope_id": self.sites[self.devices[member[o]]["zone"]]}
            for o in dict.fromkeys([*self.pairs.values(), *owners])])
        groups = nb.sync("ipam/vlan-groups/", ["slug"], [
            {"name": o, "slug": slug(o), "scope_type": "virtualization.cluster", "scope_id": self.clusters[o],
             "description": f"VLANs of {o}"} for o in owners])
        self.ipam_roles = nb.sync("ipam/roles/", ["slug"], [
            {"name": n, "slug": slug(n)} for n in ("Management", "Underlay P2P", "MLAG peering", "MLAG iBGP", "Tenant")])
        peer_vlans = {o: self.config(d).get("mlag", {}).get("peer_vlan") for o, d in member.items()}
        self.vlan_role = lambda owner, v: ("mlag-peering" if v["id"] == peer_vlans[owner] else
                                           "mlag-ibgp" if v.get("trunk_groups") else "tenant")
        groups = {o: groups[slug(o)] for o in owners}
        ids = nb.sync("ipam/vlans/", ["group", "vid"], [
            {"group": groups[o], "vid": v["id"], "name": v["name"], "status": "active", "role": self.ipam_roles[self.vlan_role(o, v)],
             "custom_fields": cf(trunk_groups=",".join(v.get("trunk_groups", [])) or None, stp_disabled=v["stp_disabled"] or None)}
            for o, table in owners.items() for v in table])
        self.vlan_ids = {(o, v["id"]): ids[groups[o], v["id"]] for o, table in owners.items() for v in table}
        self.vlan_table = owners
        nb.sync("vpn/l2vpn-terminations/", ["assigned_object_type", "assigned_object_id"], [
            {"l2vpn": self.l2vpns[v["vni"]], "assigned_object_type": VLAN, "assigned_object_id": self.vlan_ids[o, v["id"]]}
            for o, table in owners.items() for v in table if v["vni"]])

    def vlan(self, device, vid):
        return self.vlan_ids[self.vlan_owner(device), vid]

    # ---------------------------------------------------------------------------- devices
    def contexts(self):
        """Settings without a field: shared by all -> context 'fabric', by a role -> 'role-NAME', else on the device."""
        data = {}
        for name, device in self.devices.items():
            c = device["config"]
            bgp = c.get("bgp", {})
            data[name] = pruned({
                "gnmi": {k: c["gnmi"][k] for k in ("transport", "provider", "tls", "vrf")},
                "lldp": {"management_interface": c.get("lldp_management_interface")},
                "routing": {"model": c.get("routing_model"), "ip_routing": True if "default" in c.get("ip_routing", []) else None,
                            "static": c.get("static_routes")},
                "spanning_tree": {k: v for k, v in c["spanning_tree"].items() if k != "disabled_vlans"},
                "mlag": {"dual_primary": c.get("mlag", {}).get("dual_primary")},
                "bgp": {k: bgp.get(k) for k in ("default_ipv4_unicast", "log_neighbor_changes", "distance", "maximum_paths")},
                "ospf": c.get("ospf"), **self.overrides.get(name, {})})
        fabric = common(list(data.values()))
        data = {d: minus(v, fabric) for d, v in data.items()}
        by_role = {}
        for role in dict.fromkeys(d["role"] for d in self.devices.values()):
            members = [d for d in self.devices if self.devices[d]["role"] == role]
            by_role[role] = common([data[d] for d in members])
            data.update({d: minus(data[d], by_role[role]) for d in members})
        self.local_context = data
        self.nb.sync("extras/config-contexts/", ["name"], [
            {"name": "fabric", "weight": 1000, "is_active": True, "roles": [], "tags": [FABRIC_TAG], "data": fabric},
            *({"name": f"role-{r}", "weight": 2000, "is_active": True, "roles": [self.roles[r]], "tags": [FABRIC_TAG], "data": d}
              for r, d in by_role.items() if d)])

    def create_devices(self):
        items = []
        for name, d in self.devices.items():
            mlag = d["config"].get("mlag", {})
            address = lambda text: text.split("/")[0] if text else None
            heartbeat = mlag.get("heartbeat", {})
            items.append({
                "name": name, "site": self.sites[d["zone"]], "role": self.roles[d["role"]], "device_type": self.types["arista-ceoslab"],
                "platform": self.platforms["arista-eos-" + slug(d["platform"]["image"].split(":")[1])], "status": "active",
                "cluster": self.clusters.get(self.vlan_owner(name)), "tags": [self.tags[FABRIC_TAG]],
                "local_context_data": self.local_context[name] or None,
                "custom_fields": cf(asn=d["asn"], router_id=d["router_id"], mlag_domain_id=mlag.get("domain_id"),
                                    mlag_local_address=address(mlag.get("local_ip")), mlag_peer_address=mlag.get("peer_address"),
                                    mlag_heartbeat_address=heartbeat.get("peer_address"), mlag_heartbeat_vrf=heartbeat.get("vrf"),
                                    mlag_virtual_mac=d["config"].get("virtual_router_mac"))})
        for h in self.facts["hosts"]:
            zone = self.devices[h["attached_to"][0]["device"]]["zone"]
            context = pruned({"default_gateway": h.get("default_gateway"), "routes": h["routes"] or None})
            items.append({"name": h["name"], "site": self.sites[zone], "role": self.roles["host"], "device_type": self.types["linux-host"],
                          "platform": None, "status": "active", "cluster": None, "tags": [], "description": h["attachment"],
                          "local_context_data": context or None})
        self.device_ids = self.nb.sync("dcim/devices/", ["name"], items)

    # ---------------------------------------------------------------------------- interfaces and cables
    def interface(self, device, i):
        """The NetBox form of one interface of a switch; references to other interfaces are added later."""
        c, kind, switchport = self.config(device), i["kind"], i.get("switchport", {})
        out = {"device": self.device_ids[device], "name": i["name"], "enabled": True, "mgmt_only": kind == "management",
               "type": {"management": "1000base-t", "ethernet": PORT_TYPE, "port-channel": "lag"}.get(kind, "virtual"),
               "description": i.get("description", ""), "mtu": i.get("mtu"), "vrf": self.vrf_ids[i["vrf"]] if i.get("vrf") else None,
               "mode": None, "untagged_vlan": None, "tagged_vlans": []}
        if kind == "ethernet" and not (i.get("routed") or "lag" in i or switchport):
            sys.exit(f"{device} {i['name']}: neither routed nor switchport nor LAG member")
        if kind == "svi":
            out.update(mode="access", untagged_vlan=self.vlan(device, int(i["name"][4:])))
        elif switchport.get("mode") == "access":
            out.update(mode="access", untagged_vlan=self.vlan(device, switchport["access_vlan"]))
        elif switchport.get("trunk_vlans"):
            out.update(mode="tagged", tagged_vlans=[self.vlan(device, v) for v in switchport["trunk_vlans"]])
        elif switchport.get("mode") == "trunk":
            out.update(mode="tagged-all")
        mlag, stp, fallback = c.get("mlag", {}), i.get("stp", {}), i.get("lacp_fallback", {})
        out["custom_fields"] = cf(
            mlag_peer_link=True if i["name"] == mlag.get("peer_link") else None,
            mlag_local_interface=True if i["name"] == mlag.get("local_interface") else None,
            mlag_id=i.get("mlag_id"), lacp_mode=i.get("lag", {}).get("lacp_mode"),
            lacp_fallback=fallback.get("mode"), lacp_fallback_timeout=fallback.get("timeout_s"),
            dot1q_vlan=i.get("dot1q_vlan"), autostate=i.get("autostate"),
            trunk_groups=",".join(switchport.get("trunk_groups", [])) or None,
            stp_link_type=stp.get("link_type"), stp_portfast=stp.get("portfast"), stp_bpduguard=stp.get("bpduguard"))
        if kind == "vxlan":
            out["custom_fields"].update(cf(vxlan_udp_port=c["vxlan"]["udp_port"], vxlan_learn_restrict=c["vxlan"]["learn_restrict"]))
        return out

    def host_interfaces(self):
        """{(host, name): (interface, name of the LAG or parent it hangs on)}"""
        out = {}
        for h in self.facts["hosts"]:
            ports = [a["host_interface"] for a in h["attached_to"]]
            add = lambda name, type_, parent=None, **more: out.setdefault((h["name"], name), (
                {"device": self.device_ids[h["name"]], "name": name, "type": type_, "enabled": True, **more}, parent))
            add("eth0", "1000base-t", mgmt_only=True)
            base = self.subinterface_parent(h["interface"])
            lag = base if base not in ports else None
            for port in ports:
                add(port, PORT_TYPE, lag, custom_fields=cf(lacp_mode="active" if lag else None))
            if lag:
                add(lag, "lag")
            if h["interface"] != base:
                add(h["interface"], "virtual", base, custom_fields=cf(dot1q_vlan=h["vlan"]))
        return out

    def interfaces(self):
        """LAGs, parents and VXLAN sources have to exist before the interfaces that refer to them."""
        first, second = [], []
        self.iface = {}
        ref = {}
        for device, i in self.each_interface():
            item = self.interface(device, i)
            if "lag" in i:
                ref[device, i["name"]] = ("lag", i["lag"]["port_channel"])
            elif i["kind"] == "subinterface":
                ref[device, i["name"]] = ("parent", self.subinterface_parent(i["name"]))
            elif i["kind"] == "vxlan":
                ref[device, i["name"]] = ("source", self.config(device)["vxlan"]["source_interface"])
            (second if (device, i["name"]) in ref else first).append((device, item))
        for (host, name), (item, parent) in self.host_interfaces().items():
            if parent:
                ref[host, name] = ("parent" if item["type"] == "virtual" else "lag", parent)
            (second if parent else first).append((host, item))
        names = {i: n for n, i in self.device_ids.items()}
        scope = {"device_id": list(self.device_ids.values())}

        def store(items):
            ids = self.nb.sync("dcim/interfaces/", ["device", "name"], items, **scope)
            self.iface.update({(names[d], n): i for (d, n), i in ids.items()})

        store([item for _, item in first])
        for device, item in second:
            how, target = ref[device, item["name"]]
            if how == "source":
                item["custom_fields"].update(cf(vxlan_source_interface=self.iface[device, target]))
            else:
                item[how] = self.iface[device, target]
        store([item for _, item in second])

    def cables(self):
        end = lambda e: [{"object_type": INTERFACE, "object_id": self.iface[e["device"], e["interface"]]}]
        key = lambda c: (c["a_terminations"][0]["object_id"], c["b_terminations"][0]["object_id"])
        self.nb.sync("dcim/cables/", key, [
            {"a_terminations": end(link["a"]), "b_terminations": end(link["b"]), "status": "connected", "description": link["kind"]}
            for link in self.facts["links"]], immutable=("a_terminations", "b_terminations"), device_id=list(self.device_ids.values()))

    # ---------------------------------------------------------------------------- prefixes and addresses
    def host_vlan(self, host):
        """(owner of the VLAN table, vid, vrf) of the VLAN a host sits in"""
        at = host["attached_to"][0]
        port = next(i for i in self.config(at["device"])["interfaces"] if i["name"] == at["interface"])
        vid = host.get("vlan") or port["switchport"]["access_vlan"]
        zone = self.devices[at["device"]]["zone"]
        row = next(v for v in self.facts["vlans"] if v["zone"] == zone and v["id"] == vid)
        return self.vlan_owner(row["devices"][0]), vid, row["l3_vrf"]

    def prefixes(self):
        found = {}

        def add(address, vrf, role, zone, vlan=None):
            net = ipaddress.ip_interface(address).network
            if net.prefixlen < 32 and net != self.network:
                found.setdefault((str(net), self.vrf_ids[vrf] if vrf else None), {
                    "prefix": str(net), "vrf": self.vrf_ids[vrf] if vrf else None, "status": "active", "role": self.ipam_roles[role],
                    "vlan": vlan, "scope_type": "dcim.site", "scope_id": self.sites[zone]})

        for device, i in self.each_interface():
            if "ip" not in i:
                continue
            role, vlan = "underlay-p2p", None
            if i["kind"] == "svi":
                owner, vid = self.vlan_owner(device), int(i["name"][4:])
                role = self.vlan_role(owner, next(v for v in self.vlan_table[owner] if v["id"] == vid))
                vlan = self.vlan(device, vid)
            add(i["ip"], i.get("vrf"), role, self.devices[device]["zone"], vlan)
        for h in self.facts["hosts"]:
            owner, vid, vrf = self.host_vlan(h)
            add(h["ip"], vrf, "tenant", self.devices[h["attached_to"][0]["device"]]["zone"], self.vlan_ids[owner, vid])
        self.nb.sync("ipam/prefixes/", ["prefix", "vrf"], [*found.values(), {
            "prefix": str(self.network), "vrf": None, "status": "active", "role": self.ipam_roles["management"], "vlan": None,
            "scope_type": "dcim.sitegroup", "scope_id": self.site_group, "description": self.facts["lab"]["mgmt_network"]["name"]}])

    def addresses(self):
        lab, items, where = self.facts["lab"], [], []
        times = collections.Counter(i["ip"] for _, i in self.each_interface() if "ip" in i)
        announced = self.announced()
        unknown = announced - {(d, i.get("vrf"), i.get("ip")) for d, i in self.each_interface()}
        if unknown:
            sys.exit(f"network statements for addresses the device does not have: {sorted(unknown)}")

        def add(device, name, address, vrf=None, role=None, tags=(), **more):
            where.append((device, vrf, address.split("/")[0]))
            items.append({"address": address, "vrf": self.vrf_ids[vrf] if vrf else None, "status": "active", "role": role,
                          "assigned_object_type": INTERFACE if name else None, "assigned_object_id": self.iface[device, name] if name else None,
                          "tags": [self.tags[t] for t in tags], "custom_fields": cf(virtual_ip=True if role == "anycast" else None), **more})

        for device, i in self.each_interface():
            if "ip" in i:
                role = "anycast" if times[i["ip"]] > 1 else "loopback" if i["kind"] == "loopback" else None
                dns = {"dns_name": lab["container_prefix"] + device} if i["kind"] == "management" else {}
                add(device, i["name"], i["ip"], i.get("vrf"), role, (NETWORK_TAG,) if (device, i.get("vrf"), i["ip"]) in announced else (), **dns)
            if "virtual_router_address" in i:
                add(device, i["name"], f"{i['virtual_router_address']}/{i['ip'].split('/')[1]}", i.get("vrf"), "anycast")
        for h in self.facts["hosts"]:
            add(h["name"], "eth0", f"{h['mgmt_ip']}/{self.network.prefixlen}")
            add(h["name"], h["interface"], h["ip"], self.host_vlan(h)[2])
        add(None, None, f"{lab['mgmt_network']['gateway']}/{self.network.prefixlen}", description=f"gateway of {lab['mgmt_network']['name']}")
        for vrf, address in self.outside():                 # a session needs an object for a peer that nobody here owns
            add(None, None, address, vrf, description="BGP peer outside this fabric")
        key = lambda o: (o["address"], (o["vrf"] or {}).get("id") if isinstance(o["vrf"], dict) else o["vrf"], o["assigned_object_id"])
        ids = self.nb.sync("ipam/ip-addresses/", key, items)
        self.address_ids = {w: ids[key(item)] for w, item in zip(where, items)}
        primary = {d: self.address_ids[d, None, x["mgmt"]["ip"].split("/")[0]] for d, x in self.devices.items()}
        primary.update({h["name"]: self.address_ids[h["name"], None, h["mgmt_ip"]] for h in self.facts["hosts"]})
        self.nb.sync("dcim/devices/", ["name"], [{"name": d, "primary_ip4": i} for d, i in primary.items()])
        self.nb.sync("ipam/services/", ["parent_object_id", "name"], [
            {"parent_object_type": DEVICE, "parent_object_id": self.device_ids[d], "name": "gnmi", "ipaddresses": [primary[d]],
             "port_mappings": [f"tcp/{x['config']['gnmi']['port']}"]} for d, x in self.devices.items()])

    def announced(self):
        """{(device, vrf, network statement)}"""
        return {(name, vrf, network) for name, device in self.devices.items()
                for vrf, part in self.bgp_instances(device) for af in part["address_families"].values() for network in af["networks"]}

    def local_interface(self, device, vrf, neighbor):
        """The interface a session runs from: the update source, or the one that shares the neighbor's subnet."""
        c = self.config(device)
        group = next((g for g in c["bgp"]["peer_groups"] if g["name"] == neighbor.get("peer_group")), {})
        source = neighbor.get("update_source") or group.get("update_source")
        peer = ipaddress.ip_address(neighbor["address"])
        for i in c["interfaces"]:
            if "ip" in i and i.get("vrf") == vrf and (i["name"] == source if source else peer in ipaddress.ip_interface(i["ip"]).network):
                return i
        sys.exit(f"{device}: no interface towards {neighbor['address']}")

    def outside(self):
        found = {}
        for device, vrf, _, n in self.each_neighbor():
            if not n["peer_device"]:
                found[vrf, f"{n['address']}/{self.local_interface(device, vrf, n)['ip'].split('/')[1]}"] = True
        return found

    # ---------------------------------------------------------------------------- BGP
    def policies(self):
        """Lists and policies of the same name may differ per device: one object per content, `applies_to` says where."""
        lists, maps = collections.defaultdict(list), collections.defaultdict(list)
        for name, device in self.devices.items():
            for p in device["config"].get("prefix_lists", []):
                lists[p["name"], json.dumps(p["entries"])].append(name)
            for m in sorted({m["name"] for m in device["config"].get("route_maps", [])}):
                entries = [e for e in device["config"]["route_maps"] if e["name"] == m]
                maps[m, json.dumps(entries), self.matched(device, entries)].append(name)
        bgp = "plugins/bgp/"
        on = lambda devices: {"description": squash(devices), "custom_fields": cf(applies_to=[self.device_ids[d] for d in devices])}
        pl = self.nb.sync(bgp + "prefix-list/", ["name", "description"], [
            {"name": name, "family": "ipv4", **on(devices)} for (name, _), devices in lists.items()])
        self.nb.sync(bgp + "prefix-list-rule/", ["prefix_list", "index"], [
            {"prefix_list": pl[name, squash(devices)], "index": e["seq"], "action": e["action"], "prefix_custom": e["prefix"],
             "ge": e.get("ge"), "le": e.get("le")} for (name, entries), devices in lists.items() for e in json.loads(entries)])
        list_on = {(d, name): pl[name, squash(devices)] for (name, _), devices in lists.items() for d in devices}
        rp = self.nb.sync(bgp + "routing-policy/", ["name", "description"], [
            {"name": name, **on(devices)} for (name, *_), devices in maps.items()])
        self.nb.sync(bgp + "routing-policy-rule/", ["routing_policy", "index"], [
            {"routing_policy": rp[name, squash(devices)], "index": e["seq"], "action": e["action"],
             "match_ip_address": [list_on[devices[0], m["prefix_list"]] for m in e.get("match", [])],
             "set_actions": e.get("set")} for (name, entries, _), devices in maps.items() for e in json.loads(entries)])
        self.policy_on = {(d, name): rp[name, squash(devices)] for (name, *_), devices in maps.items() for d in devices}

    def matched(self, device, entries):
        """The content of the prefix lists a route map uses: equal maps over different lists are different policies."""
        names = {m["prefix_list"] for e in entries for m in e.get("match", [])}
        return json.dumps([p for p in device["config"].get("prefix_lists", []) if p["name"] in names])

    def bgp_attributes(self, thing, address_families, name):
        """What a group or neighbor says beyond the plugin's fields."""
        limit = thing.get("maximum_routes", {})
        return pruned({
            "address_families": [AFI_SAFI[af] for af, x in address_families.items() if name in x["activate"]] or None,
            "update_source": thing.get("update_source"), "ebgp_multihop": thing.get("ebgp_multihop"),
            "next_hop_self": thing.get("next_hop_self"), "next_hop_unchanged": thing.get("next_hop_unchanged"),
            "send_community": thing.get("send_community"),
            "maximum_routes": limit.get("limit"), "maximum_routes_warning_only": limit.get("warning_only")})

    def attached(self, device, address_families, name):
        """Routing policies in and out of a group or neighbor."""
        used = [p for x in address_families.values() for p in x["policies"] if p["neighbor"] == name]
        pick = lambda way: [self.policy_on[device, p["route_map"]] for p in used if p["direction"] == way]
        return {"import_policies": pick("in"), "export_policies": pick("out")}

    def sessions(self):
        content = collections.defaultdict(list)     # one peer-group object per content
        for name, device in self.devices.items():
            bgp = device["config"].get("bgp")
            for g in bgp["peer_groups"] if bgp else ():
                afs = bgp["address_families"]
                item = {"name": g["name"], "remote_as": self.asns[g["remote_as"]] if "remote_as" in g else None,
                        "extra_attributes": self.bgp_attributes(g, afs, g["name"]), **self.attached(name, afs, g["name"])}
                content[json.dumps(item)].append(name)
        groups = self.nb.sync("plugins/bgp/peer-group/", ["name", "description"], [
            {**json.loads(item), "description": squash(devices)} for item, devices in content.items()])
        group_on = {(d, json.loads(item)["name"]): groups[json.loads(item)["name"], squash(devices)]
                    for item, devices in content.items() for d in devices}
        items = []
        for device, vrf, afs, n in self.each_neighbor():
            d, extra = self.devices[device], self.bgp_attributes(n, afs, n["address"])
            limit = extra.pop("maximum_routes", None)        # a session has a field for it, a peer group has not
            local = self.local_interface(device, vrf, n)["ip"].split("/")[0]
            af = "+".join(n["active_afs"])
            items.append({
                "name": "-".join(filter(None, (device, n["peer_device"] or n["address"], af, vrf))),
                "device": self.device_ids[device], "site": self.sites[d["zone"]], "status": "active",
                "local_address": self.address_ids[device, vrf, local], "remote_address": self.address_ids[n["peer_device"], vrf, n["address"]],
                "local_as": self.asns[d["asn"]], "remote_as": self.asns[n["effective_remote_as"]],
                "peer_group": group_on.get((device, n.get("peer_group"))), "max_prefixes": limit, "extra_attributes": extra,
                **self.attached(device, afs, n["address"])})
        self.nb.sync("plugins/bgp/session/", ["device", "name"], items)

    # ---------------------------------------------------------------------------- options
    def webhook(self, url, secret):
        hook = self.nb.sync("extras/webhooks/", ["name"], [
            {"name": "fabric-console", "payload_url": url, "http_method": "POST", "http_content_type": "application/json",
             "secret": secret, "ssl_verification": url.startswith("https")}])["fabric-console"]
        self.nb.sync("extras/event-rules/", ["name"], [
            {"name": "fabric-intent-changed", "enabled": True, "action_type": "webhook", "action_object_type": "extras.webhook",
             "action_object_id": hook, "event_types": ["object_created", "object_updated", "object_deleted"],
             "object_types": [DEVICE, INTERFACE, "dcim.cable", ADDRESS, "ipam.prefix", VLAN, "ipam.vlangroup", VRF, "ipam.routetarget",
                              "ipam.asn", L2VPN, "vpn.l2vpntermination", "extras.configcontext", "netbox_bgp.bgpsession",
                              "netbox_bgp.bgppeergroup", "netbox_bgp.routingpolicyrule", "netbox_bgp.prefixlistrule"]}])

    def synthetic(self, devices, ports):
        site = self.nb.sync("dcim/sites/", ["slug"], [{"name": "LOAD", "slug": "load", "status": "planned"}])["load"]
        ids = self.nb.sync("dcim/devices/", ["name"], [
            {"name": f"load{n:04d}", "site": site, "role": self.roles["leaf"], "device_type": self.types["arista-ceoslab"],
             "status": "planned", "custom_fields": cf(asn=4200000000 + n)} for n in range(devices)], site_id=site)
        self.nb.sync("dcim/interfaces/", ["device", "name"], [
            {"device": i, "name": f"Ethernet{p}", "type": PORT_TYPE, "enabled": True, "mtu": 9214, "description": f"port {p}"}
            for i in ids.values() for p in range(1, ports + 1)], site_id=site)


def main():
    ap = argparse.ArgumentParser(description="Seed a NetBox from a fabric facts file.")
    ap.add_argument("--fabric", required=True, help="facts file, schema fabric-facts/1")
    ap.add_argument("--coverage", action="store_true", help="list where each fact goes and stop")
    ap.add_argument("--webhook", metavar="URL", help="also create a webhook and its event rule")
    ap.add_argument("--secret", default="lab-webhook-secret", help="the webhook's HMAC secret")
    ap.add_argument("--synthetic", type=int, metavar="N", help="also create N plain leafs in a site 'load'")
    ap.add_argument("--ports", type=int, default=50, help="interfaces of each of those")
    args = ap.parse_args()
    facts = json.loads(pathlib.Path(args.fabric).read_text())
    if facts.get("schema") != "fabric-facts/1":
        sys.exit(f"{args.fabric}: not a fabric facts file")
    places = read_coverage(facts)
    if args.coverage:
        for path, place in places.items():
            print(f"{path:70} {place}")
        return
    netbox = NetBox(os.environ.get("NETBOX_URL", "http://127.0.0.1:8000"), os.environ["NETBOX_TOKEN"])
    started, seed = time.time(), Seed(netbox, facts)
    seed.run()
    if args.webhook:
        seed.webhook(args.webhook, args.secret)
    if args.synthetic:
        seed.synthetic(args.synthetic, args.ports)
    print(f"{facts['name']} in {time.time() - started:.1f}s: {netbox.stats}")


if __name__ == "__main__":
    main()
