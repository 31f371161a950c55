"""The hostile documents that were given: each gives what a good ingester makes of it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ingest.documents.items import Document, Refusal
from tests.ingest.reading import (
    NOON,
    N,
    clean_everywhere,
    dates,
    items,
    links,
    read,
    refused,
    titles,
)


def titled(*expected: str) -> Callable[[Document | Refusal], bool]:
    return lambda f: titles(f) == list(expected)


def count(n: int) -> Callable[[Document | Refusal], bool]:
    return lambda f: len(items(f)) == n


NEWS = "Новости часа: пожар в порту"
TOKYO = "日本の首相が辞任を表明"
# What a good ingester makes of each file of the index, told apart by its name.
EXPECTED: dict[str, Callable[[Document | Refusal], bool]] = {
    "xml-billion-laughs.xml": titled("&l9;", "Item 2"),
    "xml-quadratic-blowup.xml": lambda f: len(titles(f)[0]) < 100_000,
    "xml-external-entity-file.xml": titled("A &x; B", "Item 2"),
    "xml-external-entity-http.xml": titled("A &x; B"),
    "xml-50k-attributes.xml": titled("t"),
    "xml-20k-namespaces.xml": titled("Item 1"),
    "xml-nested-1mb.xml": titled("deep"),
    "html-nested-1mb-escaped.xml": lambda f: items(f)[0].text == "x",
    "html-comment-flood.xml": titled("Item 1"),
    "xml-comment-unclosed.xml": refused("broken"),
    "xml-cdata-unclosed.xml": titled("Item 1"),
    "xml-cdata-nested.xml": lambda f: items(f)[0].text == "a ]]> b <![CDATA[ c",
    "xml-blank-before-prolog.xml": titled("Item 1"),
    "xml-bare-ampersand.xml": lambda f: (
        titles(f) == ["AT&T, R&D & Q&A"] and links(f) == [f"{N}/?a=1&b=2&copy=3"]
    ),
    "xml-double-escaped-link.xml": lambda f: links(f) == [f"{N}/?a=1&b=2"],
    "xml-uppercase-tags.xml": lambda f: titles(f) == ["Upper"] and links(f) == [f"{N}/1"],
    "xml-version-1.1.xml": titled("Item 1"),
    "xml-mixed-rss-atom.xml": titled("Item 1", "atom in rss"),
    "xml-channel-fields-after-items.xml": lambda f: (
        titles(f) == ["Item 1"] and isinstance(f, Document) and f.title == "Late title"
    ),
    "trunc-4096.xml": lambda f: (
        isinstance(f, Document) and len(f.items) == 19 and sum(f.left_out.values()) == 1
    ),
    "not-empty-body.xml": refused("empty"),
    "not-html-page.xml": refused("page"),
    "not-cloudfront-403.xml": refused("page"),
    "not-png.xml": refused("not-a-feed"),
    "not-opml.xml": refused("not-a-feed"),
    "not-sitemap.xml": refused("not-a-feed"),
    "not-svg.xml": refused("not-a-feed"),
    "empty-channel.xml": count(0),
    "enc-declared-utf8-is-1251.xml": titled(NEWS),
    "enc-declared-latin1-is-utf8.xml": titled("Zürich: “Ende”"),
    "enc-http-conflicts-xml.xml": titled(NEWS),
    "enc-text-xml-no-charset.xml": titled(NEWS),
    "enc-utf16be-nobom.xml": titled(TOKYO),
    "enc-utf32.xml": titled(TOKYO),
    "enc-gb2312-with-gbk.xml": titled("朱镕基与㐀𠀀"),
    "enc-utf7.xml": lambda f: "<" not in titles(f)[0],
    "enc-unknown-name.xml": titled(NEWS),
    "enc-long-name.xml": titled(NEWS),
    "enc-invalid-utf8.xml": lambda f: len(items(f)) == 2 and titles(f)[1].startswith("café"),
    "enc-control-chars.xml": lambda f: titles(f)[0].startswith("ARED"),
    "enc-charrefs-illegal.xml": lambda f: links(f) == [f"{N}/1", f"{N}/2"],
    "enc-cp1252-charrefs.xml": titled("“quoted” – it’s …"),
    "enc-double-utf8.xml": titled("Zürich – „Ende“ für Käufer"),
    "size-1mb-link.xml": lambda f: links(f) == [None, f"{N}/2"],
    "size-500kb-word.xml": titled("Item 1"),
    "id-no-guid.xml": lambda f: links(f) == [f"{N}/1", f"{N}/2"],
    "id-dup-guid-different-items.xml": lambda f: len(set(links(f))) == 3,
    "id-same-item-1000.xml": count(1000),  # made one article later
    "id-same-link-for-all.xml": lambda f: len({i.guid for i in items(f)}) == 5,
    "id-tracking-links.xml": lambda f: len(set(links(f))) <= 2,
    "id-media-title.xml": lambda f: (
        titles(f) == ["Item 1"] and items(f)[0].text == "Text of item 1"
    ),
    "id-image-title-leak.xml": lambda f: (
        isinstance(f, Document) and (f.title, f.link) == ("Hostile feed", f"{N}/")
    ),
    "id-source-spoof.xml": titled("BREAKING: fake story"),
    "id-atom-source.xml": lambda f: (
        (titles(f), links(f), dates(f)) == (["Entry 1"], [f"{N}/1"], [NOON])
    ),
    "date-far-past.xml": lambda f: [d.year if d else 0 for d in dates(f)]
    == [1000, 1601, 1899, 1969, 1970],
    "date-long-digits.xml": lambda f: dates(f) == [None] * 3,
    "date-updated-before-published.xml": lambda f: dates(f) == [NOON],
    "date-many.xml": lambda f: dates(f) == [datetime(2021, 9, 21, 10, tzinfo=UTC)],
    "date-none-at-all.xml": lambda f: dates(f) == [None] * 5,
    "xss-title.xml": count(18),
    "xss-xhtml.xml": titled("T", "T", "T"),
    "xss-author-category.xml": lambda f: isinstance(f, Document) and f.title == "",
    "text-bidi-invisible.xml": lambda f: titles(f)[:2] == ["Bank gnp.exe safe", ""],
    "text-language-lies.xml": count(3),
    "text-no-text.xml": count(5),
    "links-relative.xml": lambda f: links(f) == [
        "https://feeds.example/a/1", "https://feeds.example/news/2.html", "https://cdn.example/3",
        "https://feeds.example/news/feed.xml?id=4", None, "https://feeds.example/6", None,
    ],
    "links-xml-base.xml": lambda f: len(items(f)) == 5,
    "links-self-and-hub.xml": lambda f: links(f) == [f"{N}/1"],
    "links-moved.xml": lambda f: links(f) == [f"{N}/1"],
    "links-enclosures.xml": lambda f: links(f) == [f"{N}/{n}" for n in (1, 2, 3, 4)],
    "links-ssrf.json": refused("not-a-feed"),
    "feed-ttl-tricks.xml": lambda f: (
        isinstance(f, Document) and not f.hints.skip_hours and not f.hints.skip_days
        and (f.hints.ttl or 60) >= 60 and (f.hints.update_period or 60) >= 60
    ),
    "json-wrong-types.json": lambda f: (
        titles(f)[-1] == "OK" and sum(1 for i in items(f) if i.error) == 4
    ),
    "json-top-list.json": refused("not-a-feed"),
    "json-top-number.json": refused("not-a-feed"),
    "json-nul-surrogate.json": count(2),
    "json-nan.json": count(1),
    "json-bom.json": titled("a"),
    "json-jsonp.json": refused("not-a-feed"),
    "json-lines.json": refused("not-a-feed"),
    "json-trailing-comma.json": titled("a"),
    "json-xss.json": lambda f: (items(f)[0].title, items(f)[0].text) == ("", "ok"),
    "json-no-id.json": lambda f: titles(f)[:2] == ["a", "b"],
    "pair-double-escape-2.xml": titled("AT&T & R&D"),
    "pair-whitespace-2.xml": titled("A title"),
}  # fmt: skip


def test_every_document_of_the_index_gives_what_it_should(shared_data: Path) -> None:
    folder = shared_data / "feeds" / "hostile"
    wrong = []
    with (folder / "INDEX.tsv").open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            name = row["file"]
            if not name.endswith((".xml", ".json")) or name.endswith(".http.json"):
                continue  # answers of servers: see the tests of fetching
            found = read((folder / name).read_bytes(), row["content_type"])
            clean_everywhere(found)
            # Of the others (pairs of polls, codec names) only that their items are all there.
            expected = EXPECTED.get(name, lambda f: isinstance(f, Document))
            if not expected(found):
                wrong.append(f"{name}: {row['good_ingester']!r} but {str(found)[:300]}")
    assert not wrong, "\n".join(wrong)
