#!/usr/bin/env bash
# Foreign clients from PyPI: pygnmi and oc-config-validate against the simulated devices of `fabric-orch lab --headless`, and
# Prometheus' own parser on the page of `fabric-orch serve`.
# FABRIC_ORCH names the binary (default: built here); FOREIGN_VENV a virtual environment to keep between runs.
set -euo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
venv=${FOREIGN_VENV:-$work/venv}
lab= serve=
trap '[ -z "$lab$serve" ] || kill $lab $serve 2>/dev/null || true; rm -rf "$work"' EXIT

if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/foreign/requirements.txt
fi
if [ -z "${FABRIC_ORCH:-}" ]; then
    cargo build --quiet --locked
    FABRIC_ORCH=${CARGO_TARGET_DIR:-target}/debug/fabric-orch
fi

answers() { # pid name: waits for the first line of $work/NAME.json
    for _ in $(seq 600); do
        [ -s "$work/$2.json" ] && return
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/$2.err" >&2
    exit 1
}

export FABRIC_ORCH_STATE="$work/state"
"$FABRIC_ORCH" lab --headless >"$work/lab.json" 2>"$work/lab.err" &
lab=$!
answers "$lab" lab
head -1 "$work/lab.json"

config=$(sed 's/.*"config": *"\([^"]*\)".*/\1/' "$work/lab.json")
"$FABRIC_ORCH" --config "$config" serve --listen 127.0.0.1:0 >"$work/serve.json" 2>"$work/serve.err" &
serve=$!
answers "$serve" serve
"$venv/bin/python" tests/foreign/metrics_check.py "$(sed 's/.*"listen": *"\([^"]*\)".*/\1/' "$work/serve.json")"
kill "$serve"

"$venv/bin/python" tests/foreign/pygnmi_check.py "$work/lab.json"
"$venv/bin/python" tests/foreign/pygnmi_scenarios.py "$work/lab.json"

address=$("$venv/bin/python" -c 'import json,sys; print(next(d["address"] for d in json.loads(open(sys.argv[1]).readline())["devices"] if d["name"] == "leaf1"))' "$work/lab.json")
"$venv/bin/python" -m oc_config_validate --target "$address" --username admin --password admin --no_tls --gnmi_set_cooldown_secs 0 \
    -tests tests/foreign/oc_config_validate.yaml -results "$work/results.json" >"$work/occv.log" 2>&1 || { cat "$work/occv.log" >&2; exit 1; }
"$venv/bin/python" tests/foreign/results.py "$work/results.json"
