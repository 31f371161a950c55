"""Lists of feeds as other readers write and read them: OPML, or one address a line.

An OPML file comes from anywhere, so nothing in it is believed: its size, the number and depth of
its outlines, its entities and its encoding are bounded, and an outline that cannot be polled is
a problem with a line number while the others are read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from msgspec import Struct

from ingest.articles import urls
from ingest.documents import clean
from ingest.documents.decode import decode, legal_references
from ingest.feeds import Entry, Feed, folder_names
from stream.errors import UsageError

STDIO = "-"
# 10,000 feeds take about 2 MB.
_MAX_BYTES = 16 * 1024 * 1024
# Ten times what one installation is meant to poll; lists beyond are no reader's export.
_MAX_FEEDS = 100_000
# Problems told one by one: nobody reads more, and a file of nothing else must not fill memory.
_MAX_PROBLEMS = 1_000
# Folders deeper than people make them; feeds further down go into the last of these.
_MAX_DEPTH = 8
_MAX_NAME = 200
# What other readers do not have travels in attributes of a namespace of its own.
_NAMESPACE = "urn:dateline:opml"
_NO_LIST = "expected OPML (<opml> with <outline xmlUrl=…>) or a text with one address a line"
_HOST = re.compile(r"[^\s,;:/@\"'<>]+\.[^\s,;:/@\"'<>.\d]{2,}(?::\d+)?(?:[/?]\S*)?")


class Problem(Struct, frozen=True):
    """An outline or line that is no feed."""

    line: int
    what: str  # its address, shortened
    reason: str


class Listed(Struct):
    """A list as read; `problems` is shortened, `skipped` is their whole number."""

    entries: list[Entry] = []
    problems: list[Problem] = []
    skipped: int = 0

    def _add(self, path: str, line: int, entry: Entry) -> None:
        if reason := _reason(entry.url):
            self.skipped += 1
            if len(self.problems) < _MAX_PROBLEMS:
                shown = clean.line(entry.url)[:100]
                self.problems.append(Problem(line, shown, reason))
        elif len(self.entries) >= _MAX_FEEDS:
            raise UsageError(f"{path} lists over {_MAX_FEEDS:,} feeds; split it into several files")
        else:
            self.entries.append(entry)


def read(path: str | Path) -> Listed:
    """The feeds of a file ("-" = standard input), in its order, repeated ones included. Raises
    UsageError when it cannot be read, or is no list of feeds."""
    path = str(path)
    try:
        if path == STDIO:
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} is over {_MAX_BYTES:,} bytes; split it into several files")
    text, encoding = decode(data)
    # Lines that the decoding took away (the XML declaration, blanks) still count for the reader.
    first = 1 + data.decode(encoding, errors="replace").count("\n") - text.count("\n")
    if text.startswith("<"):
        return _outlines(path, legal_references(text), first)
    return _lines(path, text, first)


def _lines(path: str, text: str, first: int) -> Listed:
    listed = Listed()
    for number, line in enumerate(text.split("\n"), first):
        line = line.strip()
        if line and not line.startswith("#"):
            listed._add(path, number, Entry(url=line))
    if not listed.entries:
        raise UsageError(f"{path} lists no feeds; {_NO_LIST}")
    return listed


def _outlines(path: str, text: str, first: int) -> Listed:
    listed = Listed()
    root: str | None = None
    ours = False
    opened: list[bool] = []  # one an open outline: is it a folder whose name counts?
    folders: list[str] = []
    parser = expat.ParserCreate(encoding="utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal root, ours
        if root is None:
            root, ours = name.lower(), attributes.get("xmlns:dateline") == _NAMESPACE
        if name.lower() != "outline":
            return
        given = {key.lower(): value for key, value in attributes.items()}
        url = given.get("xmlurl")
        if url is None and given.get("type", "").lower() in ("rss", "atom"):
            url = ""  # says that it is a feed and not where: that is worth a word
        label = _label(given, url, ours)
        if url is not None:
            line = parser.CurrentLineNumber + first - 1
            listed._add(path, line, _entry(given, url, label, "/".join(folders)))
        opened.append(url is None and label is not None and len(folders) < _MAX_DEPTH)
        if opened[-1] and label:
            folders.append(label)

    def end(name: str) -> None:
        if name.lower() == "outline" and opened.pop():
            folders.pop()

    def refuse(*_: object) -> None:
        raise UsageError(f"{path} defines XML entities, which no list of feeds needs; remove them")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = refuse
    broken: expat.ExpatError | None = None
    try:
        parser.Parse(text.encode("utf-8", errors="replace"), True)
    except expat.ExpatError as error:
        broken = error
    if root != "opml":
        raise UsageError(f"{path} is XML or a page but not OPML: {_NO_LIST}") from broken
    if broken is not None:
        what = expat.ErrorString(broken.code)
        line = broken.lineno + first - 1
        raise UsageError(
            f"{path} is broken in line {line} ({what}) and nothing of it was taken; mend it, or "
            "export it again"
        ) from broken
    return listed


def _label(given: dict[str, str], url: str | None, ours: bool) -> str | None:
    """The name of an outline, None when it only repeats the address. Other programs' names may
    be HTML; ours are plain and stay as they are."""
    name = given.get("title") or given.get("text") or ""
    if name == url:
        return None
    return (clean.plain if ours else clean.line)(name[: 10 * _MAX_NAME])[:_MAX_NAME] or None


def _entry(given: dict[str, str], url: str, label: str | None, folder: str) -> Entry:
    full_text = given.get("dateline:fulltext")
    return Entry(
        url=url.strip(),
        title=label,
        outlet=clean.line(given.get("dateline:outlet", "")[:_MAX_NAME]) or None,
        folder="/".join(folder_names(folder)[:_MAX_DEPTH]) or None,
        full_text=None if full_text is None else full_text.lower() == "true",
        paused=given.get("dateline:state") == "paused",
    )


def _reason(url: str) -> str | None:
    """Why this is no address of a feed; None = it may be one."""
    scheme, colon, _ = url.partition(":")
    if not url:
        return "no address"
    if len(url) > urls.MAX_LENGTH:
        return f"an address of {len(url):,} letters; at most {urls.MAX_LENGTH:,} are read"
    if "://" not in url:
        if _HOST.fullmatch(url):
            return None
        if colon and re.fullmatch(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*", scheme):
            return f"{scheme.strip().lower()[:20]}: is not http or https"
        return "not an http or https address"
    if scheme.lower() not in ("http", "https"):
        return f"{clean.line(scheme).lower()[:20]}: is not http or https"
    return None if urls.canonical(url) else "not a valid address"


def write(target: str | Path, found: Iterable[Feed]) -> None:
    """An OPML 2.0 file with an outline a feed, nested by folder; "-" = standard output. A file is
    replaced as a whole or not at all. Raises UsageError when it cannot be written."""
    data = "".join(document(found)).encode()
    if str(target) == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal
            path.write_bytes(data)
            return
        try:
            part.write_bytes(data)
            part.replace(path.resolve())
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error


def document(found: Iterable[Feed]) -> Iterator[str]:
    """The text of an OPML file, piece by piece."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<opml version="2.0" xmlns:dateline="{_NAMESPACE}">\n'
    yield "  <head>\n    <title>Dateline feeds</title>\n  </head>\n  <body>\n"
    open_folders: list[str] = []
    for feed in sorted(found, key=lambda f: (folder_names(f.folder), f.url)):
        wanted = folder_names(feed.folder)
        same = takewhile(lambda pair: pair[0] == pair[1], zip(open_folders, wanted, strict=False))
        common = len(list(same))
        while len(open_folders) > common:
            open_folders.pop()
            yield f"{_indent(open_folders)}</outline>\n"
        for name in wanted[common:]:
            yield f"{_indent(open_folders)}<outline text={quoteattr(name)}>\n"
            open_folders.append(name)
        yield f"{_indent(open_folders)}<outline{''.join(_attributes(feed))}/>\n"
    while open_folders:
        open_folders.pop()
        yield f"{_indent(open_folders)}</outline>\n"
    yield "  </body>\n</opml>\n"


def _indent(inside: list[str]) -> str:
    return "    " + "  " * len(inside)


def _attributes(feed: Feed) -> Iterator[str]:
    given = {"type": "rss", "text": feed.title or feed.url, "title": feed.title}
    given |= {"xmlUrl": feed.url, "dateline:outlet": feed.outlet}
    if (full_text := getattr(feed, "full_text", None)) is not None:
        given["dateline:fullText"] = str(bool(full_text)).lower()
    if feed.state == "paused":
        given["dateline:state"] = "paused"
    for name, value in given.items():
        if value:
            yield f" {name}={quoteattr(clean.plain(value))}"
