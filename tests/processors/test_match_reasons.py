"""Reasons are true: each kind of claim, over every article of the sample world, in every regime."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from bench.tracking import example, table_of, world
from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import definition_vectors
from processors.match import decision, signals
from processors.match.crowd import CROWD
from processors.match.judge import Judge, Vector, vector_of
from processors.match.naming import fold
from processors.match.settings import MatchSettings
from processors.match.words import needed
from processors.text.numbers import mentioned_dates
from processors.text.sentences import sentence_spans
from stream.records import Article, Decision, Definition

REGIMES = ("listed_text", "listed_headline", "text", "headline", "unread", "crowd")


class World(NamedTuple):
    judge: Judge
    definitions: dict[str, Definition]
    articles: list[Article]
    vectors: list[Vector]
    kept: list[list[Decision]]

    def decisions(self) -> Iterator[tuple[Article, Vector, Decision]]:
        for one, vector, kept in zip(self.articles, self.vectors, self.kept, strict=True):
            for found in kept:
                yield one, vector, found


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(EmbedSettings())


@pytest.fixture(scope="module")
def whole(encoder: Encoder) -> tuple[list[Definition], list[Article], list[Vector]]:
    task, _ = world()
    articles = task.articles[::2]
    return task.definitions, articles, _vectors(encoder, articles)


@pytest.fixture(scope="module", params=REGIMES)
def told(
    request: pytest.FixtureRequest,
    encoder: Encoder,
    whole: tuple[list[Definition], list[Article], list[Vector]],
) -> World:
    definitions, articles, vectors = whole
    regime: str = request.param
    if regime in ("text", "headline"):
        definitions = [msgspec.structs.replace(d, actors=[], places=[]) for d in definitions]
    if regime.endswith("headline"):
        articles = [msgspec.structs.replace(one, text="") for one in articles]
        vectors = _vectors(encoder, articles)
    if regime == "unread":
        articles = [msgspec.structs.replace(one, lang="xx") for one in articles]
    if regime == "crowd":
        # Every third article is an event, known by this report alone.
        definitions = [
            Definition(id=one.id, version=1, title=one.title, examples=[example(one)])
            for one in articles[::3]
        ]
        assert len(definitions) >= CROWD
        kept = [n for n in range(len(articles)) if n % 3]
        articles, vectors = [articles[n] for n in kept], [vectors[n] for n in kept]
    judge = Judge(table_of(definitions, encoder), decision.load(encoder.name), MatchSettings())
    found = [judge.kept(one, vector) for one, vector in zip(articles, vectors, strict=True)]
    assert sum(d.matched for kept in found for d in kept) >= 10
    return World(judge, {d.id: d for d in definitions}, articles, vectors, found)


def _vectors(encoder: Encoder, articles: Sequence[Article]) -> list[Vector]:
    texts = [article_text(one.title, one.text) for one in articles]
    return [vector_of(raw) for raw in encoder.encode(texts)]


def _again(told: World, one: Article, vector: Vector, event: str) -> Decision:
    return next(d for d in told.judge.all(one, vector) if d.event_id == event)


def test_contributions_sum_to_the_score_and_the_score_is_the_probability(told: World) -> None:
    for _, _, found in told.decisions():
        total = found.base + math.fsum(one.contribution for one in found.signals)
        assert found.score == pytest.approx(total, abs=1e-9)
        assert found.probability == pytest.approx(1 / (1 + math.exp(-found.score)))


def test_without_the_sentence_it_is_less_likely_and_least_of_all_sentences(told: World) -> None:
    """With the vector as it is: what was judged is what the words say."""
    tried = 0
    for one, vector, found in told.decisions():
        if not one.text or not found.matched:
            continue
        (best,) = (
            d
            for d in told.judge.all(one, vector, encode=lambda texts, v=vector: [v] * len(texts))  # type: ignore[misc]
            if d.event_id == found.event_id
        )
        scores: dict[str, float] = {}
        for span in sentence_spans(one.text):
            cut = one.text[: span.start] + one.text[span.start + len(span.text) :]
            shorter = msgspec.structs.replace(one, text=cut)
            score = _again(told, shorter, vector, found.event_id).score
            scores[span.text] = min(score, scores.get(span.text, score))
        if not best.sentence:
            assert min(scores.values()) >= found.score
            continue
        tried += 1
        assert scores[best.sentence] == min(scores.values()) < found.score
        # The stage tries the likeliest sentences only.
        assert not found.sentence or scores[found.sentence] < found.score
        if tried == 6:
            break
    assert tried or not any(one.text for one in told.articles)


def test_with_an_encoder_the_sentence_is_one_whose_loss_lowers_the_real_probability(
    told: World, encoder: Encoder
) -> None:
    def encode(texts: Sequence[tuple[str, str]]) -> list[Vector]:
        return [vector_of(v) for v in encoder.encode([article_text(*pair) for pair in texts])]

    tried = 0
    matched = [found for found in told.decisions() if found[0].text and found[2].matched]
    for one, vector, kept in matched[:: max(1, len(matched) // 2)]:
        every = told.judge.all(one, vector, encode=encode)
        best = next(d for d in every if d.event_id == kept.event_id)
        assert best.score == kept.score
        if best.sentence:
            shorter = msgspec.structs.replace(one, text=one.text.replace(best.sentence, "", 1))
            again = encode([(shorter.title, shorter.text)])[0]
            assert _again(told, shorter, again, kept.event_id).probability < kept.probability
            tried += 1
    assert tried or not matched


def test_names_and_days_stand_in_the_text_as_they_are_reported(told: World) -> None:
    named = 0
    for one, _, found in told.decisions():
        text = f"{one.title}\n{one.text}"
        assert found.sentence in text
        for name in found.shared:
            assert name in text
            assert _is_of(name, told.definitions[found.event_id])
        for signal in found.signals:
            for name in _names_in(signal.note):
                named += 1
                assert name in text.replace("\n", " "), signal.note
            if day := re.match(r"speaks of (.+), inside", signal.note):
                anchor = one.published.date() if one.published else None
                days = {f"{d.day.day} {d.day:%B %Y}" for d in mentioned_dates(one.text, anchor)}
                assert day[1] in days
            if day := re.match(r"published ([^,]+),", signal.note):
                assert one.published is not None
                assert day[1] == f"{one.published.day} {one.published:%B %Y}"
    assert named


def test_names_that_speak_against_it_belong_to_a_related_event_and_not_to_it(
    told: World,
) -> None:
    ids = {event.definition.id: event for event in told.judge.table.events}
    for _, _, found in told.decisions():
        for signal in found.signals:
            if not re.search(
                r", (of a related event|which came later)$|no place of this", signal.note
            ):
                continue
            event = ids[found.event_id]
            related = [told.judge.table.events[i].definition for i in event.related]
            for name in _names_in(signal.note):
                assert not _is_of(name, event.definition)
                assert any(_is_of(name, other) for other in related)
                assert signal.contribution <= 0


def _names_in(note: str) -> list[str]:
    told = re.match(
        r"(?:names|opens on) (?!none|fewer)(.+?)(?:, (?:which|of a|whom|and no).*)?$", note
    )
    return re.split(r", | and ", told[1]) if told else []


def _is_of(name: str, definition: Definition) -> bool:
    """Does the definition have this name: listed, or in its own words?"""
    listed = [s for n in definition.actors + definition.places for s in (n.name, *n.aliases)]
    own = [definition.title, definition.description]
    own += [f"{e.title} {e.text}" for e in definition.examples]
    wanted = "".join(fold(name))
    if any("".join(fold(spelling)) == wanted for spelling in listed):
        return True
    return not listed and any(wanted in "".join(fold(text)) for text in own)


def test_the_rival_is_the_best_other_event_and_the_margin_the_lead_over_it(told: World) -> None:
    for one, vector, kept in zip(told.articles, told.vectors, told.kept, strict=True):
        if not kept:
            continue
        every = told.judge.all(one, vector)
        for found in kept:
            others = [d.probability for d in every if d.event_id != found.event_id]
            if found.rival is None:  # nothing came near enough to be looked at
                assert max(others) < MatchSettings().keep
                continue
            assert found.rival_probability == max(others)
            assert found.rival in {d.event_id for d in every if d.probability == max(others)}
            assert found.margin == pytest.approx(found.probability - max(others), abs=1e-6)


def test_what_is_missing_is_told_of_what_did_not_match_only(told: World) -> None:
    some = 0
    for _, _, found in told.decisions():
        if found.matched:
            assert found.gap == 0
            assert not any(one.room for one in found.signals)
            continue
        some += 1
        short = decision.logit(MatchSettings().threshold)
        assert found.gap == pytest.approx(short - found.score, abs=1e-4)
        assert all(one.room >= 0 for one in found.signals)
        if told.judge.table.crowd is None:
            assert not {s.name for s in found.signals if s.room} & {"lead", "told"}
        assert re.search(r"by [\d.]+ in log-odds", needed(found))
    assert some


def test_a_date_in_the_window_brings_what_it_was_said_to_bring(told: World) -> None:
    tried = 0
    for one, vector, found in told.decisions():
        starts = told.definitions[found.event_id].starts
        room = {s.name: s.room for s in found.signals}
        before = {s.name: s for s in found.signals}
        if found.matched or not starts or not room["inside"]:
            continue
        dated = msgspec.structs.replace(
            one, published=datetime.fromisoformat(starts).replace(tzinfo=UTC), published_from="feed"
        )
        again = {s.name: s for s in _again(told, dated, vector, found.event_id).signals}
        gained = sum(
            again[name].contribution - before[name].contribution for name in ("inside", "outside")
        )
        assert gained == pytest.approx(room["inside"] + room["outside"], abs=2e-4)
        tried += 1
    assert tried or told.judge.table.crowd is not None


def test_the_nearest_example_is_the_nearest(encoder: Encoder) -> None:
    task, _ = world()
    by_event: dict[str, list[Article]] = {}
    for one in task.articles[::2]:
        for event in task.about[one.id]:
            by_event.setdefault(event, []).append(one)
    definitions = [
        Definition(id=d.id, version=1, title=d.title, examples=[example(a) for a in own[:4]])
        for d in task.definitions
        if (own := by_event[d.id])
    ]
    judge = Judge(table_of(definitions, encoder), decision.load(encoder.name), MatchSettings())
    known = {d.id: definition_vectors(d, encoder) for d in definitions}
    rest = [one for own in by_event.values() for one in own[4:]]
    tried = 0
    for one, vector in zip(rest, _vectors(encoder, rest), strict=True):
        for found in judge.all(one, vector):
            note = next(s.note for s in found.signals if s.name == "examples")
            if not note:
                continue
            rows = [vector_of(raw) for raw in known[found.event_id].examples]
            given = next(d for d in definitions if d.id == found.event_id).examples
            nearest = given[int(np.argmax([row @ vector for row in rows]))]
            assert note == f"close to the example “{nearest.title[:60]}”"
            tried += 1
    assert tried > 30


def test_every_signal_that_can_be_missing_has_its_words() -> None:
    from processors.match import words

    assert set(words._WANTED) == set(signals.SIGNALS)
