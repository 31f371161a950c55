"""The records are a contract: schemas only grow, and what was written stays readable."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from stream import schema
from stream.records import TOPIC_RECORDS, decode

# One folder for each release that brought new records or fields, with one file for each of them.
GOLDEN = sorted(Path(__file__).with_name("golden").glob("*/*.json"))
RECORDS = {
    record.__struct_config__.tag: (record, kinds)
    for kinds in TOPIC_RECORDS.values()
    for record in (get_args(kinds) or (kinds,))
}


def stored(topic: str) -> dict[str, Any]:
    path = schema.DIRECTORY / f"{topic}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("topic", TOPIC_RECORDS)
def test_records_only_ever_grow(topic: str) -> None:
    faults = list(schema.narrowed(stored(topic), schema.schema_of(topic)))
    assert not faults, (
        f"{topic}: {'; '.join(faults)}. Add fields with defaults instead; for anything else "
        "raise MAJOR in stream/records.py, keep reading the old one, and regenerate with "
        "`python -m stream.schema --new-major`."
    )


@pytest.mark.parametrize("topic", TOPIC_RECORDS)
def test_stored_schemas_are_up_to_date(topic: str) -> None:
    path = schema.DIRECTORY / f"{topic}.json"
    assert path.read_text(encoding="utf-8") == schema.text_of(topic), (
        "the records have changed: run `python -m stream.schema` and commit what it writes"
    )


def test_every_topic_has_a_schema_and_nothing_else() -> None:
    assert {p.stem for p in schema.DIRECTORY.glob("*.json")} == set(TOPIC_RECORDS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s["$defs"]["Verdict"]["properties"].pop("by"), "Verdict.by is gone"),
        (
            lambda s: s["$defs"]["Verdict"]["properties"].update(by={"type": "integer"}),
            "the type of Verdict.by has changed",
        ),
        (lambda s: s["$defs"]["Verdict"]["required"].append("by"), "Verdict.by is required now"),
        (
            lambda s: s["$defs"]["Verdict"]["properties"]["type"].update(enum=["answer"]),
            "the type of Verdict.type has changed",
        ),
        (lambda s: s["$defs"].pop("AlertAck"), "the record AlertAck is gone"),
        (lambda s: s["anyOf"].pop(), "no longer takes #/$defs/AlertAck"),
    ],
)
def test_a_change_that_breaks_readers_is_named(change: Any, fault: str) -> None:
    old = schema.schema_of("dateline.verdicts")
    new = copy.deepcopy(old)
    change(new)
    assert fault in "; ".join(schema.narrowed(old, new))


def test_a_new_field_with_a_default_is_no_fault() -> None:
    old = schema.schema_of("dateline.verdicts")
    new = copy.deepcopy(old)
    new["$defs"]["Verdict"]["properties"]["mood"] = {"type": "string", "default": ""}
    new["$defs"]["Another"] = new["$defs"]["Verdict"]
    assert list(schema.narrowed(old, new)) == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_every_release_wrote_can_be_read(path: Path) -> None:
    record, kinds = RECORDS[path.stem]
    data = path.read_bytes()
    read = decode(data, kinds)
    assert type(read) is record
    # Every field of the file has arrived: what was read says the same as the file.
    written = json.loads(msgspec.json.encode(read))
    for name, value in json.loads(data).items():
        if name not in ("type", "v"):
            assert written[name] == value, name


def test_every_record_and_field_stands_in_a_file_of_the_release_that_brought_it() -> None:
    told: dict[type, set[str]] = {}

    def look(value: Any) -> None:
        if isinstance(value, msgspec.Raw):
            data = bytes(value)
            look(decode(data, RECORDS[json.loads(data)["type"]][1]))
        elif isinstance(value, list):
            for one in value:
                look(one)
        elif isinstance(value, msgspec.Struct):
            for field in msgspec.structs.fields(value):
                given = getattr(value, field.name)
                if given not in (field.default, [], {}):
                    told.setdefault(type(value), set()).add(field.name)
                look(given)

    for path in GOLDEN:
        look(decode(path.read_bytes(), RECORDS[path.stem][1]))
    assert {record for record, _ in RECORDS.values()} <= told.keys()
    for kind, names in told.items():
        fields = {field.name for field in msgspec.structs.fields(kind)} - {"v"}
        assert names == fields, f"{kind.__name__}: write a file to golden/RELEASE that has them"
