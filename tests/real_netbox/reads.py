#!/usr/bin/env python3
"""Ask a REAL NetBox and the simulated one for lists, in every way a client pages, filters and polls them, and name every difference.

    python3 reads.py REAL_URL REAL_TOKEN SIMULATED_URL SIMULATED_TOKEN

Both must hold the reference fabric. Only reads, but for one branch, which is written in both and deleted again. Of the change log only refusals
are compared: the lab's starts with the last entries of the recording. Exit status 1 when a difference is not in KNOWN, or one of KNOWN is none any more.
"""
import json
import time
import urllib.error
import urllib.request

from beside import compare

KNOWN = {}

LISTS = """
dcim/devices/?last_updated__gte=2000-01-01T00:00:00Z&limit=1&fields=id
dcim/devices/?last_updated__gt=2000-01-01&limit=1&fields=id
dcim/devices/?last_updated__lt=2020-01-01T00:00:00&limit=1&fields=id
dcim/devices/?created__gte=bad&limit=1&fields=id
dcim/devices/?last_updated__gte=2026-13-45T00:00:00Z&fields=id
dcim/devices/?created=2000-01-01&limit=1&fields=id
dcim/devices/?id=1&id=2&id=9999&fields=id
dcim/devices/?id__gte=10&fields=id
dcim/devices/?id__lt=3&fields=id
dcim/devices/?fields=id,name&omit=name&limit=1
dcim/devices/?limit=abc&fields=id
dcim/devices/?offset=-1&limit=1&fields=id
dcim/devices/?name=leaf1&name=leaf2&fields=id,name
dcim/devices/?nonsense=1&limit=1&fields=id
dcim/devices/?site=dc&tag=evpn-fabric&limit=2&offset=9&fields=id
dcim/interfaces/?device_id=9999&fields=id&limit=1
dcim/interfaces/?device_id=3&device_id=9999&fields=id&limit=1
dcim/interfaces/?device_id=3&device_id=4&fields=id&limit=2
dcim/interfaces/?id=9999&fields=id
dcim/interfaces/?id=1&id=abc&fields=id
dcim/interfaces/?start=100&limit=2&device_id=3&fields=id
dcim/interfaces/?start=9999&limit=2&fields=id
dcim/interfaces/?lag_id=9999&fields=id
dcim/interfaces/?vrf_id=9999&fields=id
dcim/cables/?id=1&id=2&fields=id,label
dcim/cables/?device_id=9999&fields=id
ipam/services/?id=1&id=2&fields=id
ipam/services/?device_id=9999&fields=id
ipam/services/?device=nope&fields=id
dcim/cables/?device=nope&fields=id
ipam/ip-addresses/?device=nope&fields=id
vpn/l2vpn-terminations/?device=nope&fields=id
vpn/l2vpn-terminations/?device_id=9999&fields=id
dcim/cables/?site=nope&fields=id
ipam/vlans/?id=1&fields=id,nope
ipam/vlans/?group_id=9999&fields=id
ipam/vlans/?group_id=1&group_id=9999&fields=id
ipam/vlan-groups/?id=1&id=2&fields=id
ipam/vrfs/?id=1&id=9&fields=id
ipam/prefixes/?vlan_id=9999&fields=id
ipam/prefixes/?id=1&id=2&fields=id
ipam/ip-addresses/?interface_id=9999&fields=id
ipam/ip-addresses/?device_id=3&device_id=9999&fields=id
ipam/ip-addresses/?device_id=9999&fields=id
ipam/ip-addresses/?vrf_id=9999&fields=id
ipam/ip-addresses/?id=1&id=2&fields=id
plugins/bgp/session/?id=1&id=2&fields=id
plugins/bgp/session/?device_id=9999&fields=id
plugins/bgp/session/?device_id=3&device_id=9999&fields=id
plugins/bgp/session/?start=0&limit=2&fields=id
plugins/bgp/peer-group/?id=1&id=2&fields=id
vpn/l2vpns/?id=1&fields=id
vpn/l2vpn-terminations/?id=1&fields=id
vpn/l2vpn-terminations/?l2vpn_id=9999&fields=id
virtualization/clusters/?id=1&id=2&fields=id
extras/config-contexts/?id=1&fields=id
extras/tags/?id=1&fields=id
core/object-changes/?request_id=x&limit=1&fields=id
core/object-changes/?user_id=9&limit=1&fields=id
core/object-changes/?user=nope&limit=1&fields=id
core/object-changes/?id=abc&limit=1&fields=id
core/object-changes/?time_after=bad&limit=1&fields=id
core/object-changes/?start=1&offset=2
core/object-changes/?start=abc
core/object-changes/?changed_object_type=nope.nope&limit=1&fields=id
core/object-changes/?id__gt=1000000&fields=id
core/object-changes/?start=1000000&limit=1000&fields=id
core/object-changes/?time_after=2100-01-01T00:00:00Z&fields=id
core/jobs/999999/
plugins/branching/branches/?name=nope&fields=id
plugins/branching/branches/?status=ready&name=nope
plugins/branching/changes/?branch_id=9999
plugins/branching/branches/9999/
plugins/branching/
extras/webhooks/?name=nope
extras/event-rules/?enabled=true&name=nope
extras/webhooks/9999/
""".split()


def ask(base, token, method, path, body=None, branch=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if branch:
        headers["X-NetBox-Branch"] = branch
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    text = text.replace(base, "BASE")
    try:
        return status, json.loads(text)
    except ValueError:
        return status, "a page" if text.lstrip().startswith("<") else text


def blank(value):
    """Without times, and the numbers a server counts up."""
    if isinstance(value, dict):
        return {k: "-" if k in ("created", "last_updated", "last_sync", "started", "completed", "execution_time", "job_id", "data", "schema_id")
                and v is not None else blank(v) for k, v in value.items()}
    return [blank(v) for v in value] if isinstance(value, (list, tuple)) else value


def branch(base, token):
    """A change in a branch, seen from inside and outside."""
    call = lambda *a, **k: ask(base, token, *a, **k)
    made = call("POST", "/api/plugins/branching/branches/", {"name": "compare", "description": "reads.py", "status": "merged"})
    own, schema = made[1]["id"], made[1]["schema_id"]
    here = f"/api/plugins/branching/branches/{own}/"
    number = lambda answer: (answer[0], {**answer[1], "id": "-", "url": answer[1]["url"].replace(here, "HERE")})
    try:
        yield "made", number(made)
        for _ in range(100):
            if call("GET", here)[1]["status"]["value"] == "ready":
                break
            time.sleep(0.3)
        yield "ready", number(call("GET", here))
        port = "/api/dcim/interfaces/27/"
        yield "inside", call("PATCH", port + "?fields=id,mtu", {"mtu": 9000, "changelog_message": "why"}, branch=schema)
        yield "outside", call("GET", port + "?fields=id,mtu")
        yield "by parameter", call("GET", f"{port}?fields=id,mtu&_branch={schema}")
        yield "bad parameter", call("GET", f"{port}?fields=id,mtu&_branch=nope")
        yield "bad header", call("GET", port, branch="nope")
        yield "bad header, status", call("GET", "/api/status/", branch="nope")[0]
        query = {"query": "{interface(id:27){mtu}}"}
        yield "GraphQL inside", call("POST", "/graphql/", query, branch=schema)
        yield "GraphQL by parameter", call("POST", f"/graphql/?_branch={schema}", query)
        yield "GraphQL bad header", call("POST", "/graphql/", query, branch="nope")
        log = call("GET", "/api/core/object-changes/?limit=5", branch=schema)
        rows = log[1]["results"]
        yield "log inside", [log[1]["count"], [[r["action"], r["changed_object_type"], r["changed_object_id"], r["message"]] for r in rows]]
        seen = call("GET", f"/api/plugins/branching/changes/?branch_id={own}")[1]["results"]
        for row in seen:
            yield "change", [row["display"], row["object_type"], row["object_id"], row["object_repr"], row["action"], row["conflicts"], row["diff"], blank(row["object"])]
            yield "change, data", [sorted(k for k in row[d] or {} if not k.startswith("_")) for d in ("original_data", "modified_data", "current_data")]
        job = call("POST", here + "merge/", {"commit": False})
        yield "rehearsal", [job[0], {k: v for k, v in job[1].items() if k not in ("id", "url", "display_url", "object_id", "object", "created", "job_id")}]
        for _ in range(60):
            done = call("GET", f"/api/core/jobs/{job[1]['id']}/")
            if done[1]["status"]["value"] == "completed":
                break
            time.sleep(0.3)
        yield "rehearsed", [done[0], done[1]["status"], sorted(done[1])]
        yield "archive", call("POST", here + "archive/")
        yield "outside still", call("GET", port + "?fields=id,mtu")
    finally:
        deleted = call("DELETE", here)
    yield "deleted", deleted
    yield "gone", call("GET", port, branch=schema)


def answers(base, token):
    for path in LISTS:
        yield path, ask(base, token, "GET", "/api/" + path)
    for number, (name, answer) in enumerate(branch(base, token)):
        yield f"branch {number}: {name}", blank(answer)


if __name__ == "__main__":
    compare("lists and branch calls", answers, KNOWN)
