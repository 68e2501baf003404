#!/usr/bin/env python3
"""Have a REAL NetBox and the simulated one post the same changes to a webhook, and name every difference.

    python3 webhooks.py REAL_URL REAL_TOKEN SIMULATED_URL SIMULATED_TOKEN

Both must hold the reference fabric, on this machine. A webhook and its rule are made, an interface, a VLAN and a config context are edited, and
everything is undone. Exit status 1 when there is a difference.
"""
import hashlib
import hmac
import http.server
import json
import sys
import threading
import time
import urllib.request

SECRET = "compare-secret"
TYPES = ["dcim.interface", "ipam.vlan", "ipam.ipaddress", "extras.configcontext", "vpn.l2vpntermination", "netbox_bgp.bgpsession"]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def ask(base, token, method, path, body=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(base + path, method=method, headers=headers, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def posts(base, token):
    """Every post of the same calls, as it came; the ids of what was made."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posts = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    call = lambda *a: ask(base, token, *a)
    hook = call("POST", "/api/extras/webhooks/", {"name": "webhooks.py", "payload_url": f"http://127.0.0.1:{server.server_port}/hook", "secret": SECRET,
                "http_method": "POST", "http_content_type": "application/json", "ssl_verification": False})["id"]
    rule = call("POST", "/api/extras/event-rules/", {"name": "webhooks.py", "enabled": True, "action_type": "webhook", "action_object_type": "extras.webhook",
                "action_object_id": hook, "event_types": ["object_created", "object_updated", "object_deleted"], "object_types": TYPES})["id"]
    vlan = None
    try:
        call("PATCH", "/api/dcim/interfaces/27/", {"mtu": 9000})
        call("PATCH", "/api/dcim/interfaces/27/", {"mtu": 9214})
        call("PATCH", "/api/dcim/interfaces/", [{"id": 27, "description": "a"}, {"id": 28, "description": "b"}])
        call("PATCH", "/api/dcim/interfaces/", [{"id": 27, "description": "spine1"}, {"id": 28, "description": "spine2"}])
        vlan = call("POST", "/api/ipam/vlans/", {"vid": 998, "name": "webhook", "group": 1})["id"]
        call("POST", "/api/vpn/l2vpn-terminations/", {"l2vpn": 1, "assigned_object_type": "ipam.vlan", "assigned_object_id": vlan})
        call("DELETE", f"/api/ipam/vlans/{vlan}/")
        session = call("GET", "/api/plugins/bgp/session/1/")["description"]
        call("PATCH", "/api/plugins/bgp/session/1/", {"description": "\u00e9"})
        call("PATCH", "/api/plugins/bgp/session/1/", {"description": session})
        want = 2 + 4 + 2 + 2 + 2
        for _ in range(600):
            if len(server.posts) >= want:
                break
            time.sleep(0.2)
        time.sleep(1)
    finally:
        call("DELETE", f"/api/extras/event-rules/{rule}/")
        call("DELETE", f"/api/extras/webhooks/{hook}/")
        server.shutdown()
    return server.posts, vlan


def blank(value, vlan):
    """Without times and ids a server counts up, and without what Django keeps for itself."""
    if isinstance(value, dict):
        times = ("created", "last_updated", "timestamp")
        return {k: "-" if k in times and v else blank(v, vlan) for k, v in value.items() if not k.startswith("_") or k in ("_occupied", "_depth")}
    if isinstance(value, list):
        return [blank(v, vlan) for v in value]
    if value == vlan or isinstance(value, str) and str(vlan) in value:
        return "VLAN" if value == vlan else value.replace(f"/{vlan}/", "/VLAN/")
    return value


def comparable(base, token):
    rows = []
    got, vlan = posts(base, token)
    for headers, body in got:
        good = hmac.compare_digest(headers.get("X-Hook-Signature", ""), hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest())
        data = json.loads(body)
        data["request"]["id"] = "-"
        if data["object_type"] == "vpn.l2vpntermination":
            data["data"].update(id="-", url="-", display_url="-")
        if data["data"].get("l2vpn_termination"):
            data["data"]["l2vpn_termination"].update(id="-", url="-")
        for snapshot in data["snapshots"].values():
            # A field made after the object is not in its row until somebody writes it.
            for name in [n for n, v in (snapshot or {}).get("custom_fields", {}).items() if v is None]:
                del snapshot["custom_fields"][name]
        rows.append({"headers": sorted(headers), "agent": headers["User-Agent"].split("/")[0], "signed": good, **blank(data, vlan)})
    # Two workers may swap what one request did.
    return sorted(rows, key=lambda row: (row["object_type"], row["request"]["path"], json.dumps(row["snapshots"], sort_keys=True)))


def main():
    real, simulated = comparable(*sys.argv[1:3]), comparable(*sys.argv[3:5])
    bad = len(real) != len(simulated)
    print(f"{len(real)} posts of the real one, {len(simulated)} of the simulated one")
    for want, have in zip(real, simulated):
        for key in want:
            if want[key] == have.get(key):
                continue
            bad = True
            if isinstance(want[key], dict) and isinstance(have.get(key), dict):
                part = {k: (want[key].get(k), have[key].get(k)) for k in {**want[key], **have[key]} if want[key].get(k, "absent") != have[key].get(k, "absent")}
                print(want["object_type"], want["event"], key, json.dumps(part)[:1200])
            else:
                print(want["object_type"], want["event"], key, json.dumps([want[key], have.get(key)])[:600])
    sys.exit(bad)


if __name__ == "__main__":
    main()
