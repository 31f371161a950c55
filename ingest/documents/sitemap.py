"""News sitemaps: `<urlset>` with `news:news` in its entries.

A plain sitemap lists every page of a site, most of them no news: it is refused.
"""

from __future__ import annotations

from xml.parsers import expat

from ingest.articles import urls
from ingest.documents import clean, dates
from ingest.documents.decode import legal_document
from ingest.documents.items import Document, Item, Refusal
from ingest.documents.markup import MAX_ATTRIBUTES, MAX_DEPTH, TooManyTags, over, tidy

_NEWS = "google.com/schemas/sitemap-news/"
_FIELDS = {"title", "publication_date", "name", "language"}


def parse(text: str, base: str, encoding: str, max_items: int) -> Document | Refusal:
    """`text` begins with the root element; `base` is the address that relative links start from."""
    reader = _Reader(max_items)
    try:
        reader.read(legal_document(text))
    except expat.ExpatError:
        # Broken, or of a shape made to hurt: again, made well-formed, as far as it goes.
        reader = _Reader(max_items)
        try:
            reader.read(tidy(text, max_items).text)
        except (expat.ExpatError, TooManyTags) as error:
            return Refusal(kind="broken", sentence=f"the sitemap cannot be read: {error}")
    if not reader.news:
        return Refusal(
            kind="not-a-feed",
            sentence="expected a feed, got a sitemap without news; name the site's news sitemap",
        )
    items = [_item(n, found, base) for n, found in enumerate(reader.entries)]
    left_out = {over(max_items): reader.skipped} if reader.skipped else {}
    name = next((f["name"] for f in reader.entries if "name" in f), "")
    return Document(
        kind="sitemap", encoding=encoding, title=clean.line(name), items=items, left_out=left_out
    )


def _item(position: int, found: dict[str, str], base: str) -> Item:
    url = urls.canonical(found.get("loc", "").strip(), base)
    return Item(
        position=position,
        title=clean.line(found.get("title", "")),
        url=url,
        guid=clean.plain(found.get("loc", "")) or None,
        published=dates.read(found.get("publication_date")),
        lang=found.get("language", "").strip()[:20] or None,
    )


class _Reader:
    def __init__(self, max_items: int) -> None:
        self.max_items = max_items
        self.entries: list[dict[str, str]] = []
        self.skipped = 0
        self.news = False
        self.entry: dict[str, str] | None = None
        self.path: list[str] = []
        self.pieces: list[str] | None = None

    def read(self, text: str) -> None:
        parser = expat.ParserCreate(namespace_separator="\n")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._words
        parser.EntityDeclHandler = self._refuse
        parser.Parse(text, True)

    def _refuse(self, *_: object) -> None:
        raise expat.ExpatError("entities are not declared in sitemaps")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        uri, _, local = name.rpartition("\n")
        local = local.lower()
        self.path.append(local)
        if len(self.path) > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise expat.ExpatError("too deep, or too many attributes")
        if local == "url" and len(self.path) == 2:
            self.entry = {}
        elif self.entry is not None:
            news = _NEWS in uri
            self.news |= news
            if (local == "loc" and len(self.path) == 3) or (news and local in _FIELDS):
                self.pieces = []

    def _words(self, words: str) -> None:
        if self.pieces is not None:
            self.pieces.append(words)

    def _end(self, name: str) -> None:
        local = self.path.pop()
        if self.pieces is not None and self.entry is not None:
            self.entry.setdefault(local, "".join(self.pieces).strip())
            self.pieces = None
        if local == "url" and len(self.path) == 1 and self.entry is not None:
            if len(self.entries) < self.max_items:
                self.entries.append(self.entry)
            else:
                self.skipped += 1
            self.entry = None
