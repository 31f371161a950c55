"""No event scores more than its bound, so none is left out that would have been kept."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from bench.tracking import example, world
from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import definition_vectors
from processors.match import bounds, decision
from processors.match.crowd import CROWD
from processors.match.decision import Decider, DecisionFile, Regime
from processors.match.events import EventTable, build
from processors.match.judge import Judge, Vector, vector_of
from processors.match.settings import MatchSettings
from processors.match.signals import SIGNALS
from stream.records import Article, Definition


def test_every_signal_is_in_the_bound() -> None:
    computed = {"meaning", "detail", "examples", "ahead", "lead", "told", "words"}
    computed |= {"inside", "outside", "apart", "days"}
    assert computed | set(bounds.RANGES) | set(bounds.NAMED) == set(SIGNALS)


class Case(NamedTuple):
    table: EventTable
    articles: list[tuple[Article, Vector]]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The sample world in every regime: names listed or not, a crowd, headlines, no dates, another
    language."""
    encoder = Encoder(EmbedSettings())
    task, _ = world()
    whole = task.articles[::7]
    bare = [msgspec.structs.replace(one, text="", published=None) for one in whole[::2]]
    texts = [article_text(one.title, one.text) for one in [*whole, *bare]]
    pairs = list(zip([*whole, *bare], map(vector_of, encoder.encode(texts)), strict=True))
    unread = [(msgspec.structs.replace(one, lang="xx"), vector) for one, vector in pairs[::4]]
    listed = task.definitions
    unlisted = [msgspec.structs.replace(one, actors=[], places=[]) for one in listed]
    crowd = [
        Definition(id=one.id, version=1, title=one.title, examples=[example(one)])
        for one in task.articles[1::7]
    ]
    assert len(crowd) >= CROWD
    own = {one.id: definition_vectors(one, encoder) for one in [*listed, *crowd]}
    return [
        Case(build(given, {one.id: own[one.id] for one in given}), [*pairs, *unread])
        for given in (listed, unlisted, crowd, [*crowd, *listed])
    ]


def awkward(decider: Decider) -> Decider:
    """A decision that likes what others dislike."""
    regimes = {
        name: Regime(one.base, {signal: -weight / 2 for signal, weight in one.weights.items()})
        for name, one in decider.file.regimes.items()
    }
    file: DecisionFile = msgspec.structs.replace(decider.file, regimes=regimes)
    return msgspec.structs.replace(decider, file=file)


@pytest.mark.parametrize("upside_down", [False, True])
def test_no_score_is_above_its_bound_and_what_is_kept_is_what_would_be(
    cases: list[Case], upside_down: bool
) -> None:
    decider = decision.load(cases[0].table.model)
    decider = awkward(decider) if upside_down else decider
    settings, tried, above = MatchSettings(), 0, list[float]()
    for table, articles in cases:
        judge = Judge(table, decider, settings)
        numbers = range(len(table.events))
        for read in judge._read(articles):
            found = judge._bounds.of(numbers, read)
            scores = [judge._weighing.score(number, read).score for number in numbers]
            above += [bound - score for bound, score in zip(found, scores, strict=True)]
        for (article, vector), kept in zip(articles, judge.kept_all(articles), strict=True):
            some = judge.all(article, vector, floor=settings.keep)
            assert kept == [one for one in some if one.signals]
            tried += len(kept)
    assert min(above) >= 0
    assert tried > 50
    if not upside_down:
        # Near enough to leave out nearly all that is not kept.
        assert sorted(above)[len(above) // 2] < 0.5
