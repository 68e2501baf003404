#!/usr/bin/env python3
"""Hold the simulated NetBox against the recordings of a real one, from outside and over HTTP.

    NETBOX_URL=http://127.0.0.1:PORT NETBOX_TOKEN=... python3 netbox_facts.py MATERIAL

MATERIAL is the folder with `netbox/` (recordings, check.py) and `fabric/` (facts). Three rounds:
1. every recorded GET is asked again and compared member by member;
2. the lists are read back into the fabric's facts: no difference allowed;
3. every edit of changes.json is made; the change log and the difference in facts must be the recorded ones.
The server is changed by round 3. Only the standard library is used. Exit status 1 on any difference.
"""
import importlib.util
import json
import os
import pathlib
import re
import sys
import tempfile
import urllib.error
import urllib.request

URL, TOKEN = os.environ["NETBOX_URL"].rstrip("/"), os.environ["NETBOX_TOKEN"]
RECORDED_BASE = "http://127.0.0.1:8900"
LISTS = {
    "devices": "dcim/devices/?tag=evpn-fabric", "interfaces": None, "vlans": "ipam/vlans/", "vlan-groups": "ipam/vlan-groups/",
    "vrfs": "ipam/vrfs/", "l2vpns": "vpn/l2vpns/", "l2vpn-terminations": "vpn/l2vpn-terminations/", "ip-addresses": None,
    "ip-addresses-all": "ipam/ip-addresses/", "services": None, "cables-all": "dcim/cables/", "asns": "ipam/asns/",
    "prefixes": "ipam/prefixes/", "bgp-session": "plugins/bgp/session/", "bgp-peer-group": "plugins/bgp/peer-group/",
    "bgp-prefix-list": "plugins/bgp/prefix-list/", "bgp-prefix-list-rule": "plugins/bgp/prefix-list-rule/",
    "bgp-routing-policy": "plugins/bgp/routing-policy/", "bgp-routing-policy-rule": "plugins/bgp/routing-policy-rule/"}
OF_DEVICES = {"interfaces": "dcim/interfaces/", "ip-addresses": "ipam/ip-addresses/", "services": "ipam/services/"}
wrong = 0


def complain(text):
    global wrong
    wrong += 1
    print(f"  {text}", file=sys.stderr)


def call(method, path, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(URL + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def rows(path):
    """Every row, page by page and by cursor, so that paging is part of the test."""
    found, start = [], 0
    while start is not None:
        status, body = call("GET", f"/api/{path}{'&' if '?' in path else '?'}limit=37&start={start}")
        assert status == 200, (path, status, body[:300])
        page = json.loads(body)
        found += page["results"]
        start = int(re.search(r"[?&]start=(\d+)", page["next"])[1]) if page["next"] else None
    return found


def dump(folder):
    ids = None
    for name, path in LISTS.items():
        if path is None:
            path = OF_DEVICES[name] + "?" + "&".join(f"device_id={i}" for i in ids)
        results = rows(path)
        if name == "devices":
            ids = [d["id"] for d in results]
        (folder / f"{name}.json").write_text(json.dumps({"results": results}))
    return folder


def different(have, want, at):
    if isinstance(have, dict) and isinstance(want, dict):
        if list(have) != list(want):
            return f"{at}: members {sorted(have.keys() ^ want.keys()) or 'in another order'}"
        return next((d for k in have if (d := different(have[k], want[k], f"{at}.{k}"))), None)
    if isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        return next((d for n, (a, b) in enumerate(zip(have, want)) if (d := different(a, b, f"{at}[{n}]"))), None)
    return None if have == want else f"{at}: {have!r}, recorded {want!r}"


def recordings(folder):
    # Not simulated: GraphQL, branches, webhooks, the list of content types; the log was recorded in part.
    skip = ("/graphql", "branching", "object-types", "webhooks", "event-rules", "object-changes", "bgp/peer-group")
    compared = 0
    for entry in json.loads((folder / "index.json").read_text()):
        plain = entry["method"] == "GET" and entry["status"] == 200 and not entry.get("needs_write")
        if not plain or any(s in entry["path"] for s in skip) or not entry["file"].endswith(".json"):
            continue
        status, body = call("GET", entry["path"])
        if status != entry["status"]:
            complain(f"{entry['path']}: {status}, recorded {entry['status']}")
            continue
        want = json.loads((folder / entry["file"]).read_text().replace(RECORDED_BASE, URL))
        problem = different(json.loads(body), want, entry["path"])
        if problem:
            complain(problem)
        compared += 1
    print(f"recorded answers: {compared} compared")


def facts(check, folder):
    intent = check.Intent(folder)
    return {d["name"]: dict(check.leaves(check.canonical(intent.device(d)))) for d in intent.devices}


def fill(value, names):
    if isinstance(value, str):
        if match := re.fullmatch(r"\{(\w+)\}", value):
            return names[match[1]]
        return re.sub(r"\{\{|\}\}|\{(\w+)\}", lambda m: str(names[m[1]]) if m[1] else m[0][0], value)
    if isinstance(value, list):
        return [fill(v, names) for v in value]
    return {k: fill(v, names) for k, v in value.items()} if isinstance(value, dict) else value


def replay(check, changes, scratch):
    before = facts(check, dump(scratch))
    for change in changes:
        last = json.loads(call("GET", "/api/core/object-changes/?limit=1")[1])["results"][0]["id"]
        names = {}
        for name, ref in change["refs"].items():
            found = json.loads(call("GET", ref["find"])[1])["results"]
            names[name] = found[0]["id"]
            if len(found) != 1 or names[name] != ref["id"]:
                complain(f"{change['id']}: {ref['find']} finds {[o['id'] for o in found]}, recorded {ref['id']}")
        for step in change["calls"]:
            status, body = call(step["method"], fill(step["path"], names), fill(step.get("body"), names))
            if status != step["expect"]:
                complain(f"{change['id']}: {step['method']} {step['path']}: {status} {body[:300]}, recorded {step['expect']}")
            if "save" in step:
                names[step["save"]] = json.loads(body)["id"]
        log = rows(f"core/object-changes/?start_from={last}")
        made = [{"action": r["action"]["value"], "type": r["changed_object_type"], "id": r["changed_object_id"]} for r in log if r["id"] > last]
        if made != change["object_changes"]:
            complain(f"{change['id']}: log {made}, recorded {change['object_changes']}")
        after = facts(check, dump(scratch))
        moved = {}
        for device in sorted(before.keys() | after.keys()):
            have, had = after.get(device, {}), before.get(device, {})
            paths = sorted(p for p in have.keys() | had.keys() if have.get(p) != had.get(p))
            if paths:
                moved[device] = [{"path": p.lstrip("."), "before": had.get(p), "after": have.get(p)} for p in paths]
        by_path = lambda diff: {d: sorted(l, key=lambda e: e["path"]) for d, l in diff.items()}
        if by_path(moved) != by_path(change["facts_diff"]):
            complain(f"{change['id']}: facts moved {json.dumps(moved)[:600]}")
        print(f"change {change['id']}: {len(made)} log entries, {sum(map(len, moved.values()))} facts moved on {len(moved)} devices")
        before = after


def main():
    material = pathlib.Path(sys.argv[1])
    spec = importlib.util.spec_from_file_location("check", material / "netbox" / "check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    recordings(material / "netbox" / "recorded")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        sys.argv = ["check.py", str(dump(scratch)), str(material / "fabric" / "fabric-10.json")]
        try:
            check.main()
        except SystemExit as end:
            if end.code:
                complain("facts differ")
        replay(check, json.loads((material / "netbox" / "recorded" / "changes.json").read_text())["changes"], scratch)
    print(f"{wrong} differences")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
