"""Records: round trips, newer fields, refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import BadRecord
from stream.records import (
    ARTICLES,
    MAX_RECORD_BYTES,
    TOPIC_RECORDS,
    Article,
    Dead,
    Embedded,
    Matched,
    Placed,
    decode,
    encode,
)

NOW = datetime(2018, 6, 12, 9, tzinfo=UTC)
# Whatever JSON can carry; a lone surrogate cannot be UTF-8.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
times = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
articles = st.builds(
    Article,
    id=words,
    revision=words,
    title=words,
    text=words,
    outlet=words,
    fetched=times,
    published=st.none() | times,
    published_from=st.sampled_from(["feed", "page", "text", "none"]),
    lang=st.none() | words,
    url=st.none() | words,
    ref=st.none() | words,
    lane=st.sampled_from([0, 1]),
)


def article(**changes: object) -> Article:
    fields = {
        "id": "a", "revision": "r", "title": "t", "text": "x", "outlet": "o", "fetched": NOW
    }  # fmt: skip
    return Article(**(fields | changes))  # type: ignore[arg-type]


@given(articles)
def test_an_article_survives_the_way_through_every_stage(written: Article) -> None:
    sent = encode(written)
    embedded = Embedded(article=msgspec.Raw(sent), model="m", dims=1, vector=b"\x00\x3c")
    placed = Placed(
        embedded=msgspec.Raw(encode(embedded)), story="s", novelty=1.0, engine="e", source_offset=0
    )
    matched = decode(encode(Matched(placed=msgspec.Raw(encode(placed)), decisions=[])), Matched)
    back = matched.read_placed().read_embedded()
    assert bytes(back.article) == sent
    assert back.read_article() == written
    assert back.vector == b"\x00\x3c"


@given(st.dictionaries(words, st.none() | words | st.integers() | st.lists(words), max_size=4))
def test_fields_of_a_newer_release_pass_through_byte_for_byte(newer: dict[str, object]) -> None:
    fields = json.loads(encode(article()))
    unknown = {f"x-{name}": value for name, value in newer.items()}
    newer_bytes = json.dumps({**unknown, **fields, "later": newer}, indent=1).encode()
    embedded = Embedded(article=msgspec.Raw(newer_bytes), model="m", dims=1, vector=b"")
    back = decode(encode(embedded), Embedded)
    assert bytes(back.article) == newer_bytes
    assert back.read_article() == article()


@given(st.binary(max_size=80))
def test_bytes_that_are_no_record_are_refused_and_nothing_else_happens(data: bytes) -> None:
    for kinds in TOPIC_RECORDS.values():
        with pytest.raises(BadRecord):
            decode(data, kinds)


def test_an_unknown_major_version_is_refused() -> None:
    newer = json.loads(encode(article())) | {"v": 2, "title": ["not", "a", "text"]}
    with pytest.raises(BadRecord, match="major version 2, this release reads 1"):
        decode(json.dumps(newer).encode(), Article)


def test_a_record_of_another_topic_is_refused() -> None:
    dead = Dead(
        stage="s", topic=ARTICLES, partition=0, offset=0, error="E", message="m", attempts=1,
        first_failed=NOW,
    )  # fmt: skip
    with pytest.raises(BadRecord, match="not a record of this topic"):
        decode(encode(dead), Article)


def test_a_record_over_a_mebibyte_is_refused_when_written() -> None:
    fits = article(text="x" * (MAX_RECORD_BYTES - len(encode(article())) + 1))
    assert len(encode(fits)) == MAX_RECORD_BYTES
    with pytest.raises(BadRecord, match="over the limit"):
        encode(article(text=fits.text + "x"))


def test_event_time_is_published_but_never_after_fetched() -> None:
    assert article().event_time == NOW
    assert article(published=NOW - timedelta(days=1)).event_time == NOW - timedelta(days=1)
    assert article(published=NOW + timedelta(days=1)).event_time == NOW
