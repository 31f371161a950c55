"""Pages that are not the article are told from those that are."""

from __future__ import annotations

import pytest

from ingest.pages.extract import read
from ingest.pages.page import Page
from tests.ingest.pages.corpus import CASES, WORLD, Case


def outcome(case: Case) -> str:
    found = read(case.body, "text/html; charset=utf-8", case.url, case.asked, case.about)
    return "read" if isinstance(found, Page) else found.kind


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_notice_is_never_taken_for_the_article_nor_the_article_for_a_notice(case: Case) -> None:
    assert outcome(case) == case.expected


def test_the_text_of_every_script_is_whole() -> None:
    for case in CASES:
        lang = case.name.removeprefix("whole, ")
        if lang in WORLD:
            found = read(case.body, "text/html", case.url, case.asked, case.about)
            assert isinstance(found, Page), case.name
            assert [s for s in WORLD[lang][2] if s not in found.text] == [], case.name
