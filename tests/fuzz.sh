#!/usr/bin/env bash
# A bounded fuzz of everything that reads what a device sends: the walker against prost, paths, JSON_IETF documents.
#
#   tests/fuzz.sh [SECONDS]   of each of the three targets, default 30; more by hand: cargo fuzz run -s none wire fuzz/corpus/wire
#
# Builds fuzz/ (two CPU minutes from nothing). Works with a stable compiler: nothing of ours is unsafe, so no sanitizer is needed
# (that alone would take nightly); panics, hangs, too much memory and broken agreements are what is looked for. Installs cargo-fuzz
# when it is missing. Exit 0: nothing found, or not run because there is no cargo-fuzz to be had, which is said loudly.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$PWD/fuzz/target} RUSTC_BOOTSTRAP=1

if ! cargo fuzz --version >/dev/null 2>&1; then
    tool=$CARGO_TARGET_DIR/tool
    if [ ! -x "$tool/bin/cargo-fuzz" ] && ! cargo install --quiet --locked cargo-fuzz --root "$tool" --target-dir "$tool/build"; then
        printf '!!!\n!!! NOT RUN: cargo-fuzz cannot be installed here; the decoders were not fuzzed\n!!!\n' >&2
        exit 0
    fi
    rm -rf "$tool/build"
    export PATH=$tool/bin:$PATH
fi
command -v c++ >/dev/null || { printf '!!!\n!!! NOT RUN: libFuzzer needs a C++ compiler; the decoders were not fuzzed\n!!!\n' >&2; exit 0; }

cargo fuzz build -s none
for target in wire path json; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    printf '%s: ' "$target"
    log=$CARGO_TARGET_DIR/$target.log
    # A look at one input may take 5 s and 1 GiB; what breaks is written to fuzz/artifacts.
    if FUZZ_SEEDS=$corpus cargo fuzz run -s none "$target" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=8192 >"$log" 2>&1
    then
        grep '^Done' "$log"
    else
        tail -60 "$log"
        echo "found something: see fuzz/artifacts/$target; again with: cargo fuzz run -s none $target FILE"
        exit 1
    fi
done
