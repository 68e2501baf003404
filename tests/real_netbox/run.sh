#!/usr/bin/env bash
# The console against a REAL NetBox: starts it, fills it with the reference fabric, plans the simulated devices against it, and asks it
# and the simulated one the same questions.
#
#   tests/real_netbox/run.sh           starts a NetBox, and stops it at the end
#   tests/real_netbox/run.sh --keep    leaves it running
#
# Needs root, apt-get, Python 3.11, and Debian and PyPI registries; about 4 minutes and 1.5 GB the first time, under NB_HOME
# (default ~/.cache/fabric-netbox). Ports: NB_PORT (default 8900), NB_REDIS_PORT (6390), loopback only.
# NETBOX_URL and NETBOX_TOKEN set: that NetBox is used and filled instead; nothing is started or stopped.
# Exit 0: passed, or SKIPPED with the reason. Exit 1: failed.
set -euo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
HERE=tests/real_netbox
KEEP=0; for argument in "$@"; do case "$argument" in --keep) KEEP=1 ;; *) echo "unknown: $argument" >&2; exit 1 ;; esac; done
skip() { printf '\n############ SKIPPED: %s ############\n\n' "$*"; exit 0; }
BIN=${FABRIC_ORCH:-$(ls -t target/release/fabric-orch target/debug/fabric-orch 2>/dev/null | head -1 || true)}
[ -n "$BIN" ] || { echo "build first: cargo build --release" >&2; exit 1; }
SCRATCH=$(mktemp -d); LAB=; STARTED=0
finish() {
  if [ -n "$LAB" ]; then kill "$LAB" 2>/dev/null || true; wait "$LAB" 2>/dev/null || true; fi
  if [ "$STARTED" = 1 ] && [ "$KEEP" = 0 ]; then "$HERE/server/stop.sh" || true; fi
  rm -rf "$SCRATCH"
}
trap finish EXIT

# 1. NetBox
if ! python3 -c 'import requests' 2>/dev/null; then
  python3 -m venv "$SCRATCH/venv" && "$SCRATCH/venv/bin/pip" install -q requests && export PATH="$SCRATCH/venv/bin:$PATH"
fi
if [ -z "${NETBOX_URL:-}" ]; then
  [ "$(id -u)" = 0 ] || skip "starting a NetBox needs root; set NETBOX_URL and NETBOX_TOKEN to use one that runs"
  command -v apt-get >/dev/null || skip "starting a NetBox needs apt-get; set NETBOX_URL and NETBOX_TOKEN to use one that runs"
  STARTED=1
  if ! timeout 1200 bash "$HERE/server/up.sh" >"$SCRATCH/up.log" 2>&1; then
    tail -30 "$SCRATCH/up.log"
    skip "no NetBox could be started here (registries of Debian and PyPI reachable?); the lines above say why"
  fi
  # shellcheck source=/dev/null
  . "$HERE/server/env.sh"
  NETBOX_URL=http://127.0.0.1:$NB_PORT NETBOX_TOKEN=nbt_$NB_TOKEN_V2_KEY.$NB_TOKEN_V2_SECRET
fi
export NETBOX_URL NETBOX_TOKEN

# 2. The reference fabric in it
python3 "$HERE/seed.py" --fabric "$HERE/fabric.json"

# 3. Simulated devices, real intent
"$BIN" lab --headless >"$SCRATCH/lab.json" 2>"$SCRATCH/lab.log" & LAB=$!
for _ in $(seq 200); do [ -s "$SCRATCH/lab.json" ] && break; kill -0 "$LAB" 2>/dev/null || { cat "$SCRATCH/lab.log" >&2; exit 1; }; sleep 0.1; done
python3 - "$SCRATCH" <<'PY'
import json, os, re, sys
scratch = sys.argv[1]
settings = open(json.loads(open(f"{scratch}/lab.json").readline())["config"]).read()
for key, value in (("url", os.environ["NETBOX_URL"]), ("token", os.environ["NETBOX_TOKEN"])):
    settings, found = re.subn(rf'(?m)^{key} = .*$', f'{key} = {json.dumps(value)}', settings)
    assert found == 1, (key, found)
with open(os.open(f"{scratch}/real.toml", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
    file.write(settings)
PY
expect() { # STATUS, then a Python condition on the plan
  local status=0
  "$BIN" --config "$SCRATCH/real.toml" plan --json >"$SCRATCH/plan.json" 2>"$SCRATCH/plan.log" || status=$?
  if [ "$status" != "$1" ] || ! python3 -c "import json,sys; plan = json.load(open(sys.argv[1])); sys.exit(not ($2))" "$SCRATCH/plan.json"; then
    echo "plan: exit $status, expected $1 and $2" >&2; head -c 4000 "$SCRATCH/plan.json" "$SCRATCH/plan.log" >&2; exit 1
  fi
}
expect 0 'plan["in_sync"] and not plan["changes"]'
echo "in sync: 10 simulated devices hold what the real NetBox says"

# 4. One edit in the real one is one change on one device, and undoing it leaves nothing
PORT="$NETBOX_URL/api/dcim/interfaces/$(python3 - <<'PY'
import os, requests
answer = requests.get(os.environ["NETBOX_URL"] + "/api/dcim/interfaces/?device=leaf3&name=Ethernet11", headers={"Authorization": "Bearer " + os.environ["NETBOX_TOKEN"]})
print(answer.json()["results"][0]["id"])
PY
)/"
describe() { python3 -c 'import os,sys,requests; requests.patch(sys.argv[1], json={"description": sys.argv[2]}, headers={"Authorization": "Bearer " + os.environ["NETBOX_TOKEN"]}).raise_for_status()' "$PORT" "$1"; }
describe "to spine1 Ethernet3"
expect 2 '[c["device"] for c in plan["changes"]] == ["leaf3"] and plan["changes"][0]["desired"] == "to spine1 Ethernet3"'
describe "spine1"
expect 0 'plan["in_sync"]'
echo "an edit in the real NetBox is exactly one change, and undoing it leaves none"

# 5. The same leaves, plans from branches, webhooks of the real worker
python3 tests/real_netbox/journey.py "$BIN" "$NETBOX_URL" "$NETBOX_TOKEN" "$SCRATCH/real.toml" "$(python3 -c 'import json,sys; print(json.loads(open(sys.argv[1]).readline())["config"])' "$SCRATCH/lab.json")"

# 6. The simulated NetBox answers as the real one: GraphQL, lists and branches, webhooks
read -r LAB_URL LAB_TOKEN < <(python3 -c 'import json,sys; at = json.loads(open(sys.argv[1]).readline())["netbox"]; print(at["url"], at["token"])' "$SCRATCH/lab.json")
for script in graphql reads webhooks; do
  python3 "tests/real_netbox/$script.py" "$NETBOX_URL" "$NETBOX_TOKEN" "$LAB_URL" "$LAB_TOKEN"
done
