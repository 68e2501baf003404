#!/usr/bin/env python3
"""Intent from a REAL NetBox beside that of the simulated one: the same leaves, the same plans, branches and webhooks.

    python3 journey.py BINARY REAL_URL REAL_TOKEN REAL_CONFIG SIM_CONFIG [CHANGES]

REAL_CONFIG are settings of a running lab whose NetBox is the real one, SIM_CONFIG those of the same lab with its own. The real server holds
the reference fabric, has netbox-branching, and its worker runs. Every edit is made in a branch of the real server and planned with
`--branch`; one description is edited on main and put back. Exit status 1 at the first difference.
"""
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
import urllib.request

import requests

BINARY, URL, TOKEN, REAL, SIM = sys.argv[1:6]
CHANGES = sys.argv[6] if len(sys.argv) > 6 else "lab/netbox/changes.json"
HTTP = requests.Session()
HTTP.headers["Authorization"] = ("Bearer " if TOKEN.startswith("nbt_") else "Token ") + TOKEN


def call(method, path, body=None, branch=None):
    headers = {"X-NetBox-Branch": branch} if branch else {}
    answer = HTTP.request(method, URL + path, json=body, headers=headers, timeout=300)
    if answer.status_code >= 400:
        sys.exit(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
    return answer.json() if answer.content else None


def run(config, *arguments, codes=(0,)):
    done = subprocess.run([BINARY, "--config", config, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[:2000]}\n{done.stderr[:2000]}")
    return json.loads(done.stdout)


def anonymous(value):
    """Without what differs between two servers: addresses of pages, numbers of objects, people and times."""
    if isinstance(value, dict):
        gone = ("url", "user", "time", "request", "id")
        return {key: anonymous(item) for key, item in value.items() if key not in gone}
    if isinstance(value, list):
        return [anonymous(item) for item in value]
    return re.sub(r" #\d+", "", value) if isinstance(value, str) else value


def with_settings(config, **more):
    """The settings with more in the NetBox table."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    text, found = re.subn(r"(?m)^\[fabric\.\w+\.netbox\]\n", lambda match: match.group(0) + lines, open(config).read())
    assert found == 1, config
    file = tempfile.NamedTemporaryFile("w", suffix=".toml", dir=os.path.dirname(config), delete=False)
    with file:
        file.write(text)
    return file.name


def same_intent():
    simulated = run(SIM, "intent", "show", "--leaves", "--json")
    leaves = sum(len(device["leaves"]) for device in simulated["devices"])
    assert leaves > 1500, leaves
    ways = {"REST": with_settings(REAL, graphql="never"), "GraphQL": with_settings(REAL, graphql="always")}
    ways["simulated GraphQL"] = with_settings(SIM, graphql="always")
    for way, config in ways.items():
        real = run(config, "intent", "show", "--leaves", "--json")
        if anonymous(real) != anonymous(simulated):
            for a, b in zip(anonymous(real)["devices"], anonymous(simulated)["devices"]):
                for x, y in zip(a["leaves"], b["leaves"]):
                    if x != y:
                        sys.exit(f"{way}: {json.dumps(x)}\n{json.dumps(y)}")
            sys.exit(f"{way}: differs in devices or findings\n{json.dumps(anonymous(real))[:3000]}\n{json.dumps(anonymous(simulated))[:3000]}")
        print(f"the same {leaves} leaves and {len(real['findings'])} findings by {way}")


def rows(plan):
    changes = [[change[key] for key in ("device", "kind", "path")] + [change.get("desired"), change.get("observed")] for change in plan["changes"]]
    return changes, plan["waves"]


def fill(value, names):
    """`{name}` stands for an id, `{{` and `}}` for braces."""
    if isinstance(value, dict):
        return {key: fill(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if not isinstance(value, str):
        return value
    alone = re.fullmatch(r"\{(\w+)\}", value)
    if alone:
        return names[alone.group(1)]
    return re.sub(r"\{\{|\}\}|\{(\w+)\}", lambda match: match.group(0)[0] if match.group(1) is None else str(names[match.group(1)]), value)


def branch(name):
    made = call("POST", "/api/plugins/branching/branches/", {"name": name})
    for _ in range(600):
        made = call("GET", f"/api/plugins/branching/branches/{made['id']}/")
        if made["status"]["value"] == "ready":
            return made
        time.sleep(0.2)
    sys.exit(f"branch {name} is {made['status']}: does the worker run?")


def edits():
    for change in json.load(open(CHANGES))["changes"]:
        name = f"journey {change['id']} {os.getpid()}"
        made = branch(name)
        try:
            names = {}
            for ref, of in change.get("refs", {}).items():
                found = call("GET", of["find"], branch=made["schema_id"])["results"]
                assert len(found) == 1, (change["id"], ref, len(found))
                names[ref] = found[0]["id"]
            for step in change["calls"]:
                answer = call(step["method"], fill(step["path"], names), fill(step.get("body"), names), made["schema_id"])
                for save in [step["save"]] if isinstance(step.get("save"), str) else step.get("save") or []:
                    names[save] = answer["id"]
            real = run(REAL, "plan", "--json", "--branch", name, codes=(2,))
            lab = subprocess.Popen([BINARY, "lab", "--headless", "--scenario", change["id"]], stdout=subprocess.PIPE, text=True)
            try:
                simulated = run(json.loads(lab.stdout.readline())["config"], "plan", "--json", codes=(2,))
            finally:
                lab.terminate()
                lab.wait()
            if rows(real) != rows(simulated):
                sys.exit(f"{change['id']}: real {json.dumps(rows(real), indent=1)}\nsimulated {json.dumps(rows(simulated), indent=1)}")
            print(f"{change['id']}: {len(real['changes'])} changes on {', '.join(sorted({c['device'] for c in real['changes']}))}, as simulated")
        finally:
            call("DELETE", f"/api/plugins/branching/branches/{made['id']}/")
    assert run(REAL, "plan", "--json")["in_sync"], "a branch moved main"


def webhook():
    secret = "journey secret"
    config = with_settings(REAL, poll_seconds=3600, webhook_secret=secret)
    serve = subprocess.Popen([BINARY, "--config", config, "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    made = []
    port = call("GET", "/api/dcim/interfaces/?device=leaf3&name=Ethernet11")["results"][0]
    try:
        assert select.select([serve.stdout], [], [], 60)[0], "serve says nothing"
        listen = json.loads(serve.stdout.readline())["listen"]
        page = lambda: urllib.request.urlopen(f"http://{listen}/metrics", timeout=10).read().decode()
        wait(lambda: re.search(r"(?m)^fabric_orch_in_sync\{.*\} 1$", page()), "in sync")
        hook = call("POST", "/api/extras/webhooks/", {"name": f"journey {os.getpid()}", "payload_url": f"http://{listen}/webhook/netbox", "secret": secret, "ssl_verification": False})
        made.append(f"/api/extras/webhooks/{hook['id']}/")
        rule = call("POST", "/api/extras/event-rules/", {
            "name": f"journey {os.getpid()}", "object_types": ["dcim.interface"], "event_types": ["object_created", "object_updated", "object_deleted"],
            "action_type": "webhook", "action_object_type": "extras.webhook", "action_object_id": hook["id"], "enabled": True})
        made.insert(0, f"/api/extras/event-rules/{rule['id']}/")
        call("PATCH", f"/api/dcim/interfaces/{port['id']}/", {"description": "woken by a webhook"})
        began = time.time()
        wait(lambda: re.search(r'(?m)^fabric_orch_drift_changes\{.*device="leaf3"\} 1$', page()), "the edit to be drift", 90)
        print(f"a webhook of the real worker woke it; drift {time.time() - began:.1f} s after the edit (the worker's own delay is in it)")
    finally:
        serve.terminate()
        call("PATCH", f"/api/dcim/interfaces/{port['id']}/", {"description": port["description"]})
        for path in made:
            call("DELETE", path)


def wait(test, what, seconds=60):
    end = time.time() + seconds
    while not test():
        if time.time() > end:
            sys.exit(f"waited {seconds} s for {what}")
        time.sleep(0.1)


steps = {"intent": same_intent, "edits": edits, "webhook": webhook}
for step in os.environ.get("STEPS", "intent,edits,webhook").split(","):
    steps[step]()
