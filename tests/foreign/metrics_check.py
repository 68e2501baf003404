"""The page of `fabric-orch serve` as Prometheus' own client library reads it."""

import sys
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def page(listen):
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers["Content-Type"]
        text = answer.read().decode("utf-8")
    return {family.name: family for family in text_string_to_metric_families(text)}


def check(listen):
    end = time.monotonic() + 60
    while True:
        families = page(listen)
        live = {sample.labels["state"]: sample.value for sample in families["fabric_orch_streams"].samples}
        if live["live"] == 10:
            break
        assert time.monotonic() < end, live
        time.sleep(0.1)
    updates = families["fabric_orch_updates"]  # the library takes `_total` off
    assert updates.type == "counter" and len(updates.samples) == 10 and all(sample.value > 100 for sample in updates.samples)
    assert all(family.documentation and family.samples is not None for family in families.values())
    print(f"prometheus: {len(families)} metrics read")


check(sys.argv[1])
