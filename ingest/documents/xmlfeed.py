"""RSS, RDF and Atom, well-formed: read in one pass of expat, an item at a time.

Everything that costs a parser more than linear time is refused here (`Odd`): what then becomes of
the document is decided in `ingest.documents.parse`.
"""

from __future__ import annotations

import html
from xml.parsers import expat

from ingest.documents.entries import Entry, Feed, Link
from ingest.documents.markup import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ITEM_TAGS
from ingest.documents.names import KNOWN_PREFIXES, prefix_of

# Fields of an item (or channel) by element. Several elements may fill one field.
_TEXTS = {
    "description": "summary", "summary": "summary", "abstract": "summary",
    "itunes:summary": "summary", "dc:description": "summary",
    "content:encoded": "content", "content": "content", "fullitem": "content",
    "xhtml:body": "content", "body": "content", "media:description": "media",
}  # fmt: skip
_PLAIN = {
    "title": "title", "dc:title": "other_title", "media:title": "other_title",
    "itunes:title": "other_title",
    "guid": "guid", "id": "guid", "dc:identifier": "other_guid", "link": "link",
    "feedburner:origlink": "origin",
    "pubdate": "published", "published": "published", "issued": "published",
    "dcterms:issued": "published", "created": "created", "dcterms:created": "created",
    "updated": "updated", "modified": "updated", "dc:date": "updated",
    "dcterms:modified": "updated",
    "author": "author", "dc:creator": "creator", "dc:author": "creator",
    "itunes:author": "creator",
    "language": "language", "dc:language": "language",
    "ttl": "ttl", "sy:updateperiod": "update_period", "sy:updatefrequency": "update_frequency",
}  # fmt: skip
_FIELDS = _TEXTS | _PLAIN
_ITEMS = ("item", "entry")
_XHTML = ("xhtml", "application/xhtml+xml", "application/xml", "text/xml")
_RSS = {"0.91": "rss091u", "0.92": "rss092", "0.93": "rss093", "0.94": "rss094"}
_ATOM = "http://www.w3.org/2005/atom\n"
_XML = "http://www.w3.org/XML/1998/namespace\n"


class Odd(Exception):
    """A document that this reader leaves to others: not well-formed, too deep, another format."""


def read(text: str, max_items: int) -> Feed:
    """Raises Odd unless `text` is a well-formed feed of ordinary shape."""
    return _Reader(max_items).read(text)


class _Reader:
    def __init__(self, max_items: int) -> None:
        self.max_items = max_items
        self.feed = Feed("", Entry(), [])
        self.entry: Entry | None = None  # the open item
        self.item_depth = self.item_tags = 0
        self.depth = 0
        self.path: list[str] = []
        self.field = ""  # what is being captured, and since which depth
        self.field_depth = 0
        self.pieces: list[str] = []
        self.marked = False  # elements stand in the captured text
        self.attributes: dict[str, str] = {}
        self.bases: list[tuple[int, str]] = []
        self.names: dict[str, str] = {}
        self.mistyped: dict[str, str] = {}
        self.rdf_version = "rss10"

    def read(self, text: str) -> Feed:
        parser = expat.ParserCreate(namespace_separator="\n")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._words
        parser.StartNamespaceDeclHandler = self._namespace
        parser.EntityDeclHandler = self._declared
        try:
            parser.Parse(text, True)
        except expat.ExpatError as error:
            raise Odd(str(error)) from error
        return self.feed

    def _declared(self, *_: object) -> None:
        raise Odd("it declares entities")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        """A usual prefix with a mistyped address means what it always means."""
        if uri == "http://my.netscape.com/rdf/simple/0.9/":
            self.rdf_version = "rss090"
        if prefix in KNOWN_PREFIXES and uri and prefix_of(uri) is None:
            self.mistyped[uri] = prefix

    def _name(self, name: str) -> str:
        """`prefix:local` with the usual prefix, in lower case."""
        uri, _, local = name.rpartition("\n")
        prefix = prefix_of(uri)
        if prefix is None:
            prefix = self.mistyped.get(uri, "?")
        found = f"{prefix}:{local}".lower() if prefix else local.lower()
        if len(self.names) < 1000:
            self.names[name] = found
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        key = self.names.get(name) or self._name(name)
        self.depth += 1
        if self.depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise Odd("its elements are too deep or have too many attributes")
        if self.field:
            self._inner(key)
            return
        if base := attributes.get(_XML + "base"):
            self.bases.append((self.depth, base))
        parent = self.path[-1] if self.path else ""
        self.path.append(key)
        if self.depth == 1:
            self._root(key, name, attributes)
        if self.entry is not None:
            self.item_tags += 1
            if self.item_tags > MAX_ITEM_TAGS or key in _ITEMS:
                raise Odd("an item holds another item, or too many elements")
            at_item = self.depth == self.item_depth + 1
            if at_item or parent == "media:group":
                self._field(key, attributes, self.entry)
            elif self.depth == self.item_depth + 2 and parent == "author" and key == "name":
                self._capture("creator", attributes)
        elif key in _ITEMS:
            self._open(attributes)
        elif parent in ("channel", "feed"):
            self._field(key, attributes, self.feed.channel)
        elif parent in ("skiphours", "skipdays") and key in ("hour", "day"):
            self._capture(key, attributes)

    def _root(self, key: str, name: str, attributes: dict[str, str]) -> None:
        lang = attributes.get(_XML + "lang")
        self.feed.channel.lang = lang
        if key == "rss":
            version = _lower(attributes).get("version", "")
            self.feed.version = "rss20" if version.startswith("2") else _RSS.get(version, "rss")
        elif key in ("feed", "entry") and name.lower().startswith(_ATOM):
            self.feed.version = "atom10"
        elif key == "rdf:rdf":
            self.feed.version = self.rdf_version
        else:
            raise Odd(f"its root is <{key}>")

    def _open(self, attributes: dict[str, str]) -> None:
        self.item_depth, self.item_tags = self.depth, 0
        self.entry = Entry(lang=attributes.get(_XML + "lang"))
        if about := attributes.get("http://www.w3.org/1999/02/22-rdf-syntax-ns#\nabout"):
            self.entry.values["about"] = [about]
        if len(self.feed.entries) >= self.max_items:
            self.feed.skipped += 1

    def _field(self, key: str, attributes: dict[str, str], holder: Entry) -> None:
        name = _FIELDS.get(key)
        if name is None:
            return
        if name in ("link", "guid") and attributes:
            attributes = _lower(attributes)
        if name == "link" and (href := attributes.get("href")):
            rel = attributes.get("rel", "alternate").strip().lower().rpartition("/")[2]
            kind = attributes.get("type", "").partition(";")[0].strip().lower()
            holder.links.append(Link(href, rel or "alternate", kind, self._base()))
            return
        if name == "content" and (source := attributes.get("src")):
            holder.links.append(Link(source, "content", "", self._base()))
        if name == "guid" and key == "guid":
            holder.permalink = attributes.get("ispermalink", "true").strip().lower() != "false"
        self._capture(name, attributes)

    def _capture(self, name: str, attributes: dict[str, str]) -> None:
        self.field, self.field_depth = name, self.depth
        self.attributes, self.pieces, self.marked = attributes, [], False

    def _inner(self, key: str) -> None:
        """An element inside a text: markup that the author did not escape."""
        self.item_tags += 1
        if self.item_tags > MAX_ITEM_TAGS:
            raise Odd("an item holds too many elements")
        if self.field == "author" and self.depth == self.field_depth + 1:
            # Atom's person: only its name is wanted
            self.path.append(key)
            if key == "name":
                self._capture("creator", {})
            else:
                self.field = ""
            return
        if not self.marked:
            self.marked = True
            self.pieces = [html.escape(p, quote=False) for p in self.pieces]
        self.pieces.append(f"<{key.rpartition(':')[2]}>")

    def _words(self, words: str) -> None:
        if self.field:
            self.pieces.append(html.escape(words, quote=False) if self.marked else words)

    def _end(self, name: str) -> None:
        depth = self.depth
        self.depth = depth - 1
        if self.bases and self.bases[-1][0] == depth:
            self.bases.pop()
        if self.field:
            if depth > self.field_depth:
                key = self.names.get(name) or self._name(name)
                self.pieces.append(f"</{key.rpartition(':')[2]}>")
                return
            self._captured()
        self.path.pop()
        if self.entry is not None and depth == self.item_depth:
            if len(self.feed.entries) < self.max_items:
                self.feed.entries.append(self.entry)
            self.entry = None

    def _captured(self) -> None:
        name, self.field = self.field, ""
        value = "".join(self.pieces).strip()
        if name == "hour":
            self.feed.skip_hours.append(value)
        elif name == "day":
            self.feed.skip_days.append(value)
        if not value:
            return
        holder = self.feed.channel if self.entry is None else self.entry
        if self.attributes:
            kind = self.attributes.get("type", "").strip().lower()
            if self.attributes.get("mode") == "base64" or (
                name == "content" and "/" in kind and not kind.startswith("text/")
                and not kind.endswith(("/xml", "+xml"))
            ):  # fmt: skip
                raise Odd("it holds base64")
            lang = self.attributes.get(_XML + "lang")
            if lang and name == "title":
                holder.lang = lang
        if name == "link":
            rel = self.attributes.get("rel", "own").strip().lower()
            holder.links.append(Link(value, rel, "", self._base()))
            return
        holder.values.setdefault(name, []).append(value)

    def _base(self) -> str | None:
        """The bases from the outermost to the innermost, blank-separated; None without any."""
        return "\n".join(b for _, b in self.bases) if self.bases else None


def _lower(attributes: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in attributes.items()}
