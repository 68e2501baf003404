"""pygnmi against a simulated device: Capabilities, Get, Set, Subscribe, the command line, refusals."""

import json
import sys

from lab import BGP, Lab

DESCRIPTION = "/interfaces/interface[name=Ethernet1]/config/description"


def refused(word, call):
    try:
        answer = call()
    except Exception as error:  # pygnmi has one exception class for every status
        assert word in str(error), f"refused with {error}, expected {word!r}"
        return
    raise AssertionError(f"not refused: {answer}")


def check(lab):
    with lab.client("leaf1") as client:
        capabilities = client.capabilities()
        assert capabilities["gnmi_version"] == "0.7.0", capabilities["gnmi_version"]
        assert set(capabilities["supported_encodings"]) == {"json", "json_ietf", "ascii"}
        assert any(model["name"] == "openconfig-interfaces" for model in capabilities["supported_models"])

        config = client.get(path=["/interfaces/interface[name=Ethernet1]/config"], encoding="json_ietf")
        value = config["notification"][0]["update"][0]["val"]
        assert value["openconfig-interfaces:description"] == "host1", value
        root = client.get(path=["/"], encoding="json_ietf")["notification"][0]["update"][0]["val"]
        assert "openconfig-network-instance:network-instances" in root
        assert lab.leaf("leaf1", "/interfaces/interface[name=Ethernet1]/state/oper-status") == "UP"
        assert lab.leaf("leaf1", f"{BGP}/global/config/as") == 65001
        version = client.get(path=["cli:/show version"])["notification"][0]["update"][0]["val"]
        assert version["version"] == "4.35.0F", version
        mlag = client.get(path=["cli:/show mlag"])["notification"][0]["update"][0]["val"]
        assert mlag["state"] == "active" and mlag["mlagPorts"]["Active-full"] == 1, mlag

        stream = client.subscribe_stream(
            subscribe={"subscription": [{"path": DESCRIPTION, "mode": "on_change"}], "mode": "stream", "encoding": "json"}
        )
        first = stream.get_update(timeout=5)
        assert first["update"]["update"][0]["val"] == "host1", first
        answer = client.set(update=[(DESCRIPTION.rsplit("/", 1)[0], {"description": "by pygnmi"})], encoding="json_ietf")
        assert answer["response"][0]["op"] == "UPDATE", answer
        second = stream.get_update(timeout=5)
        assert second["update"]["update"][0]["val"] == "by pygnmi", second

        client.set(update=[("cli:", "interface Ethernet1\n   description by command")], encoding="ascii")
        third = stream.get_update(timeout=5)
        assert third["update"]["update"][0]["val"] == "by command", third
        client.set(delete=[DESCRIPTION])
        assert "delete" in stream.get_update(timeout=5)["update"]
        client.set(replace=[(DESCRIPTION.rsplit("/", 1)[0], {"name": "Ethernet1", "type": "iana-if-type:ethernetCsmacd", "enabled": True, "description": "host1"})], encoding="json_ietf")
        history = json.dumps(client.get(path=["/system/session/history/state"], encoding="json_ietf"))
        assert '"admin"' in history and "by pygnmi" in history, history

        refused("read-only", lambda: client.set(update=[("/system/state", {"hostname": "x"})], encoding="json_ietf"))
        refused("failed to access node", lambda: client.get(path=["/interfaces/interfaze"]))
        refused("eos_cli", lambda: client.set(update=[("eos_cli:", "hostname x")], encoding="ascii"))
        stream.close()
        once = list(client.subscribe2(subscribe={"subscription": [{"path": "/system"}], "mode": "once", "encoding": "json"}))
        assert once[-1].get("sync_response") is True and len(once) > 5
    refused("password", lambda: lab.client("leaf1", password="wrong").__enter__().get(path=["/system"]))
    print("pygnmi: Capabilities, Get, Set, Subscribe, command line, refusals: good")


check(Lab(sys.argv[1]))
