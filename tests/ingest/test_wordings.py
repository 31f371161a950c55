"""Texts that break off, vanish and flip between polls; and what tells a cut from an edit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.articles import identity
from tests.fuzz.identity import wordings
from tests.ingest.days import LONG, Days, polled
from tests.ingest.world import item, rss, sums


@given(st.text(max_size=50), st.text(max_size=600), st.text(max_size=600))
def test_any_two_wordings_compare(title: str, text: str, later: str) -> None:
    wordings(title, text, later)


@pytest.mark.parametrize("size", [4096, 1000, 255])
def test_a_text_that_breaks_off_does_not_replace_the_whole_one(days: Days, size: int) -> None:
    cut = LONG[:size].rstrip(". ")
    reports = polled(days, *[rss(item(1, text=text)) for text in (LONG, cut, LONG, cut, LONG)])
    assert [sums(r) for r in reports] == [{"stored": 1}, *[{"duplicate": 1}] * 4]
    assert reports[1].reasons == {
        "duplicate: its text breaks off in this answer; the whole one stands": 1
    }


def test_a_text_that_was_cut_when_it_came_is_made_whole_once(days: Days) -> None:
    cut = LONG[:1000].rstrip(". ")
    polled(days, *[rss(item(1, text=text)) for text in (cut, LONG, cut, LONG)])
    assert [len(a.text) for a in days.world.articles()] == [len(cut), len(LONG)]


def test_a_text_that_was_shortened_is_an_edit(days: Days) -> None:
    short = LONG[: LONG.index(".", 1000) + 1]
    polled(days, *[rss(item(1, text=text)) for text in (LONG, short)])
    assert [a.text for a in days.world.articles()] == [LONG, short]


def test_an_answer_without_bodies_empties_no_article(days: Days) -> None:
    full = [item(n) for n in range(5)]
    empty = [item(n, text="") for n in range(4)] + [item(4, text="", title="Other headline")]
    reports = polled(days, rss(*full), rss(*empty), rss(*full))
    assert [sums(r) for r in reports] == [{"stored": 5}, {"duplicate": 5}, {"duplicate": 5}]
    assert list(reports[1].reasons) == [
        "duplicate: its text is missing in this answer; the known one stands"
    ]


def test_an_empty_channel_brings_nothing_and_withdraws_nothing(days: Days) -> None:
    reports = polled(days, rss(item(1), item(2)), rss(), rss(item(1), item(2), title="Again"))
    assert [sums(r) for r in reports] == [{"stored": 2}, {}, {"duplicate": 2}]
    assert not any(r.missed for r in reports)


def test_a_headline_without_text_may_be_edited(days: Days) -> None:
    polled(days, *[rss(item(1, title=t, text="")) for t in ("Polls open", "Polls have closed")])
    assert [a.title for a in days.world.articles()] == ["Polls open", "Polls have closed"]


def test_a_wording_that_flips_between_two_caches_comes_to_rest(days: Days) -> None:
    texts = ["The old text.", "The new text."] * 10
    reports = polled(days, *[rss(item(1, text=text)) for text in texts])
    assert len(days.world.articles()) == 4
    assert list(reports[2].reasons) == ["revised: an earlier wording returned"]
    assert next(iter(reports[-1].reasons)).startswith("duplicate: ")
    assert {r for report in reports[4:] for r in report.reasons} == {
        "duplicate: unchanged",
        "duplicate: a wording that comes and goes; the last one stands",
    }


def test_what_was_put_aside_is_put_aside_again_for_a_true_reason(days: Days) -> None:
    cut = rss(item(1, text=LONG[:4096].rstrip(". ")))
    reports = polled(days, rss(item(1, text=LONG)), cut, cut + b"\n")
    assert reports[2].reasons == {
        "duplicate: unchanged since another text of this feed was kept": 1
    }


def test_a_cut_is_told_from_an_edit_by_words_and_by_its_end() -> None:
    whole = identity.sketch("T", LONG)

    def cut(text: str) -> bool:
        return identity.cut_off(text, identity.sketch("T", text), len(LONG), whole)

    assert cut(LONG[:4096].rstrip(". "))
    assert not cut(LONG[:1000] + " other words that were never in the long text at all, and so on")
    assert not cut(LONG[: LONG.index(".", 4000) + 1])
    assert not cut(LONG[:200])
    assert not cut(LONG + " and")
