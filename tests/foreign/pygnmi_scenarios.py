"""The lab's scenario scripts done by pygnmi: `pygnmi_scenarios.py LAB [ID…]`. Without ids each is done, looked at and undone."""

import json
import sys

from lab import BGP, ROOT, Lab

# Where the consequence of a scenario shows, on another device than the one it is done to where there is one.
SHOWS = {
    "D01": ("leaf1", f"{BGP}/neighbors/neighbor[neighbor-address=10.0.250.1]/state/session-state", "ESTABLISHED", "ACTIVE"),
    "D02": ("leaf3", f"{BGP}/global/networks/network[network=10.0.255.12/32]/config/network", "10.0.255.12/32", None),
    "D13": ("leaf2", "/interfaces/interface[name=Port-Channel1]/aggregation/switched-vlan/config/trunk-vlans", [40], None),
    "D15": ("leaf1", "/lacp/interfaces/interface[name=Port-Channel1]/members/member[interface=Ethernet1]/state/synchronization", "IN_SYNC", None),
    "D16": ("leaf6", "/interfaces/interface[name=Port-Channel1]/aggregation/config/mlag", 1, None),
    "D19": ("leaf5", "/interfaces/interface[name=Ethernet11]/subinterfaces/subinterface[index=0]/ipv4/config/mtu", 9214, 1500),
    "D20": ("leaf6", "/arista/eos/evpn/evpn-instances/evpn-instance[name=40]/route-target/config/import", ["40:110040"], ["40:110041"]),
    "D21": ("leaf8", "/arista/varp/config/varp-intf-config[intf-id=Vlan78]/virtual-ip-addr[virtual-ip-addr-key=10.78.78.1/32]/virtual-ip-addr-value", True, None),
    "D22": ("spine2", "/interfaces/interface[name=Ethernet4]/state/oper-status", "UP", "DOWN"),
}


def sets(identity):
    """(device, its Set as pygnmi arguments) of each event of a script."""
    script = json.loads((ROOT / "lab" / "scenarios" / f"{identity}.json").read_text(encoding="utf-8"))
    for event in script["event"]:
        parts = event.get("set")
        assert parts, f"{identity} is not done by a Set"
        yield event["device"], parts


def do(lab, identity):
    for device, parts in sets(identity):
        with lab.client(device) as client:
            # pygnmi does not quote a lone string: updates of a leaf go as its container with one member.
            update = [(part["path"].rsplit("/", 1)[0], {part["path"].rsplit("/", 1)[1]: part["value"]}) for part in parts.get("update", [])]
            replace = [(part["path"], part["value"]) for part in parts.get("replace", [])]
            client.set(delete=parts.get("delete"), replace=replace, update=update, encoding="json_ietf")
            if parts.get("cli"):
                client.set(update=[("cli:", parts["cli"])], encoding="ascii")


def undo(lab, identity, before):
    for device, _ in sets(identity):
        with lab.client(device) as client:
            client.set(replace=[("/", before[device])], encoding="json_ietf")
            client.set(update=[("cli:", before[device + " lines"])], encoding="ascii")


def main():
    lab = Lab(sys.argv[1])
    if sys.argv[2:]:
        for identity in sys.argv[2:]:
            do(lab, identity)
        return
    for identity, (device, path, healthy, broken) in SHOWS.items():
        before = {}
        for changed, _ in sets(identity):
            with lab.client(changed) as client:
                before[changed] = client.get(path=["/"], datatype="config", encoding="json_ietf")["notification"][0]["update"][0]["val"]
                before[changed + " lines"] = client.get(path=["cli:/show running-config"], encoding="ascii")["notification"][0]["update"][0]["val"]
        # A session takes its time to come up, as it does on a device.
        lab.until(device, path, healthy)
        do(lab, identity)
        lab.until(device, path, broken)
        undo(lab, identity, before)
        lab.until(device, path, healthy)
    print(f"pygnmi: scenarios {', '.join(SHOWS)}: each shows and is undone")


main()
