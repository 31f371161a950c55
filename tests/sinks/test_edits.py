"""What is written down about an edit."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sinks.database import edits
from sinks.database.edits import diff
from store.views import v_revisions
from tests.sinks.world import Feed, matched


def test_a_changed_headline_and_sentences_are_shown_whole() -> None:
    found = diff(
        ("Ferry sinks off Crete", "Forty were saved. The cause is not known."),
        ("Ferry sank off Crete", "Forty were saved. The captain was arrested on Monday."),
    )
    assert found["title"] == {"before": "Ferry sinks off Crete", "after": "Ferry sank off Crete"}
    assert found["removed"] == ["The cause is not known."]
    assert found["added"] == ["The captain was arrested on Monday."]
    assert 0 < found["changed"] < 1
    assert found["material"]


@pytest.mark.parametrize(
    ("before", "after", "material"),
    [
        ("The minister said that taxes fall.", "The minister said that the taxes fall.", False),
        ("The minister, 54, said that taxes would fall in May.", "THE MINISTER, 54, said that "
         "taxes would fall in May", False),
        ("Police gave an update at noon.", "Three children were killed, police confirmed.", True),
        ("船が沈没した。", "船が沈没した。四十人が救助された。", True),
    ],
)  # fmt: skip
def test_an_edit_is_material_when_a_fifth_of_its_words_is_other(
    before: str, after: str, material: bool
) -> None:
    assert diff(("Title", before), ("Title", after))["material"] is material


def test_sentences_that_only_moved_are_no_change() -> None:
    found = diff(("T", "One is here. Two is here."), ("T", "Two is here. One is here."))
    assert (found["removed"], found["added"], found["changed"]) == ([], [], 0)


def test_lines_that_are_broken_elsewhere_are_no_change() -> None:
    found = diff(("T", "One is\nhere. Two\n\nis here."), ("T", "One is here.\nTwo\n\nis here."))
    assert (found["removed"], found["added"]) == ([], [])


def test_the_points_of_a_list_are_told_apart() -> None:
    found = diff(("T", "• Polls open"), ("T", "• Polls open\n• Turnout is high"))
    assert (found["removed"], found["added"]) == ([], ["• Turnout is high"])


def test_a_diff_is_bounded() -> None:
    found = diff(("T", ""), ("T", "\n\n".join(f"{n} " + "x" * 1000 for n in range(100))))
    assert len(found["added"]) == 20
    assert max(map(len, found["added"])) == 400
    assert found["more"] == 80


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_two_texts_compare(before: str, after: str) -> None:
    found = diff(("", before), ("", after))
    assert 0 <= found["changed"] <= 1
    back = diff(("", after), ("", before))
    assert (found["removed"], found["added"]) == (back["added"], back["removed"])
    assert diff(("", before), ("", before))["changed"] == 0


def test_hostile_punctuation_is_split_in_no_time() -> None:
    assert edits._sentences("." * 200_000) == []
    assert len(edits._sentences("a." * 100_000 + "!?" * 50_000)) >= 1


def test_each_revision_says_what_it_changed(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", title="One"), matched("a", title="Two", revision="r2"))
    feed(matched("a", title="Three", revision="r3"))
    with engine.connect() as db:
        found = db.execute(sa.select(v_revisions.table).order_by(sa.column("number"))).all()
    assert [r.number for r in found] == [1, 2, 3]
    assert found[0].diff is None
    assert [r.diff["title"] for r in found[1:]] == [
        {"before": "One", "after": "Two"},
        {"before": "Two", "after": "Three"},
    ]
