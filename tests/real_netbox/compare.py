#!/usr/bin/env python3
"""Ask a REAL NetBox and the simulated one the same questions, good and bad, and name every difference.

    python3 compare.py REAL_URL REAL_TOKEN SIMULATED_URL SIMULATED_TOKEN

Both must be freshly filled with the reference fabric (the recordings' seeding script; `lab --headless`). Objects are created, changed and
deleted in both: use throw-away servers. Exit status 1 when a difference is not in KNOWN, or one of KNOWN is none any more.
"""
import json
import re
import urllib.error
import urllib.request

from beside import compare

# What the lab's NetBox does not do, by call; "LOG n" and "LOGKEYS n" are the change log after the calls before it.
KNOWN = {
    'RAW /api/ipam/vlans/ "{bad"': "another JSON parser words it its own way",
    'PATCH /api/dcim/devices/3/ {"custom_fields": {"mlag_virtual_mac": "zz"}}': "regular expressions of custom fields are not checked",
    'POST /api/vpn/l2vpn-terminations/ {"l2vpn": 1, "assigned_object_type": "ipam.vlan", "assigned_object_id": 1}': "one message of two",
    'POST /api/plugins/bgp/peer-group/ {"name": "evpn", "description": "leaf1..8"}': "the plugin crashes (500), the lab refuses (400)",
    'POST /api/extras/config-contexts/ {"name": "x", "data": []}': "one message of two",
    "GET /api/core/object-changes/?changed_object_type=dcim.interface&limit=1&fields=id": "the lab's log starts with the last entries of the recording",
    "GET /api/dcim/": "only what the lab serves is listed",
    "GET /api/plugins/": "only what the lab serves is listed",
    "GET /api/plugins/bgp/": "only what the lab serves is listed",
    "DELETE /api/ipam/vrfs/1/": "the dependents come in another order",
    "DELETE /api/dcim/sites/1/": "NetBox counts VLANs of groups scoped to the site's clusters too",
    "LOG 1": "follows from the regular expression above",
    "LOGKEYS 1": "follows from the regular expression above",
    "LOGKEYS 5": "counters of a device are not logged",
    "LOG 8": "cable terminations have no entries of their own, their interfaces none for a cable that goes",
    "LOGKEYS 8": "as LOG 8",
    "LOG 9": "as LOG 8; a child interface gets an update before it goes",
    "LOGKEYS 9": "as LOG 8 and LOGKEYS 5",
}

# A third member is the body; RAW sends text that is not JSON.
CALLS = [
    ("POST","/api/ipam/vlans/",{"vid":40,"name":"x","group":1}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"test-l2-vxlan","group":1}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","group":99}),
    ("POST","/api/ipam/vlans/",{"vid":"forty","name":"x"}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":None}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","status":"nope"}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","status":{"value":"active"}}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","group":{"slug":"nope"}}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","group":"leaf1-leaf2"}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x"*70}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","custom_fields":{"nope":1}}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","custom_fields":{"stp_disabled":"yes"}}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","custom_fields":{"trunk_groups":5}}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","tags":[{"slug":"nope"}]}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","tags":[99]}),
    ("POST","/api/ipam/vlans/",{"vid":41,"name":"x","tenant":5}),
    ("POST","/api/ipam/vlans/","text"),
    ("POST","/api/ipam/vlans/",5),
    ("POST","/api/ipam/vlans/",[]),
    ("POST","/api/ipam/vlans/",["a"]),
    ("RAW","/api/ipam/vlans/","{bad"),
    ("PATCH","/api/ipam/vlans/",{"id":1}),
    ("PATCH","/api/ipam/vlans/",[{"name":"x"}]),
    ("PATCH","/api/ipam/vlans/",[{"id":9999,"name":"x"}]),
    ("PATCH","/api/ipam/vlans/",[{"id":1,"vid":5000},{"id":2,"description":"ok"}]),
    ("DELETE","/api/ipam/vlans/",[{"id":9999}]),
    ("DELETE","/api/ipam/vlans/",[{"name":"x"}]),
    ("PATCH","/api/ipam/vlans/1/",{"id":77}),
    ("PUT","/api/ipam/vlans/1/",{"description":"x"}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.0.1.0/31"}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.0.1.300/31"}),
    ("POST","/api/ipam/ip-addresses/",{"address":""}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.34.34.1/24","vrf":1}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.99.0.0/24","assigned_object_type":"dcim.interface","assigned_object_id":27}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.99.0.255/24","assigned_object_type":"dcim.interface","assigned_object_id":27}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.99.0.1/24","assigned_object_type":"dcim.interface","assigned_object_id":9999}),
    ("POST","/api/ipam/ip-addresses/",{"address":"10.99.0.1/24","assigned_object_type":"dcim.nope","assigned_object_id":1}),
    ("POST","/api/ipam/prefixes/",{"prefix":"10.0.1.0/31"}),
    ("POST","/api/ipam/prefixes/",{"prefix":"10.200.1.1/24","custom_fields":{}}),
    ("POST","/api/ipam/prefixes/",{"prefix":"10.200.2.0/24","scope_type":"dcim.site","scope_id":99}),
    ("POST","/api/dcim/interfaces/",{"device":3,"name":"Ethernet1","type":"virtual"}),
    ("POST","/api/dcim/interfaces/",{"device":3,"name":"Vlan7","type":"virtual","custom_fields":{"mlag_id":"x"}}),
    ("POST","/api/dcim/interfaces/",{"device":3,"name":"Vlan7","type":"nope"}),
    ("POST","/api/dcim/interfaces/",{"device":3,"name":"Vlan7","type":""}),
    ("PATCH","/api/dcim/interfaces/108/",{"lag":27}),
    ("PATCH","/api/dcim/interfaces/108/",{"lag":38}),
    ("PATCH","/api/dcim/interfaces/27/",{"tagged_vlans":[1]}),
    ("PATCH","/api/dcim/interfaces/27/",{"mode":"access","tagged_vlans":[1]}),
    ("PATCH","/api/dcim/interfaces/27/",{"untagged_vlan":1}),
    ("PATCH","/api/dcim/interfaces/27/",{"mtu":0}),
    ("PATCH","/api/dcim/interfaces/27/",{"mtu":"9000x"}),
    ("PATCH","/api/dcim/interfaces/27/",{"enabled":"maybe"}),
    ("PATCH","/api/dcim/interfaces/109/",{"custom_fields":{"vxlan_source_interface":9999}}),
    ("PATCH","/api/dcim/devices/3/",{"primary_ip4":1}),
    ("PATCH","/api/dcim/devices/3/",{"custom_fields":{"asn":0}}),
    ("PATCH","/api/dcim/devices/3/",{"custom_fields":{"mlag_virtual_mac":"zz"}}),
    ("PATCH","/api/dcim/devices/3/",{"local_context_data":[1]}),
    ("POST","/api/ipam/route-targets/",{"name":"1:100001"}),
    ("POST","/api/ipam/roles/",{"name":"a b","slug":"a b"}),
    ("POST","/api/ipam/asns/",{"asn":65000,"rir":1}),
    ("POST","/api/vpn/l2vpn-terminations/",{"l2vpn":1,"assigned_object_type":"ipam.vlan","assigned_object_id":1}),
    ("POST","/api/vpn/l2vpn-terminations/",{"l2vpn":1,"assigned_object_type":"ipam.vlan","assigned_object_id":999}),
    ("POST","/api/plugins/bgp/session/",{"name":"x"}),
    ("POST","/api/plugins/bgp/peer-group/",{"name":"evpn","description":"leaf1..8"}),
    ("POST","/api/extras/config-contexts/",{"name":"x","data":{},"tags":["nope"]}),
    ("POST","/api/extras/config-contexts/",{"name":"x","data":[]}),
    ("GET","/api/dcim/devices/?tag=nope"),
    ("GET","/api/dcim/devices/?status=nope"),
    ("GET","/api/dcim/devices/?status=active&status=planned&brief=1"),
    ("GET","/api/ipam/vlans/?available_on_device=999"),
    ("GET","/api/plugins/bgp/session/?site=dc"),
    ("GET","/api/dcim/devices/?id=abc"),
    ("GET","/api/ipam/ip-addresses/?vrf=gold&fields=id"),
    ("GET","/api/dcim/interfaces/?device=nope"),
    ("GET","/api/dcim/devices/?region=x"),
    ("GET","/api/dcim/devices/?tenant_id=4"),
    ("GET","/api/ipam/ip-addresses/?parent=bad"),
    ("GET","/api/ipam/ip-addresses/?address=bad"),
    ("GET","/api/dcim/devices/?ordering=nope&fields=id"),
    ("GET","/api/dcim/devices/?limit=-1&fields=id"),
    ("GET","/api/dcim/devices/?start=0&ordering=name&limit=3&fields=id"),
    ("GET","/api/dcim/devices/?start=abc&fields=id&limit=2"),
    ("GET","/api/dcim/devices/?offset=100&limit=5&fields=id"),
    ("GET","/api/dcim/devices/?offset=5&limit=3&fields=id"),
    ("GET","/api/dcim/devices/?fields=nope"),
    ("GET","/api/dcim/devices/3/?fields=id,name"),
    ("GET","/api/dcim/devices/3/?omit=config_context,custom_fields,tags"),
    ("GET","/api/dcim/devices/3/?brief=true"),
    ("GET","/api/ipam/prefixes/?brief=1&limit=2"),
    ("GET","/api/ipam/services/?brief=1&limit=1"),
    ("GET","/api/dcim/cables/?brief=1&limit=1"),
    ("GET","/api/plugins/bgp/session/?brief=1&limit=1"),
    ("GET","/api/vpn/l2vpn-terminations/?brief=1"),
    ("GET","/api/dcim/device-roles/?brief=1"),
    ("GET","/api/ipam/roles/?brief=1"),
    ("GET","/api/extras/tags/?brief=1"),
    ("GET","/api/extras/custom-fields/?brief=1&limit=1"),
    ("GET","/api/extras/config-contexts/?brief=1"),
    ("GET","/api/dcim/platforms/?brief=1"),
    ("GET","/api/dcim/device-types/?brief=1"),
    ("GET","/api/dcim/interfaces/?cabled=true&limit=1&fields=id"),
    ("GET","/api/dcim/interfaces/?vlan=40&limit=1000&fields=id"),
    ("GET","/api/dcim/interfaces/?vlan_id=1&fields=id"),
    ("GET","/api/dcim/interfaces/?name__ic=po&device=leaf1&fields=id"),
    ("GET","/api/dcim/interfaces/?role=spine&fields=id&limit=3"),
    ("GET","/api/dcim/interfaces/?mtu__gte=9000&fields=id&limit=3"),
    ("GET","/api/dcim/interfaces/?q=leaf1&fields=id&limit=50"),
    ("GET","/api/ipam/prefixes/?contains=10.0.1.5&fields=prefix"),
    ("GET","/api/ipam/prefixes/?site=dc&limit=1&fields=id"),
    ("GET","/api/ipam/ip-addresses/?tag=bgp-network&limit=2&fields=id"),
    ("GET","/api/plugins/bgp/session/?device=leaf1&fields=id"),
    ("GET","/api/plugins/bgp/session/?peer_group=1&fields=id"),
    ("GET","/api/plugins/bgp/session/?local_as=65001&fields=id"),
    ("GET","/api/plugins/bgp/session/?remote_address=10.0.1.0/31&fields=id"),
    ("GET","/api/core/object-changes/?changed_object_type=dcim.interface&limit=1&fields=id"),
    ("GET","/api/core/object-changes/?action=nope&limit=1&fields=id"),
    ("GET","/api/core/object-changes/?time_after=bad&limit=1&fields=id"),
    ("GET","/api/dcim/"),
    ("GET","/api/plugins/"),
    ("GET","/api/plugins/bgp/"),
    ("DELETE","/api/ipam/vlans/1/"),
    ("DELETE","/api/ipam/asns/1/"),
    ("DELETE","/api/ipam/vrfs/1/"),
    ("DELETE","/api/ipam/vlan-groups/1/"),
    ("DELETE","/api/dcim/sites/1/"),
    ("DELETE","/api/ipam/rirs/1/"),
    ("DELETE","/api/dcim/device-roles/1/"),
    ("DELETE","/api/ipam/ip-addresses/",[{"id":87},{"id":72}]),
    ("PATCH","/api/ipam/prefixes/28/",{"vlan":None}),
    ("DELETE","/api/ipam/vlans/1/"),
    ("LOG",),
    ("GET","/api/dcim/interfaces/29/?fields=tagged_vlans"),
    ("DELETE","/api/dcim/interfaces/78/"),
    ("LOG",),
    ("DELETE","/api/dcim/interfaces/3/"),
    ("LOG",),
    ("DELETE","/api/dcim/interfaces/29/"),
    ("LOG",),
    ("DELETE","/api/dcim/interfaces/99/"),
    ("LOG",),
    ("PATCH","/api/dcim/interfaces/28/",{"description":"spine2"}),("LOG",),
    ("PATCH","/api/dcim/interfaces/28/",{"description":"msg","changelog_message":"why"}),("LOG",),
    ("DELETE","/api/dcim/cables/28/"),
    ("LOG",),
    ("GET","/api/dcim/interfaces/142/?fields=cable,cable_end,link_peers,connected_endpoints,connected_endpoints_reachable,_occupied"),
    ("DELETE","/api/dcim/devices/14/"),
    ("LOG",),
    ("DELETE","/api/plugins/bgp/peer-group/3/"),
    ("LOG",),
    ("DELETE","/api/ipam/route-targets/2/"),
    ("LOG",),
    ("GET","/api/vpn/l2vpns/1/?fields=import_targets"),
]


def ask(base, token, method, path, body):
    raw = method == "RAW"
    data = body.encode() if raw else None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(base + path, data=data, method="POST" if raw else method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    return status, re.sub(r'"(last_updated|created|time|request_id)": ?"[^"]*"', r'"\1":"-"', text.replace(base, "BASE"))


def answers(base, token):
    log = lambda query: json.loads(ask(base, token, "GET", f"/api/core/object-changes/?{query}", None)[1])["results"]
    last, logs = log("limit=1")[0]["id"], 0
    for method, *rest in CALLS:
        if method == "LOG":
            logs += 1
            rows = log(f"start={last + 1}&limit=100")
            last = rows[-1]["id"] if rows else last
            yield f"LOG {logs}", 0, [[r["action"]["value"], r["changed_object_type"], r["changed_object_id"], r["object_repr"], r["message"]] for r in rows]
            yield f"LOGKEYS {logs}", 0, [[sorted(r["prechange_data"] or []), sorted(r["postchange_data"] or [])] for r in rows]
            continue
        path, body = rest[0], rest[1] if len(rest) > 1 else None
        status, text = ask(base, token, method, path, body)
        try:
            text = json.loads(text)
        except ValueError:
            pass
        yield f"{method} {path}" + ("" if body is None else " " + json.dumps(body)), status, text


if __name__ == "__main__":
    compare("answers to calls that write", answers, KNOWN)
