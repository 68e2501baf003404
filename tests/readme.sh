#!/usr/bin/env bash
# Runs every command of the README, in a fresh clone, as a newcomer would: each ```sh block is run as it is written.
# A line that opens the console runs in a terminal (tmux) until the ten devices are live, and is left with `q`.
# Lines of ```sh blocks that start with `cargo test` are the caller's part (CI runs them as a step of their own).
set -euo pipefail
trap 'echo "$0: line $LINENO failed: $BASH_COMMAND" >&2' ERR
project=$(cd "$(dirname "$0")/.." && pwd)
command -v tmux >/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends tmux; } >/dev/null 2>&1
place=$(mktemp -d)
trap 'tmux -L readme kill-server 2>/dev/null || true; rm -rf "$place"' EXIT
git clone -q "$project" "$place/fabric-orchestrator"
cd "$place/fabric-orchestrator"
# Nothing of the caller's settings, journal or installed binaries is used or touched; crates already fetched are.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} HOME=$place/home CARGO_INSTALL_ROOT=$place/installed
export CARGO_TARGET_DIR=${README_TARGET_DIR:-$project/target}
export RUSTUP_HOME=${RUSTUP_HOME:-$(dirname "$CARGO_HOME")/.rustup} PATH=$place/installed/bin:$PATH
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME FABRIC_ORCH_STATE || true
mkdir -p "$HOME"

console() { # command: opens it in a terminal, waits until every device is live, leaves it
    echo "+ $1   (in a terminal)"
    tmux -L readme new-session -d -x 120 -y 40 "$1; echo left with \$?; sleep 5"
    local screen
    for _ in $(seq 1 4800); do
        screen=$(tmux -L readme capture-pane -p 2>/dev/null || true)
        if grep -q '10 live' <<<"$screen"; then
            tmux -L readme send-keys q
            for _ in $(seq 1 100); do
                grep -q 'left with 0' <<<"$(tmux -L readme capture-pane -p 2>/dev/null)" && { tmux -L readme kill-server; return 0; }
                sleep 0.1
            done
            break
        fi
        sleep 0.5
    done
    echo "the console did not come up or did not leave cleanly; its last screen:"
    tmux -L readme capture-pane -p || true
    return 1
}

# One block at a time: plain lines are collected into a script, console lines run on their own.
awk '/^```sh$/ {on = 1; n++; next} /^```/ {on = 0} on {print > sprintf("'"$place"'/block-%02d", n)}' README.md
for block in "$place"/block-*; do
    script=$(mktemp -p "$place")
    echo 'set -euo pipefail' >"$script"
    while IFS= read -r line; do
        bare=$(sed 's/ *# .*$//' <<<"$line")
        case "$bare" in
        "cargo test") ;;
        "cargo run --release -- lab" | "cargo run --release -- lab --scenario "*) console "$bare" ;;
        *) printf '%s\n' "$line" >>"$script" ;;
        esac
    done <"$block"
    echo "+ $(basename "$block")"
    bash -x "$script"
done
echo "every command of the README ran"
