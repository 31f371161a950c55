"""Small graphics and word diffs: what their geometry says."""

from __future__ import annotations

import msgspec

from dashboard import charts, diff, words
from stream.records import Signal
from tests.dashboard import world


def event(id_: str, title: str, places: list[str], *follows: str) -> dict[str, object]:
    return {"event_id": id_, "title": title, "places": places, "follows": list(follows),
            "starts": None}  # fmt: skip


def test_a_timeline_spans_the_window_and_the_coverage_outside_it() -> None:
    found = charts.timeline(
        [("2018-06-01", 1, 0), ("2018-06-12", 2, 2), ("2018-09-30", 1, 0)],
        "2018-06-10", "2018-06-20",
    )  # fmt: skip
    assert found is not None
    assert (str(found.first), str(found.last), found.articles) == ("2018-06-01", "2018-09-30", 6)
    assert len(found.bars) == 3
    tallest = max(found.bars, key=lambda bar: bar.original + bar.copied)
    assert tallest.original == tallest.copied
    assert 0 < found.window_x < found.window_x + found.window_width < charts.WIDTH


def test_a_window_of_years_keeps_few_bars_inside_the_picture() -> None:
    days = [(f"{year}-{month:02}-01", 1, 0) for year in range(2000, 2020) for month in (1, 7)]
    found = charts.timeline(days, "2000-01-01", None)
    assert found is not None
    assert len(found.bars) <= charts.MAX_BARS
    assert all(bar.x + bar.width <= charts.WIDTH for bar in found.bars)


def test_there_is_no_timeline_without_window_and_coverage() -> None:
    assert charts.timeline([], None, None) is None


def test_a_chain_is_told_by_the_places_in_its_titles() -> None:
    events = [
        event("c", "Summit in Hanoi", ["Vietnam", "Hanoi"], "b"),
        event("b", "Summit in Singapore", ["Singapore"], "a"),
        event("a", "Meetings at Panmunjom", ["Panmunjom"]),
        event("z", "A strike", []),
    ]
    assert [link.label for link in charts.chain(events, "b")] == ["Panmunjom", "Singapore", "Hanoi"]
    assert [link.here for link in charts.chain(events, "b")] == [False, True, False]
    assert charts.chain(events, "z") == []


def test_a_chain_whose_places_repeat_is_told_by_its_titles() -> None:
    events = [event("a", "First talks in Paris", ["Paris"]),
              event("b", "More talks in Paris", ["Paris"], "a")]  # fmt: skip
    labels = [link.label for link in charts.chain(events, "a")]
    assert labels == ["First talks in Paris", "More talks in Paris"]


def test_definitions_that_follow_each_other_in_a_circle_still_draw() -> None:
    events = [event("a", "A", [], "b"), event("b", "B", [], "a", "gone")]
    assert {link.event_id for link in charts.chain(events, "a")} == {"a", "b"}


def test_bars_point_to_the_side_they_argue_for() -> None:
    decided = world.decision(world.EVENTS[1], 0.9, "Singapore.", rival=world.EVENTS[0])
    for push in charts.pushes(decided):
        side = push.x >= 50 if push.signal.contribution > 0 else push.x + push.width <= 50
        assert side
        assert 0 <= push.x <= push.x + push.width <= 100
    contributions = [abs(push.signal.contribution) for push in charts.pushes(decided)]
    assert contributions == sorted(contributions, reverse=True)


def test_a_diff_shows_the_change_in_its_surroundings_only() -> None:
    before = " ".join(f"w{n}" for n in range(100))
    pieces = diff.words(before, before.replace("w50 ", "new "))
    kinds = [piece.kind for piece in pieces]
    assert kinds == ["gap", "same", "removed", "added", "same", "gap"]
    assert [p.text.strip() for p in pieces if p.kind in ("removed", "added")] == ["w50", "new"]
    assert len("".join(p.text for p in pieces).split()) < 40


def test_spacing_is_no_change() -> None:
    assert diff.words("one  two\nthree", "one two three") == []


def test_of_a_hostile_text_only_the_beginning_is_compared() -> None:
    pieces = diff.words("a b " * 50_000, "b a " * 50_000)
    assert 0 < len("".join(piece.text for piece in pieces).split()) <= 2 * diff.MAX_WORDS


def test_the_reason_in_one_line_says_two_different_things() -> None:
    signals = [
        Signal(name="meaning", value=1, contribution=3, note="close to the description"),
        Signal(name="detail", value=1, contribution=2, note="close to a sentence of it"),
        Signal(name="inside", value=1, contribution=1, note="published inside the window"),
    ]
    decided = world.decision(world.EVENTS[0], 0.9, "")
    told = words.why(msgspec.structs.replace(decided, signals=signals))
    assert told == "close to the description; published inside the window"
    told = words.why(msgspec.structs.replace(decided, signals=signals[1:]))
    assert told == "close to a sentence of it; published inside the window"
