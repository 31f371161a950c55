"""Lists of feeds as other readers write and read them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from msgspec import Struct

from ingest import clean, urls
from ingest.feeds import Feed
from stream.errors import UsageError

# 10,000 feeds take about 2 MB.
_MAX_BYTES = 16 * 1024 * 1024


class Entry(Struct, frozen=True):
    url: str
    title: str | None


def read(path: Path) -> list[Entry]:
    """The feeds of an OPML file, each once, in its order. Raises UsageError when it is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} is over {_MAX_BYTES:,} bytes; split it into several files")
    found: dict[str, Entry] = {}
    is_opml = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal is_opml
        is_opml = is_opml or name.lower() == "opml"
        lower = {key.lower(): value for key, value in attributes.items()}
        address = lower.get("xmlurl", "").strip()
        if name.lower() == "outline" and urls.canonical(address):
            title = clean.line(lower.get("title") or lower.get("text") or "") or None
            found.setdefault(address, Entry(address, title))

    def refuse(*_: object) -> None:
        raise UsageError(f"{path} defines XML entities, which no list of feeds needs; remove them")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UsageError(f"{path} is not OPML ({error}); export it again as OPML") from error
    if not is_opml:
        raise UsageError(f"{path} is XML but not OPML: expected <opml> with <outline xmlUrl=…>")
    return list(found.values())


def write(path: Path, feeds: Iterable[Feed]) -> None:
    """An OPML 2.0 file with one outline a feed. Raises UsageError when it cannot be written."""
    root = ElementTree.Element("opml", version="2.0")
    ElementTree.SubElement(ElementTree.SubElement(root, "head"), "title").text = "Dateline feeds"
    body = ElementTree.SubElement(root, "body")
    for feed in feeds:
        name = feed.title or feed.outlet or feed.url
        ElementTree.SubElement(body, "outline", type="rss", text=name, title=name, xmlUrl=feed.url)
    ElementTree.indent(root)
    try:
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
