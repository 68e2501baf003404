#!/usr/bin/env python3
"""Cut the schema of a REAL NetBox down to what the simulated one answers: src/sim/netbox/graphql/schema.graphql.

    python3 graphql_schema.py FULL.graphql > src/sim/netbox/graphql/schema.graphql

FULL.graphql is printed inside a NetBox with its plugins: import django; django.setup(); from netbox.graphql.schema import schema; print(schema)
Kept are the types of the kinds the lab holds, every root field, and the inputs those take. A field keeps its type even when that type is not
kept: the lab has no such objects, so it is null or an empty list.
"""
import pathlib
import re
import sys

KINDS = pathlib.Path(__file__).resolve().parents[2] / "src/sim/netbox/kind"


def main():
    text = re.sub(r'"""[\s\S]*?"""', "", open(sys.argv[1]).read())
    blocks = {m[2]: (m[1], m[0]) for m in re.finditer(
        r"^(type|input|interface|enum|union) (\w+)[^{=\n]*(\{[\s\S]*?^\}|=[^\n]*(?:\n\s+\|[^\n]*)*)", text, re.M)}
    tables = "".join(path.read_text() for path in sorted(KINDS.glob("*.rs")))
    classes = re.findall(r'class: "(\w+)"', tables) + re.findall(r'list\("[^"]+", "[^"]+", "(\w+)"', tables) + ["CommunityList", "ASPathList"]
    wanted = ["Query", "IPAddressFamilyType"] + sorted({f"{name}Type" for name in classes if f"{name}Type" in blocks})
    kept, queue = {}, list(wanted)
    while queue:
        name = queue.pop(0)
        if name in kept or name not in blocks:
            continue
        sort, body = blocks[name]
        kept[name] = re.sub(r"\n\s*\n", "\n", body)
        if sort == "type":
            for arguments, to in re.findall(r"^  \w+(?:\(([^)]*)\))?: \[?(\w+)", body, re.M):
                if to in blocks and blocks[to][0] == "union":
                    queue.append(to)
                # Filters of kinds the lab has no objects of are not looked into.
                if name != "Query" or to in wanted:
                    queue += [own for own in re.findall(r": \[?(\w+)", arguments or "") if to in wanted or not own.endswith("Filter")]
        elif sort == "input":
            own = [to for to in re.findall(r"^  \w+: \[?(\w+)", body, re.M) if to in blocks]
            queue += [to for to in own if re.search(r"(Lookup|Input|TreeNodeFilter|JSONFilter|Enum)$", to) or f"{to.removesuffix('Filter')}Type" in wanted]
    print("# Cut out of the schema of NetBox 4.7.3 with netbox-bgp 0.20.2 and netbox-branching 1.2.2 by tests/real_netbox/graphql_schema.py.")
    print("\n".join(kept[name] for name in sorted(kept)))


main()
