"""What headers say about time, by RFC 9111 and RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ingest.fetch.freshness import http_date, lifetime, retry_after

NOON = "Mon, 20 Sep 2021 12:00:00 GMT"
LATER = "Mon, 20 Sep 2021 12:10:00 GMT"


def _headers(text: str) -> CIMultiDict[str]:
    return CIMultiDict(
        [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in text.splitlines())]
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("Cache-Control: max-age=600", 600),
        ("Cache-Control: public, Max-Age=600, must-revalidate", 600),
        ('cache-control: max-age="600"', 600),
        ("Cache-Control: max-age=600, max-age=5", 600),
        ("Cache-Control: max-age=600\nAge: 200", 400),
        ("Cache-Control: max-age=600\nAge: 700", 0),
        ("Cache-Control: max-age=600\nAge: old", 600),
        ("Cache-Control: s-maxage=900, max-age=600", 600),
        ("Cache-Control: s-maxage=900", None),  # for shared caches
        ("Cache-Control: no-cache, max-age=600", 0),
        ("Cache-Control: max-age=600, no-store", 0),
        ('Cache-Control: no-cache="Set-Cookie", max-age=600', 600),
        ("Cache-Control: private", None),
        ("Cache-Control: max-age=-1", None),
        ("Cache-Control: max-age=1e9", None),
        ("Cache-Control: max-age=99999999999999999999", None),
        ("Cache-Control: ,,=,max-age", None),
        (f"Expires: {LATER}\nDate: {NOON}", 600),
        (f"Expires: {NOON}\nDate: {LATER}", 0),
        (f"Expires: {LATER}\nDate: {NOON}\nAge: 60", 540),
        (f"Cache-Control: max-age=5\nExpires: {LATER}\nDate: {NOON}", 5),
        (f"Cache-Control: public\nExpires: {LATER}\nDate: {NOON}", 600),
        ("Expires: 0", 0),
        ("Expires: -1", 0),
        (f"Expires: {NOON}", 0),  # long past by our clock
    ],
)
def test_how_long_an_answer_stays_fresh(text: str, seconds: float | None) -> None:
    assert lifetime(_headers(text)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("Retry-After: 120", 120),
        ("Retry-After:  0 ", 0),
        (f"Retry-After: {LATER}\nDate: {NOON}", 600),
        (f"Retry-After: {NOON}\nDate: {LATER}", 0),
        (f"Retry-After: {NOON}", 0),  # long past by our clock
        ("Retry-After: -5", None),
        ("Retry-After: soon", None),
        ("Retry-After: 12.5", None),
        ("Retry-After: 999999999999999", None),
        (f"Retry-After: Mon, 20 Sep 2021 12:10:00 -0000\nDate: {NOON}", 600),
    ],
)
def test_when_to_come_back(text: str, seconds: float | None) -> None:
    assert retry_after(_headers(text)) == seconds


@given(st.text(max_size=120))
def test_no_header_breaks_the_reading(text: str) -> None:
    headers = CIMultiDict(
        dict.fromkeys(("Cache-Control", "Expires", "Age", "Date", "Retry-After"), text)
    )
    for found in (lifetime(headers), retry_after(headers)):
        assert found is None or found >= 0


@pytest.mark.parametrize(
    "text",
    ["yesterday", "Mon, 20 Sep 99999 12:00:00 GMT", "Mon, 20 Sep 2021 12:00:00 +99999999999999",
     "Mon, 99 Sep 2021 12:00:00 GMT", "20", "", "Fri, 31 Dec 9999 23:59:59 -2359", "\x00" * 50],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert http_date(text) is None
