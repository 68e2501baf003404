#!/usr/bin/env bash
# The embedded schema against libyang: the table made anew equals the embedded one, and both give the same verdicts on the
# examples, on every leaf and on 1,000 random mutations.
#
#   tests/libyang.sh [YANG_DIR]   the EOS 4.35.0F set (modules/, deps/, patched/, pathreport.csv),
#                                 default $FABRIC_ORCH_YANG_DIR or ../shared/yang/EOS-4.35.0F
#
# Needs cmake and libpcre2-dev (installed here when root); exit 0: passed, or skipped with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-${FABRIC_ORCH_YANG_DIR:-../shared/yang/EOS-4.35.0F}}
[ -d "$dir/modules" ] || { echo "skipped: no YANG set at $dir (give the folder as argument)"; exit 0; }
if ! command -v cmake >/dev/null || [ ! -e /usr/include/pcre2.h ]; then
    { apt-get update -q && apt-get install -yq --no-install-recommends cmake libpcre2-dev; } >/dev/null
fi
FABRIC_ORCH_YANG_DIR=$(cd "$dir" && pwd) exec cargo test --locked --features libyang --test yang_oracle
