#!/usr/bin/env bash
# Holds the simulated NetBox against the recordings of a real one, over HTTP and with a reader of its own.
#
#   tests/netbox_check.sh [MATERIAL]      MATERIAL: folder with netbox/ and fabric/, default $FABRIC_MATERIAL or ../shared
#
# Uses the server at NETBOX_URL / NETBOX_TOKEN, else starts `$FABRIC_ORCH lab --headless` (default: target/release or target/debug).
# Exit 0: no difference, or nothing to compare with (said so). Exit 1: a difference.
set -euo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/.."
MATERIAL=${1:-${FABRIC_MATERIAL:-../shared}}
if [ ! -f "$MATERIAL/netbox/check.py" ] || [ ! -f "$MATERIAL/netbox/recorded/index.json" ]; then
  echo "skipped: no recordings of a real NetBox in $MATERIAL/netbox (give the folder as argument)"; exit 0
fi
if [ -z "${NETBOX_URL:-}" ]; then
  BIN=${FABRIC_ORCH:-$(ls -t target/release/fabric-orch target/debug/fabric-orch 2>/dev/null | head -1 || true)}
  [ -n "$BIN" ] || { echo "build first: cargo build --release" >&2; exit 1; }
  SCRATCH=$(mktemp -d)
  "$BIN" lab --headless >"$SCRATCH/lab.json" 2>"$SCRATCH/lab.log" & LAB=$!
  trap 'kill "$LAB" 2>/dev/null || true; wait "$LAB" 2>/dev/null || true; rm -rf "$SCRATCH"' EXIT
  for _ in $(seq 200); do [ -s "$SCRATCH/lab.json" ] && break; kill -0 "$LAB" 2>/dev/null || { cat "$SCRATCH/lab.log" >&2; exit 1; }; sleep 0.1; done
  read -r NETBOX_URL NETBOX_TOKEN < <(python3 -c 'import json,sys; n = json.loads(open(sys.argv[1]).readline())["netbox"]; print(n["url"], n["token"])' "$SCRATCH/lab.json")
fi
export NETBOX_URL NETBOX_TOKEN
if python3 -c 'import requests' 2>/dev/null; then
  # The script that filled the real one must find everything there.
  SEEDED=$(python3 "$MATERIAL/netbox/seed.py" --fabric "$MATERIAL/fabric/fabric-10.json" | tail -1)
  echo "$SEEDED"
  case "$SEEDED" in *"'created': 0, 'patched': 0"*) ;; *) echo "the seeding script changed something" >&2; exit 1 ;; esac
fi
python3 tests/foreign/netbox_facts.py "$MATERIAL"
