"""The lab a foreign client talks to: addresses out of the first line of `fabric-orch lab --headless`."""

import json
import pathlib
import time

from pygnmi.client import gNMIclient

ROOT = pathlib.Path(__file__).resolve().parents[2]
BGP = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp"


class Lab:
    def __init__(self, first_line_of):
        with open(first_line_of, encoding="utf-8") as file:
            lines = (line for line in file if line.startswith("{"))
            self.devices = {device["name"]: device["address"] for device in json.loads(next(lines))["devices"]}

    def client(self, name, password="admin"):
        host, port = self.devices[name].rsplit(":", 1)
        return gNMIclient(target=(host, int(port)), username="admin", password=password, insecure=True)

    def leaf(self, name, path):
        """One leaf's value, or None where the device has none. Read with its container: pygnmi drops a lone leaf-list."""
        container, leaf = path.rsplit("/", 1)
        with self.client(name) as client:
            try:
                value = client.get(path=[container], encoding="json_ietf")["notification"][0]["update"][0]["val"]
            except Exception as error:  # pygnmi has one exception class for every status
                assert "not found" in str(error), error
                return None
        return next((have for member, have in value.items() if member.split(":")[-1] == leaf), None)

    def until(self, name, path, wanted, seconds=10):
        """Waits until a leaf has a value: state follows configuration."""
        end = time.monotonic() + seconds
        while (have := self.leaf(name, path)) != wanted:
            assert time.monotonic() < end, f"{name} {path} is {have!r}, not {wanted!r}"
            time.sleep(0.05)
