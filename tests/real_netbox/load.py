#!/usr/bin/env python3
"""A big REAL NetBox: what a read of it costs us, what it costs the server, and how long pynetbox takes for the same.

    python3 load.py BINARY URL TOKEN SERVER_ROOT

The server runs on this machine, its processes have SERVER_ROOT as their root folder (see server/up.sh: NB_HOME/root), and it holds
the site `load` of `seed.py --synthetic 500 --ports 50`. Needs pynetbox. Everybody reads the same objects, one after the other:
our client by REST and by GraphQL, pynetbox as it comes and with its threads. Exit status 1 when a limit is missed.
"""
import json
import os
import pathlib
import pty
import re
import resource
import subprocess
import sys
import tempfile
import time

import pynetbox

BINARY, URL, TOKEN, ROOT = sys.argv[1:5]
ROOT = os.path.realpath(ROOT)
TICK = os.sysconf("SC_CLK_TCK")
missed = 0


def server_seconds():
    """CPU of every process of the server, those it waited for among them."""
    total = 0
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(place / "root") == ROOT:
                fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
                total += sum(int(field) for field in fields[11:15])
        except OSError:
            continue
    return total / TICK


def measured(work):
    """(result, wall seconds, server's CPU seconds)."""
    before, began = server_seconds(), time.monotonic()
    result = work()
    wall = time.monotonic() - began
    return result, wall, server_seconds() - before


def limit(words, value, most):
    global missed
    met = value <= most
    missed += not met
    print(f"  {words}: {value:.2f} (at most {most:g}) {'met' if met else 'MISSED'}")


def settings(folder, graphql):
    """Every device of the site: none of them has the fabric's tag."""
    file = pathlib.Path(folder) / f"{graphql}.toml"
    with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write(f'[fabric.load]\n[fabric.load.netbox]\nurl = "{URL}"\ntoken = "{TOKEN}"\ntag = ""\nsites = ["load"]\ngraphql = "{graphql}"\ntimeout_seconds = 300\n')
    return file


def ours(folder, graphql):
    """(objects, devices), and the CPU of the process; what it says of its progress goes to a terminal."""
    out = pathlib.Path(folder) / "intent.json"
    screen, theirs = pty.openpty()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([BINARY, "--config", settings(folder, graphql), "intent", "pull", "--out", out], stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(screen, 65536)
        except OSError:
            break
    if process.wait() != 0:
        sys.exit(f"intent pull: {said.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    document = json.loads(out.read_text())
    progress = re.findall(r"interface \d+(?:/\d+)?", said.decode())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return document["objects"], len(document["devices"]), cpu, process_peak(after), progress


def process_peak(usage):
    return usage.ru_maxrss / 1024


def theirs(threading):
    """Objects of the site as people read them with pynetbox."""
    api = pynetbox.api(URL, token=TOKEN, threading=threading)
    devices = list(api.dcim.devices.filter(site="load", limit=1000))
    count = len(devices)
    for endpoint in (api.dcim.interfaces, api.dcim.cables):
        count += len(list(endpoint.filter(site="load", limit=1000)))
    for app, name in (("ipam", "vlans"), ("ipam", "vlan_groups"), ("ipam", "vrfs"), ("ipam", "prefixes"), ("ipam", "ip_addresses"),
                      ("ipam", "services"), ("ipam", "asns"), ("vpn", "l2vpns"), ("vpn", "l2vpn_terminations")):
        count += len(list(getattr(getattr(api, app), name).all(limit=1000)))
    return count, len(devices)


def main():
    with tempfile.TemporaryDirectory() as folder:
        pages = pynetbox.api(URL, token=TOKEN)
        held = pages.dcim.interfaces.count(site="load")
        if held < 25_000:
            sys.exit(f"site `load` has {held} interfaces: fill it first (seed.py --synthetic 500 --ports 50)")
        rows = {}
        for way, work in (("ours, REST", lambda: ours(folder, "never")), ("ours, GraphQL", lambda: ours(folder, "always")),
                          ("pynetbox", lambda: theirs(False)), ("pynetbox, threads", lambda: theirs(True))):
            (objects, devices, *own), wall, server = measured(work)
            assert devices == 500 and objects > 25_500, (way, objects, devices)
            rows[way] = (wall, server, own)
            print(f"{way:18} {objects:6} objects  wall {wall:6.1f} s  server {server:6.1f} CPU-s" + (f"  client {own[0]:.2f} CPU-s, at most {own[1]:.0f} MiB" if own else ""))
        for way in ("ours, REST", "ours, GraphQL"):
            wall, server, (cpu, _, progress) = rows[way]
            print(way)
            limit("client's CPU, % of the server's", 100 * cpu / server, 5)
            limit("wall time, of pynetbox's with threads", wall / rows["pynetbox, threads"][0], 1)
            if not progress:
                sys.exit("no progress was said")
            print(f"  progress said: {progress[0]}, … {progress[-1]}, in {len(progress)} lines")
    sys.exit(bool(missed))


main()
