from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import EmbedStage
from processors.embed.transformer import CHARS_PER_TOKEN, Transformer
from stream.errors import UsageError
from stream.log.contract import LogRecord
from stream.records import (
    ARTICLES,
    EMBEDDED,
    EVENTS,
    Article,
    Definition,
    DefinitionVectors,
    Embedded,
    Example,
    decode,
    encode,
)
from stream.stage import Output

NOW = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(EmbedSettings())


def texts() -> list[str]:
    words = ["harbour", "strike", "talks", "flood", "river", "vote", "court", "rocket", "storm"]
    chance = random.Random(5)
    lengths = [3, 9, 20, 40, 90, 200]
    return [
        " ".join(chance.choices(words, k=lengths[n % len(lengths)])).capitalize() for n in range(70)
    ]


def nothing() -> Iterator[LogRecord]:
    return iter(())


def record(topic: str, value: bytes, offset: int = 0) -> LogRecord:
    return LogRecord(topic, 0, offset, None, value, {}, NOW)


def article(n: int, **more: object) -> Article:
    fields = {"title": f"Title {n}", "text": "Some text.", "lane": n % 2} | more
    return Article(id=f"a{n}", revision="r", outlet="x.example", fetched=NOW, **fields)  # type: ignore[arg-type]


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    all_texts = texts()
    together = encoder.encode(all_texts)
    for size in (1, 8, 32):
        subset = all_texts[:12] if size == 1 else all_texts
        parts = [
            vector
            for start in range(0, len(subset), size)
            for vector in encoder.encode(subset[start : start + size])
        ]
        assert parts == together[: len(subset)]
    order = list(range(len(all_texts)))
    random.Random(1).shuffle(order)
    shuffled = encoder.encode([all_texts[i] for i in order])
    assert shuffled == [together[i] for i in order]


def test_vectors_are_float16_of_unit_length_and_mean_something(encoder: Encoder) -> None:
    a, b, c = (
        np.frombuffer(raw, "<f2").astype(np.float32)
        for raw in encoder.encode(
            ["Harbour pilots on strike", "Port pilots stop work", "A recipe for plum cake"]
        )
    )
    assert len(a) == encoder.dims == 384
    assert abs(float(a @ a) - 1) < 0.01
    assert a @ b > a @ c + 0.2


def test_the_precision_chosen_agrees_with_float32(encoder: Encoder) -> None:
    exact = Encoder(EmbedSettings(precision="float32"))
    cosines = (encoder.encode_array(texts()) * exact.encode_array(texts())).sum(axis=1)
    assert cosines.min() > 0.999
    assert exact.name.split("@")[0] == encoder.name.split("@")[0] == "all-MiniLM-L6-v2"
    assert "-f32-" in exact.name


def test_the_name_covers_what_changes_vectors(encoder: Encoder) -> None:
    longer = Encoder(EmbedSettings(max_tokens=256))
    prefixed = Encoder(EmbedSettings(prefix="query: "))
    assert len({encoder.name, longer.name, prefixed.name}) == 3


class CountingTokenizer:
    """The real tokenizer, remembering the longest string it was given."""

    def __init__(self, real: object) -> None:
        self._real, self.longest = real, 0

    def __call__(self, texts: list[str], **options: object) -> object:
        self.longest = max(self.longest, *(len(text) for text in texts))
        return self._real(texts, **options)  # type: ignore[operator]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_a_megabyte_without_spaces_is_cut_before_the_tokenizer(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = encoder._engine
    assert isinstance(engine, Transformer)
    counting = CountingTokenizer(engine._tokenizer)
    monkeypatch.setattr(engine, "_tokenizer", counting)
    vectors = encoder.encode(["x" * 1_000_000, "\0" * 1_000_000, "\ud800 broken", ""])
    assert counting.longest <= 128 * CHARS_PER_TOKEN
    assert all(np.isfinite(np.frombuffer(v, "<f2").astype(np.float32)).all() for v in vectors)


@pytest.mark.parametrize("model", ["/nowhere/at-all", "no-such/model-here"])
def test_a_model_that_is_not_here_is_a_usage_error(model: str) -> None:
    with pytest.raises(UsageError) as caught:
        Encoder(EmbedSettings(model=model))
    assert "\n" not in str(caught.value)
    assert model in str(caught.value)


def test_articles_are_forwarded_byte_for_byte_to_their_lane(encoder: Encoder) -> None:
    newer = encode(article(1)).replace(b'"outlet"', b'"newer_field":7,"outlet"')
    outputs = EmbedStage(encoder).process(
        [record(ARTICLES, encode(article(0))), record(ARTICLES, newer, 1)]
    )
    assert [(o.topic, o.key, o.partition) for o in outputs] == [
        (EMBEDDED, "a0", 0),
        (EMBEDDED, "a1", 1),
    ]
    again = decode(encode(outputs[1].record), Embedded)
    assert bytes(again.article) == newer
    assert again.model == encoder.name
    assert len(again.vector) == 2 * again.dims


def test_an_article_given_twice_gets_the_same_vector(encoder: Encoder) -> None:
    stage = EmbedStage(encoder)
    one = record(ARTICLES, encode(article(0)))
    first = stage.process([one, one])
    later = stage.process([record(ARTICLES, encode(article(3))), one])
    vectors = {out.record.vector for out in [*first, later[1]]}  # type: ignore[attr-defined]
    assert len(vectors) == 1


def definition(version: int, **more: object) -> Definition:
    fields = {"description": "Pilots strike. Ships wait."} | more
    return Definition(id="strike", version=version, title="Port strike", **fields)  # type: ignore[arg-type]


def logged(outputs: list[Output]) -> list[LogRecord]:
    return [record(EVENTS, encode(out.record)) for out in outputs]


def test_definition_vectors_are_made_once_for_each_version(encoder: Encoder) -> None:
    stage = EmbedStage(encoder)
    one = record(EVENTS, encode(definition(1, examples=[Example(title="Port shut")])))
    made = stage.table([one], nothing)
    (vectors,) = (out.record for out in made)
    assert isinstance(vectors, DefinitionVectors)
    assert (len(vectors.description), len(vectors.examples)) == (3, 1)
    assert stage.table(logged(made), nothing) == []
    newer = stage.table([record(EVENTS, encode(definition(2)))], nothing)
    assert [out.record.version for out in newer] == [2]  # type: ignore[attr-defined]
    # A stage that starts later finds them on the log.
    restarted = EmbedStage(encoder)
    history = [one, *logged(made), record(EVENTS, encode(definition(2))), *logged(newer)]
    assert restarted.table(history, nothing) == []


def test_only_the_latest_version_of_events_in_use_is_embedded(encoder: Encoder) -> None:
    changes = [
        record(EVENTS, encode(definition(1))),
        record(EVENTS, encode(definition(2, removed=True))),
        record(EVENTS, b"{not json"),
    ]
    assert EmbedStage(encoder).table(changes, nothing) == []


def test_the_title_is_not_embedded_twice_when_the_text_repeats_it() -> None:
    assert article_text("A title", "a TITLE and more") == "a TITLE and more"
    assert article_text("", " text ") == "text"
    assert article_text("A title", "") == "A title"
    assert article_text("A title", "Body") == "A title\nBody"
