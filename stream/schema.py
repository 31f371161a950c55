"""JSON Schemas of the records: `python -m stream.schema` writes them to `stream/schemas/`.

One file a topic, for people and programs that read the log without this code. Fields may only be
added, with defaults: `narrowed` names every other change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from stream.records import TOPIC_RECORDS

DIRECTORY = Path(__file__).with_name("schemas")


def schema_of(topic: str) -> dict[str, Any]:
    """The schema of the records on one topic (JSON Schema 2020-12)."""
    (schema,), components = msgspec.json.schema_components(
        [TOPIC_RECORDS[topic]], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic,
        **schema,
        "$defs": dict(sorted(components.items())),
    }


def text_of(topic: str) -> str:
    return json.dumps(schema_of(topic), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What a reader or writer of `old` would stumble over in `new`, one sentence each."""
    for name, before in old["$defs"].items():
        after = new["$defs"].get(name)
        if after is None:
            yield f"the record {name} is gone"
            continue
        for field, kind in before["properties"].items():
            if field not in after["properties"]:
                yield f"{name}.{field} is gone"
            elif _type(after["properties"][field]) != _type(kind):
                yield f"the type of {name}.{field} has changed"
        for field in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
            yield f"{name}.{field} is required now"
    if _variants(old) - _variants(new):
        yield f"{old['title']} no longer takes {', '.join(sorted(_variants(old) - _variants(new)))}"


def _type(field: Mapping[str, Any]) -> str:
    """The field's type without what does not matter to a reader."""
    return json.dumps({k: v for k, v in field.items() if k != "default"}, sort_keys=True)


def _variants(schema: Mapping[str, Any]) -> set[str]:
    return {one["$ref"] for one in schema.get("anyOf", [schema])}


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    for topic in TOPIC_RECORDS:
        path = DIRECTORY / f"{topic}.json"
        new = schema_of(topic)
        if path.exists():
            faults = list(narrowed(json.loads(path.read_text(encoding="utf-8")), new))
            if faults and "--new-major" not in sys.argv:
                sys.exit(
                    f"{topic}: {'; '.join(faults)}. Fields are only added, with defaults; for "
                    "anything else raise MAJOR in stream/records.py and add --new-major."
                )
        path.write_text(text_of(topic), encoding="utf-8")


if __name__ == "__main__":
    main()
