"""Reads the results of oc-config-validate: every test must have passed."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    results = json.load(file)
tests = results.get("results") or results.get("tests") or []
failed = [test for test in tests if not test.get("success")]
for test in failed:
    print(json.dumps(test, indent=1), file=sys.stderr)
assert tests, f"no results in {list(results)}"
print(f"oc-config-validate: {len(tests) - len(failed)} of {len(tests)} tests passed")
sys.exit(1 if failed else 0)
