"""The short form of `make torture`, for every run of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import NAMED
from tests.torture.run import Report, on_broker, on_sqlite

SEED = 20240301


def judged(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{report.as_text()}")
    assert report.good, report.as_text()
    assert report.verdict.articles
    assert report.verdict.matches, "nothing to be wrong about"
    assert report.verdict.sent, "no alert was told"


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_different_on_sqlite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(on_sqlite(tmp_path, 200, 5, SEED, lambda _: None), capsys)


@pytest.mark.slow
@pytest.mark.skipif(NAMED is not None, reason="needs a broker that it may kill")
def test_nothing_is_lost_doubled_or_different_on_the_broker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(on_broker(tmp_path, 200, 5, SEED, lambda _: None, brief=True), capsys)
