"""What travels on the topics: one msgspec Struct a record, JSON on the wire.

Every record carries `type` (its tag) and `v` (its major version). Fields are only ever added,
with defaults; `tests/stream/test_schemas.py` refuses anything else. A stage forwards what came
from upstream as `msgspec.Raw`, byte for byte, so an older stage drops no newer field.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from stream.errors import BadRecord

MAJOR = 1
# A Kafka broker refuses messages over 1 MiB by default; an article leaves room for the vector,
# the placement and the decisions that later stages wrap around it.
MAX_ARTICLE_BYTES = 512 * 1024
MAX_RECORD_BYTES = 1024 * 1024

ARTICLES = "dateline.articles"
EMBEDDED = "dateline.embedded"
PLACED = "dateline.placed"
MATCHED = "dateline.matched"
EVENTS = "dateline.events"
VERDICTS = "dateline.verdicts"
DEAD = "dateline.dead"
LIVE_LANE, BACKFILL_LANE, LANES = 0, 1, 2
LANED = (EMBEDDED, PLACED, MATCHED)  # one partition a lane


class Article(Struct, kw_only=True, tag="article", tag_field="type", omit_defaults=True):
    """One published piece, normalised by ingest.

    `id` names the article for ever (hash of its canonical URL, guid or archive id); `revision`
    names one state of its content and chains to the state before it, so a text that returns to
    an earlier wording is a new revision. Times are aware and UTC.
    """

    id: str
    revision: str
    title: str
    text: str
    outlet: str  # domain of the publisher, or the archive's own name for the source
    fetched: datetime
    published: datetime | None = None
    published_from: Literal["feed", "page", "text", "none"] = "none"
    lang: str | None = None  # ISO 639-1, None = not known
    url: str | None = None
    ref: str | None = None  # the id an archive or feed gave
    feed: str | None = None  # URL of the feed that brought it
    author: str | None = None
    lane: int = LIVE_LANE
    v: int = MAJOR

    @property
    def event_time(self) -> datetime:
        """Published, clamped to fetched; else fetched. Windows use it, order never does."""
        return min(self.published, self.fetched) if self.published else self.fetched


class Embedded(Struct, kw_only=True, tag="embedded", tag_field="type", omit_defaults=True):
    """An article with its vector: `dims` little-endian float16 numbers, of unit length."""

    article: Raw
    model: str  # name@fingerprint of the encoder
    dims: int
    vector: bytes
    v: int = MAJOR

    def read_article(self) -> Article:
        return decode(self.article, Article)


class StoryChange(Struct, kw_only=True, omit_defaults=True):
    """A change of the stories themselves, in the order of the lane."""

    kind: Literal["created", "merged", "split", "relabelled", "closed"]
    story: str
    into: str | None = None  # merged: the survivor; split: the new story
    label: str | None = None
    articles: list[str] = []  # split: the article ids that move
    continues: str | None = None  # created: the closed story that it would have joined


class Considered(Struct, kw_only=True, omit_defaults=True):
    """An open story that an article might have joined: `score` (log-odds; over 0 it belongs) is
    `base` and the sum of `parts`, less what is too small to be told."""

    story: str
    score: float
    base: float
    parts: dict[str, float] = {}


class Placed(Struct, kw_only=True, tag="placed", tag_field="type", omit_defaults=True):
    """An embedded article in its story."""

    embedded: Raw
    story: str
    novelty: float  # 1 = nothing like it in any open story, 0 = said before
    engine: str  # version of the rules that placed it
    source_offset: int  # offset in `embedded` that this answers
    copy_of: str | None = None  # article id of the piece whose text it repeats
    changes: list[StoryChange] = []
    considered: list[Considered] = []  # the best candidates, best first
    v: int = MAJOR

    def read_embedded(self) -> Embedded:
        return decode(self.embedded, Embedded)


class Signal(Struct, kw_only=True, omit_defaults=True):
    """One reason: what was measured and what it added to the score (in log-odds)."""

    name: str
    value: float
    contribution: float
    note: str = ""  # a clause for people, with names verbatim from the article
    room: float = 0.0  # what it would add on top in a clear case (of a match that was not made)


class Decision(Struct, kw_only=True, omit_defaults=True):
    """Is this article about this event?

    `score` = `base` + the sum of all contributions = logit(`probability`).
    """

    event_id: str
    version: int
    probability: float
    matched: bool
    score: float
    base: float
    signals: list[Signal]
    decider: str  # fingerprint of the decision file
    model: str
    sentence: str = ""  # the article's own sentence that speaks most for it, verbatim
    shared: list[str] = []  # names as they stand in the article
    rival: str | None = None  # the best other event, and how far ahead of it this one is
    rival_probability: float | None = None
    margin: float | None = None
    calibrated: bool = True
    gap: float = 0.0  # the score that was missing for a match, 0 when it is one


class Matched(Struct, kw_only=True, tag="matched", tag_field="type", omit_defaults=True):
    """A placed article with the decisions worth keeping (yes, p >= .05, or the best rival)."""

    placed: Raw
    decisions: list[Decision]
    v: int = MAJOR

    def read_placed(self) -> Placed:
        return decode(self.placed, Placed)


class History(Struct, kw_only=True, tag="history", tag_field="type", omit_defaults=True):
    """A decision taken again because a definition is new: about an article placed before."""

    article_id: str
    revision: str
    decisions: list[Decision]
    v: int = MAJOR


class Example(Struct, kw_only=True, omit_defaults=True):
    title: str = ""
    text: str = ""
    published: datetime | None = None
    lang: str | None = None
    about: bool = True


class Name(Struct, kw_only=True, omit_defaults=True):
    name: str
    aliases: list[str] = []


class Definition(Struct, kw_only=True, tag="definition", tag_field="type", omit_defaults=True):
    """An event as an analyst registered it. `starts` and `ends` are ISO days, both included."""

    id: str
    version: int
    title: str
    description: str = ""
    actors: list[Name] = []
    places: list[Name] = []
    not_about: list[str] = []
    starts: str | None = None
    ends: str | None = None
    follows: list[str] = []
    examples: list[Example] = []
    lookback_days: int = 30
    removed: bool = False
    v: int = MAJOR


class DefinitionVectors(
    Struct, kw_only=True, tag="definition_vectors", tag_field="type", omit_defaults=True
):
    """The vectors of a definition, made by the embed stage for its model (float16, unit length).

    `description` holds the title with the whole description first, then each of its sentences;
    `examples` one vector for each example, in order.
    """

    event_id: str
    version: int
    model: str
    dims: int
    description: list[bytes] = []
    examples: list[bytes] = []
    v: int = MAJOR


class HistoryDone(Struct, kw_only=True, tag="history_done", tag_field="type", omit_defaults=True):
    """The match stage has looked back for this version of the definition in this lane."""

    event_id: str
    version: int
    model: str
    lane: int = LIVE_LANE
    v: int = MAJOR


class Verdict(Struct, kw_only=True, tag="verdict", tag_field="type", omit_defaults=True):
    """What the analyst says back about a match."""

    event_id: str
    article_id: str
    verdict: Literal["right", "wrong", "other"]
    at: datetime
    other_event: str | None = None
    by: str | None = None
    v: int = MAJOR


class AlertAck(Struct, kw_only=True, tag="alert_ack", tag_field="type", omit_defaults=True):
    """An analyst has taken note of an alert."""

    alert_id: str
    at: datetime
    by: str | None = None
    v: int = MAJOR


class Dead(Struct, kw_only=True, tag="dead", tag_field="type", omit_defaults=True):
    """A record that a stage could not handle. Small: it points, it does not copy."""

    stage: str
    topic: str
    partition: int
    offset: int
    error: str  # class name
    message: str
    attempts: int
    first_failed: datetime
    article_id: str | None = None
    revision: str | None = None
    v: int = MAJOR


TOPIC_RECORDS: dict[str, Any] = {
    ARTICLES: Article,
    EMBEDDED: Embedded,
    PLACED: Placed,
    MATCHED: Matched | History,
    EVENTS: Definition | DefinitionVectors | HistoryDone,
    VERDICTS: Verdict | AlertAck,
    DEAD: Dead,
}

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


def encode(record: Struct) -> bytes:
    """The record as JSON; raises BadRecord when it is larger than any broker would take."""
    data = _encoder.encode(record)
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecord(
            f"a {type(record).__name__} record of {len(data):,} bytes is over the limit of "
            f"{MAX_RECORD_BYTES:,}; shorten the article text"
        )
    return data


class _Times(Struct):
    """The times of an article, or what wraps it."""

    published: datetime | None = None
    fetched: datetime | None = None
    # Empty when absent; msgspec takes nothing but null for `Raw | None`.
    article: Raw = Raw(b"")
    embedded: Raw = Raw(b"")
    placed: Raw = Raw(b"")


def event_time_of(value: bytes | Raw) -> datetime | None:
    """The event time of the article that a record of any topic carries, None = it carries none."""
    try:
        times = msgspec.json.decode(value, type=_Times)
        for inner in (times.placed, times.embedded, times.article):
            if bytes(inner):
                return event_time_of(inner)
        if times.fetched is None:
            return None
        return min(times.published, times.fetched) if times.published else times.fetched
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
        return None  # no record, or a time without its zone: whoever handles it says so


class _Head(Struct):
    v: int = MAJOR


def decode(data: bytes | Raw, type_: type[T]) -> T:
    """Read one record (unknown fields are ignored).

    Raises BadRecord for JSON that is not this record, and for a major version that this release
    does not know: upgrade consumers before producers.
    """
    try:
        version = msgspec.json.decode(data, type=_Head).v
        if version != MAJOR:
            raise BadRecord(
                f"the record has major version {version}, this release reads {MAJOR}; "
                "upgrade this stage before the ones that write to it"
            )
        return msgspec.json.decode(data, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecord(f"not a record of this topic: {error}") from error
