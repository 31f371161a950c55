"""Which encoding a document is read with."""

from __future__ import annotations

import codecs

import pytest

from ingest.documents.decode import decode, legal_document, mended

TITLE = "朝鲜半岛 – Zürich – Новости"
UTF8 = "utf-8"


def _xml(text: str, declared: str | None) -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return f"{declaration}<rss><title>{text}</title></rss>"


@pytest.mark.parametrize("declared", [None, "iso-8859-1", "windows-1252", "koi8-r", "no-such-name"])
@pytest.mark.parametrize("header", ["", "application/xml; charset=koi8-r", "text/xml"])
def test_valid_utf8_is_utf8_whatever_is_said(declared: str | None, header: str) -> None:
    text, encoding = decode(_xml(TITLE, declared).encode(), header)
    assert (TITLE in text, encoding) == (True, UTF8)


@pytest.mark.parametrize(
    "name", ["zlib_codec", "base64_codec", "bz2_codec", "idna", "punycode", "undefined", "utf-7",
             "unicode_escape", "x" * 20_000]
)  # fmt: skip
def test_codecs_that_are_no_encodings_are_never_used(name: str) -> None:
    text, encoding = decode(_xml("+ADw-script+AD4- \\u003c", name).encode(), "")
    assert encoding == UTF8
    assert "+ADw-script+AD4- \\u003c" in text


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32-be", b""),
    ],
)
def test_wide_encodings_are_read_with_and_without_mark(encoding: str, mark: bytes) -> None:
    text, used = decode(mark + _xml(TITLE, "utf-8").encode(encoding), "")
    assert used == encoding
    assert text == f"<rss><title>{TITLE}</title></rss>"


def test_the_declaration_comes_before_the_header() -> None:
    text, _ = decode(_xml("Новости", "windows-1251").encode("cp1251"), "text/xml; charset=koi8-r")
    assert "Новости" in text


def test_the_header_counts_when_nothing_is_declared() -> None:
    text, _ = decode(_xml("Новости", None).encode("koi8-r"), "text/xml; charset=koi8-r")
    assert "Новости" in text


def test_gb2312_is_read_as_its_superset() -> None:
    text, _ = decode(_xml("朱镕基与㐀", "gb2312").encode("gb18030"), "")
    assert "朱镕基与㐀" in text


def test_one_bad_byte_does_not_change_the_encoding() -> None:
    body = _xml("Zürich über Köln, größer, schöner " + TITLE, "utf-8").encode() + b"\xff"
    text, encoding = decode(body, "")
    assert encoding == UTF8
    assert TITLE in text


SAMPLES = {
    "big5": "朝鮮半島的和平進程取得重大進展，兩國領導人在板門店舉行會談。",
    "euc-jp": "日本の首相は水曜日に記者会見を開き、辞任する意向を表明した。",
    "shift_jis": "日本の首相は水曜日に記者会見を開き、辞任する意向を表明した。",
    "euc-kr": "대통령은 수요일 기자회견을 열고 사임 의사를 밝혔다.",
    "koi8-r": "Президент заявил в среду, что уходит в отставку. Выборы пройдут через месяц.",
    "windows-1251": "Президент заявил в среду, что уходит в отставку. Выборы через месяц.",
}  # fmt: skip


@pytest.mark.parametrize("encoding", SAMPLES)
def test_undeclared_encodings_are_detected(encoding: str) -> None:
    body = "".join(f"<item><title>{SAMPLES[encoding]}</title></item>" for _ in range(3))
    text, _ = decode(f"<rss><channel>{body}</channel></rss>".encode(encoding), "")
    assert SAMPLES[encoding] in text


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Привет", "koi8-r"),
        ("Ελλάδα", "cp1253"),
        ("대통령", "euc-kr"),
        ("日本", "euc-jp"),
        ("Łódź i Kraków", "cp1250"),
        ("أخبار اليوم", "cp1256"),
        ("naïve café déjà", "cp1252"),
    ],
)
def test_a_headline_is_enough_to_tell_the_encoding(words: str, encoding: str) -> None:
    text, _ = decode(_xml(words, None).encode(encoding), "")
    assert words in text


def test_a_byte_pasted_into_utf8_is_mended_and_half_a_letter_replaced() -> None:
    body = _xml(f"{TITLE} caf#, {TITLE}", "utf-8").encode().replace(b"#", b"\xe9")
    assert f"{TITLE} café, {TITLE}" in decode(body)[0]
    assert f"{TITLE}\ufffd" in decode(_xml(TITLE, "utf-8").encode()[:-14] + b"\xe4\xb8")[0]


@pytest.mark.parametrize(
    ("twice", "once"),
    [
        ("ZÃ¼rich â€“ â€žEndeâ€œ", "Zürich – „Ende“"),
        ("expectations â\x80\x94 despite", "expectations — despite"),
        ("Ã¼berall", "überall"),
        ("it\x92s", "it’s"),
        ("ATTAQUÉ»", "ATTAQUÉ»"),
        ("Ã¼ and 日本", "Ã¼ and 日本"),
    ],
)
def test_letters_encoded_twice_are_mended_where_nothing_else_can_be_meant(
    twice: str, once: str
) -> None:
    assert mended(twice) == once


def test_references_in_cdata_are_left_alone() -> None:
    assert legal_document("<a>&nbsp;&x<![CDATA[&nbsp;&x]]>&x</a>") == (
        "<a>\xa0&amp;x<![CDATA[&nbsp;&x]]>&amp;x</a>"
    )
    assert legal_document("<a>&#27;[31mred&#x1B;[0m</a>") == "<a>red</a>"
