"""Aliases in scripts without capitals or without spaces."""

from __future__ import annotations

import pytest

from processors.match.naming import Gazetteer
from stream.records import Name

KIM = Name(name="Kim Jong Un", aliases=["金正恩", "김정은", "คิม จองอึน", "كيم جونغ أون"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("朝鲜领导人金正恩周二抵达", "金正恩"),
        ("북한 김정은이 화요일 도착했다", "김정은"),  # with its particle
        ("ผู้นำคิม จองอึนเดินทางถึง", "คิม จองอึน"),
        ("وصل الزعيم كيم جونغ أون الثلاثاء", "كيم جونغ أون"),
    ],
)
def test_an_alias_is_found_in_running_text(text: str, found: str) -> None:
    gazetteer = Gazetteer()
    number = gazetteer.add(KIM, person=True)
    hits = gazetteer.find(text)
    assert [(hit.name, text[hit.start : hit.end]) for hit in hits] == [(number, found)]
