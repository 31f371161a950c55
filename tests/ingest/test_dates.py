"""Dates in the forms that feeds use, beyond the common ones of test_values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.documents import dates

MONTHS = {
    9: """september sept sep. septembre septiembre setembro settembre September сентября сен
    вересня września wrz září Eylül Eyl syyskuuta szeptember Σεπτεμβρίου Σεπ سبتمبر سپتامبر सितंबर
    ספטמבר septembrie септември 九月""",
    3: "March Mar. mars März Mär maart mrt marzo março марта мар березня marca mart Mac मार्च مارس",
    6: "June juin junio junho giugno Juni июня червня czerwca června haziran kesäkuuta يونيو",
    7: "July juillet julio julho luglio Juli июля липня lipca července temmuz heinäkuuta يوليو",
    10: "October oktober octobre octubre outubro ottobre октября жовтня října ekim lokakuuta",
    11: "November novembre noviembre листопада listopadu kasım marraskuuta נובמבר 十一月",
}


@pytest.mark.parametrize("month", MONTHS)
def test_months_are_known_in_many_languages(month: int) -> None:
    read = {word: dates.read(f"20 {word} 2021 10:00") for word in MONTHS[month].split()}
    expected = datetime(2021, month, 20, 10, 0, tzinfo=UTC)
    assert {word for word, found in read.items() if found != expected} == set()


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("Mon, 20 Sep 2021 24:00:00 GMT", "2021-09-21T00:00:00"),
        ("Fri, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00"),
        ("Tue, 20 Sep 2021 10:00:00 GMT", "2021-09-20T10:00:00"),  # a Monday
        ("20 Sep 70 10:00:00 GMT", "1970-09-20T10:00:00"),
        ("Monday, 20-Sep-21 10:00:00 GMT", "2021-09-20T10:00:00"),
        ("Mon, 20 Sep 2021 10:00:00 +05.30", "2021-09-20T04:30:00"),
        ("Mon, 20 Sep 2021 10:00:00 ET", "2021-09-20T14:00:00"),
        ("Mon, 20 Dec 2021 10:00:00 PT", "2021-12-20T18:00:00"),
        ("Mon, 20 Sep 2021 10:00:00 GMT+0200 (Central European Summer Time)", "2021-09-20T08:00"),
        ("2021-09", "2021-09-01T00:00:00"),
        ("2021", "2021-01-01T00:00:00"),
        ("2021-263", "2021-09-20T00:00:00"),
        ("2021-W38-1", "2021-09-20T00:00:00"),
        ("20210920T100000Z", "2021-09-20T10:00:00"),
        ("20210920100000", "2021-09-20T10:00:00"),
        ("1632130000123456", "2021-09-20T09:26:40.123456"),
        ("20.09.21 10:00", "2021-09-20T10:00:00"),
        ("20. September 2021, 10:00 Uhr", "2021-09-20T10:00:00"),
        ("lundi 20 septembre 2021 à 10h30", "2021-09-20T10:30:00"),
        ("1er septembre 2021", "2021-09-01T00:00:00"),
        ("2021. szeptember 20. 10:00", "2021-09-20T10:00:00"),
        ("20 tháng 9, 2021 10:00", "2021-09-20T10:00:00"),
        ("2021-09-20 下午 3:00", "2021-09-20T15:00:00"),
        ("2021-09-20 上午12:05", "2021-09-20T00:05:00"),
        ("2021년 9월 20일 월요일 오후 3:05", "2021-09-20T15:05:00"),
        ("2021年9月20日(月) 10時05分", "2021-09-20T10:05:00"),
        ("令和3年9月20日", "2021-09-20T00:00:00"),
        ("民國110年9月20日", "2021-09-20T00:00:00"),
        ("۲۰ سپتامبر ۲۰۲۱", "2021-09-20T00:00:00"),
        ("Mon, 20 Sep 1601 10:00:00 GMT", "1601-09-20T10:00:00"),
        ("Thu, 31 Dec 2099 23:59:59 GMT", "2099-12-31T23:59:59"),
    ],
)
def test_forms_beyond_the_standards(raw: str, iso: str) -> None:
    assert dates.read(raw) == datetime.fromisoformat(iso).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    ["Mon, 01 Jan 0001 00:00:00 +0000", "Mon, 20 Sep 2021 25:00:00 GMT", "2021-366", "9/20/21",
     "Mon, 20 Sep 2021 10:61:00 GMT", "20 Foo 2021", "2 hours ago", "1234", "0", "-1"],
)  # fmt: skip
def test_what_no_calendar_has_is_none(raw: str) -> None:
    assert dates.read(raw) is None
