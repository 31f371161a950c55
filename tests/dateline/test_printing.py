"""What commands print: whole names, in a narrow window, in a pipe, where letters are missing."""

from __future__ import annotations

import io
import json
import sys

import pytest

from dateline.commands import shared

ALERT = "kim-trump-singapore:s4fed45cd8ced4be467ae"
ROWS = [(ALERT, "Hà Nội — “day one” of the second summit of two leaders", None, 3)]


def table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: str) -> str:
    monkeypatch.setenv("COLUMNS", width)
    shared.print_table(("alert", "headline", "nothing", "articles"), ROWS, "none")
    return capsys.readouterr().out


def test_a_name_stays_whole_in_a_narrow_window_and_no_letter_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = table(monkeypatch, capsys, "70")
    assert ALERT in out
    assert max(map(len, out.splitlines())) <= 70
    for word in ROWS[0][1].split():
        assert word in out


def test_a_column_without_values_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing" not in table(monkeypatch, capsys, "120")


def test_a_pipe_gets_one_line_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    shared.print_table(("alert", "headline"), [(ALERT, "word " * 20)], "none")
    assert sum(bool(line.strip()) for line in capsys.readouterr().out.splitlines()) == 3


def test_json_is_utf_8_whatever_the_terminal_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    shared.print_json({"title": ROWS[0][1]})
    assert json.loads(raw.getvalue().decode("utf-8"))["title"] == ROWS[0][1]
