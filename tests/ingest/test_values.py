"""Dates, URLs, text, language and identity: functions of their arguments alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.articles import identity, urls
from ingest.articles.fates import SAME_STORY
from ingest.documents import clean, dates, language


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("Mon, 20 Sep 2021 10:00:00 GMT", "2021-09-20T10:00:00"),
        ("Mon, 20 Sep 21 10:00 +0200", "2021-09-20T08:00:00"),
        ("Thu,28 Jul 2022 4:35:5 GMT+9", "2022-07-27T19:35:05"),
        ("Fri, 17 May 2019 06:00:00 BST", "2019-05-17T05:00:00"),
        ("Fri, 7 May 2021 11:44:00 EST", "2021-05-07T16:44:00"),
        ("2021年9月20日", "2021-09-20T00:00:00"),
        ("2021年9月20日 15:30", "2021-09-20T15:30:00"),
        ("2021년 9월 20일 오후 3시 5분", "2021-09-20T15:05:00"),
        ("1632130000", "2021-09-20T09:26:40"),
        ("1632130000500", "2021-09-20T09:26:40.500000"),
        ("22.11.2022 12:16:00", "2022-11-22T12:16:00"),
        ("Fri, 05/03/2019 - 15:21", "2019-05-03T15:21:00"),
        ("25/12/2019", "2019-12-25T00:00:00"),
        ("mer, 10 nov 2021 10:00:00 +0100", "2021-11-10T09:00:00"),
        ("20 сентября 2021 10:00", "2021-09-20T10:00:00"),
        ("Friday, January 20, 2017 10:30 PM", "2017-01-20T22:30:00"),
        ("Mon Sep 20 10:00:00 EST 2021", "2021-09-20T15:00:00"),
        ("2014-03-10T12:00:00.123", "2014-03-10T12:00:00.123000"),
        ("2018-05-27T22:23:40+08:00", "2018-05-27T14:23:40"),
        ("2021-09-20 10:00:00", "2021-09-20T10:00:00"),
        ("2021-09-20", "2021-09-20T00:00:00"),
        ("  2021-09-20T24:00:00Z ", "2021-09-21T00:00:00"),
        ("Thu, 01 Jan 1969 00:00:00 GMT", "1969-01-01T00:00:00"),
    ],
)
def test_dates_are_read_as_they_were_meant(raw: str, iso: str) -> None:
    assert dates.read(raw) == datetime.fromisoformat(iso).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [None, "", "yesterday", "05/06/2021", "2021-02-31", "0000-00-00T00:00:00Z", "9999-12-31",
     "1" * 200_000, "Mon, 99 Sep 2021 10:00:00 GMT", "NaN", "12:30"],
)  # fmt: skip
def test_what_is_not_certainly_a_date_is_none(raw: str | None) -> None:
    assert dates.read(raw) is None


@given(st.text(max_size=120))
def test_no_string_breaks_reading_dates_urls_or_text(text: str) -> None:
    dates.read(text)
    clean.line(text)
    address = urls.canonical(text, "https://news.example/")
    assert address is None or address.startswith(("http://", "https://"))
    clean.html_to_text(text).encode()  # storable as UTF-8


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://WWW.News.Example:80/a?utm_source=x&id=4#f", "http://www.news.example/a?id=4#f"),
        ("https://news.example:8443/a", "https://news.example:8443/a"),
        ("https://news.example?b=2&a=1", "https://news.example/?b=2&a=1"),
        ("https://münchen.example/a", "https://xn--mnchen-3ya.example/a"),
        ("mailto:a@b.example", None),
        ("https:///nohost", None),
        ("https://news.example/" + "x" * 3000, None),
        ("http://[::1", None),
    ],
)
def test_canonical_urls(url: str, canonical: str | None) -> None:
    assert urls.canonical(url) == canonical


@pytest.mark.parametrize(
    "url",
    ["http://www.news.example/a/", "https://m.news.example/a", "https://news.example/a/amp",
     "https://amp.news.example/a?amp=1", "https://news.example/a?fbclid=1#top"],
)  # fmt: skip
def test_forms_of_one_address_have_one_identity(url: str) -> None:
    assert urls.identity_key(url) == "news.example/a"


def test_a_home_page_names_no_article() -> None:
    assert urls.identity_key("https://www.news.example/") is None
    assert urls.identity_key("https://www.news.example/?id=4") is not None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two<br/>three</p>", "One\n\nTwo\nthree"),
        ("a &amp;amp; b &nbsp; c", "a & b c"),
        ("5 < 6 &amp; 7 > 3", "5 < 6 & 7 > 3"),
        ("<script>x</script><style>y</style>z", "z"),
        ("\u202egnp.exe\u202c safe\u200b", "gnp.exe safe"),
        ("\u200d\u2063", ""),
        ("\u200c" * 500, ""),
        ("\x1b[31m<b>red</b>\x1b[0m", "red"),
        ("&amp;amp;amp;lt;b&amp;amp;amp;gt;x", "x"),
        ("&lt;![CDATA[words]]&gt; &lt;![CDATA[ more", "words <![CDATA[ more"),
        ("<a title='a > b' href=x>link</a>", "link"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_html_becomes_plain_text(markup: str, text: str) -> None:
    assert clean.html_to_text(markup) == text


def test_cutting_ends_with_a_sentence_and_never_inside_a_letter() -> None:
    assert clean.cut("One two three four. Five six seven eight nine.", 20) == "One two three four."
    assert clean.cut("é" * 10, 5) == "éé"
    assert clean.cut("short", 100) == "short"


@pytest.mark.parametrize(
    ("title", "claim", "lang"),
    [
        ("The president announced his resignation on Wednesday", "ru", "en"),
        ("Новости часа: пожар в порту Одессы, есть пострадавшие", "en", "ru"),
        ("日本の首相が辞任を表明した", "en", "ja"),
        ("Kim", "ko-KR", "ko"),
        ("2–1", None, None),
    ],
)
def test_language_is_identified_and_a_claim_is_a_hint(
    title: str, claim: str | None, lang: str | None
) -> None:
    assert language.identify(title, "", claim) == lang


def test_content_hash_ignores_what_readers_do_not_see() -> None:
    assert identity.content_hash("A  Title", "Text\n") == identity.content_hash("a title", "Text")
    assert identity.content_hash("A title", "120") != identity.content_hash("A title", "12")
    assert identity.content_hash("a", "b c") != identity.content_hash("a b", "c")


def test_revisions_are_chained() -> None:
    first = identity.revision(None, "a")
    second = identity.revision(first, "b")
    assert len({first, second, identity.revision(second, "a")}) == 3


def test_sketches_tell_an_edit_from_another_story() -> None:
    ferry = identity.sketch("Ferry sinks off Crete", "Forty people were saved by men at dawn.")
    edit = identity.sketch("Ferry sinks off Crete", "Fifty people were saved by men at dawn.")
    bank = identity.sketch("Central bank raises rates", "The move of half a point surprised many.")
    assert identity.likeness(ferry, ferry) == 1
    assert identity.likeness(ferry, edit) > 0.6
    assert identity.likeness(ferry, bank) < SAME_STORY


def test_long_keys_are_hashed_and_stay_distinct() -> None:
    assert identity.key("short") == "short"
    assert len(identity.key("x" * 300_000)) < 100
    assert identity.key("x" * 300_000) != identity.key("x" * 300_001)
