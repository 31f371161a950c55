"""Any feed document to a well-formed one of bounded shape, in one linear pass.

Parsers take quadratic time for what a hostile or broken document may hold: deep nesting, tags
never closed, thousands of attributes, declarations of names. Here such a document is flattened:
the words stay, the excess goes. What is no markup for a parser (comments, instructions, the
document type with its entities) is dropped, tags are balanced, names bound. Along the way the
items are counted, because every item seen must have a fate.
"""

from __future__ import annotations

import html
import re

from msgspec import Struct

from ingest.documents.decode import legal_references
from ingest.documents.names import KNOWN_PREFIXES, is_feed_namespace

# Pages nest about 60 elements deep, feeds with embedded pages a little more.
MAX_DEPTH = 200
# Elements carry up to 20 in captured feeds, declarations of namespaces included.
MAX_ATTRIBUTES = 100
# The fullest captured item has 1,300 tags (a live blog as XHTML). Parsers need about 10 µs each.
MAX_ITEM_TAGS = 5_000
# 2,000 items of 50 tags; beyond it only the tags that make items and their fields are kept.
MAX_TAGS = 150_000
# A document of 8 MB with more than this is no feed but an attack; each costs 5 µs here.
MAX_TOKENS = 500_000
# Captured feeds use up to 20 prefixes; parsers look through all of them at every element.
MAX_PREFIXES = 100
_FIELD_DEPTH = 5  # rss, channel, item, field and one more

_TOKEN = re.compile(
    r"<(?:(?P<open>!--|!\[CDATA\[|\?|!)|(?P<end>/?)(?P<name>[^\W\d](?:[\w:.\-]{0,99})))"
)
# Quoted values end before the next "<": a quote that is never closed costs its own tag only.
_REST = re.compile(r"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*+>""")
_LOOSE_REST = re.compile(r"[^<>]*>?")
_ATTRIBUTE = re.compile(
    r"""([^\W\d](?:[\w:.\-]{0,99}))\s*(?:=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?"""
)
# HTML elements without content, which pages leave open; "link" and "source" are RSS as well.
_VOID = {"br", "hr", "img", "input", "wbr", "col"}
_ITEMS = {"item", "entry"}
_LISTS = {"hour": 0, "day": 1}  # fields that stand in a channel many times
_XHTML = re.compile(r"""\btype\s*=\s*["'](?:xhtml|[\w./-]*\+?xml)["']""", re.IGNORECASE)
_TEXT_END = "]]>"

CUT_OFF = "dead: the document ends in the middle of this item"
SWALLOWED = "dead: the item stands in a comment or CDATA section that is never closed"


class Tidied(Struct):
    """A well-formed document without the items that were left out."""

    text: str
    items: int = 0  # in `text`
    left_out: dict[str, int] = {}
    skip_hours: list[str] = []
    skip_days: list[str] = []


class TooManyTags(Exception):
    """The document is refused: reading it would take longer than any feed is worth."""


def over(max_items: int) -> str:
    """The fate of items beyond the cap, and its reason."""
    return f"filtered: over {max_items:,} items in one document"


def tidy(text: str, max_items: int) -> Tidied:
    """`text` well-formed, with at most `max_items` items and no half one at its end. Raises
    TooManyTags."""
    if text.count("<") > MAX_TOKENS:
        raise TooManyTags(f"it is not well-formed and has more than {MAX_TOKENS:,} tags")
    return _Tidy(text, max_items).run()


class _Tidy:
    def __init__(self, text: str, max_items: int) -> None:
        self.text, self.max_items = text, max_items
        self.out: list[str] = []
        self.stack: list[str] = []  # names as written, in lower case
        self.item_at = 0  # depth of the open item; 0 = none
        self.item_out = 0  # length of `out` where it begins
        self.literal_at = 0  # depth of an XHTML field: what is in it makes no items
        self.items = self.skipped = self.tags = self.item_tags = 0
        self.root_out = -1
        self.ended = False
        self.swallowed = 0
        self.bound: dict[str, str] = dict(KNOWN_PREFIXES)
        self.at_root: set[str] = set()
        self.used: set[str] = set()
        self.lists: tuple[list[str], list[str]] = ([], [])

    def run(self) -> Tidied:
        text, at, size = self.text, 0, len(self.text)
        while match := _TOKEN.search(text, at):
            start = match.start()
            if start > at:
                self._words(text[at:start])
            opened = match["open"]
            if opened is None:
                at = self._tag(match)
                continue
            at = self._special(opened, start, match.end())
            if at < 0:
                break
        else:
            if at < size:
                self._words(text[at:])
        return self._finish()

    def _special(self, opened: str, start: int, at: int) -> int:
        """Behind a comment, CDATA section, instruction or declaration; -1 when it never ends."""
        if opened == "!":
            return self._declaration(at)
        if opened == "?":
            end = self.text.find(">", at)
            return end + 1 if end >= 0 else len(self.text)
        close = "-->" if opened == "!--" else _TEXT_END
        end = self.text.find(close, at)
        if end < 0:
            names = (
                m["name"].lower()
                for m in _TOKEN.finditer(self.text, at)
                if not m["end"] and m["name"]
            )
            self.swallowed = sum(1 for name in names if name.rpartition(":")[2] in _ITEMS)
            return -1
        if opened != "!--" and self.stack:
            self.out.append(self.text[start : end + 3])
        return end + 3

    def _declaration(self, at: int) -> int:
        """Behind `<!DOCTYPE …[…]>`: its entities are never known, so never expanded."""
        end = self.text.find(">", at)
        bracket = self.text.find("[", at, end if end >= 0 else at)
        if bracket >= 0:
            inner = self.text.find("]", bracket)
            end = self.text.find(">", inner) if inner >= 0 else -1
        return end + 1 if end >= 0 else len(self.text)

    def _words(self, words: str) -> None:
        if self.stack:
            if "&" in words:
                words = html.unescape(legal_references(words))
            if "&" in words or "<" in words or _TEXT_END in words:
                # CDATA: every reference would be a call for the parser that reads this
                words = words.replace(_TEXT_END, "]]]]><![CDATA[>")
                words = f"<![CDATA[{words}]]>"
            self.out.append(words)

    def _tag(self, match: re.Match[str]) -> int:
        text, at = self.text, match.end()
        rest = _REST.match(text, at) or _LOOSE_REST.match(text, at)
        assert rest is not None  # the loose one matches anything
        name = match["name"].lower().rstrip(":.-")
        if match["end"]:
            self._close(name)
            return rest.end()
        attributes = rest.group().rstrip(">")
        empty = attributes.endswith("/")
        self._open(name, attributes.rstrip("/") if empty else attributes, empty, rest.end())
        return rest.end()

    def _open(self, name: str, attributes: str, empty: bool, at: int) -> None:
        prefix, _, local = name.rpartition(":")
        if prefix.count(":"):
            return
        depth = len(self.stack)
        attributes = self._attributes(attributes) if attributes and not attributes.isspace() else ""
        feedish = not prefix or is_feed_namespace(self.bound.get(prefix, ""))
        if feedish and local in _ITEMS and not self.literal_at:
            self._open_item(depth)
            depth = len(self.stack)
        elif self.item_at:
            self.item_tags += 1
        elif name in _LISTS and not empty and len(self.lists[_LISTS[name]]) < 100:
            self.lists[_LISTS[name]].append(self.text[at : self.text.find("<", at)][:20])
        self.tags += 1
        deep = depth >= (MAX_DEPTH if self.tags < MAX_TAGS else _FIELD_DEPTH)
        crowded = prefix not in self.used and len(self.used) >= MAX_PREFIXES
        if (
            deep
            or (prefix and crowded)
            or self.item_tags > MAX_ITEM_TAGS
            or (self.skipped and self.item_at)
        ):
            return
        if prefix:
            self.used.add(prefix)
        if depth == 0:
            self.root_out = len(self.out)
        if self.item_at and not self.literal_at and local == name and local in _VOID:
            empty = True
        self.out.append(f"<{name}{attributes}{'/' if empty else ''}>")
        if empty:
            return
        self.stack.append(name)
        if self.item_at and not self.literal_at and attributes and _XHTML.search(attributes):
            self.literal_at = depth + 1

    def _open_item(self, depth: int) -> None:
        """An item inside an item means that the first was never closed."""
        if self.item_at:
            self._pop_to(self.item_at - 1)
        if self.items >= self.max_items:
            self.skipped += 1
        else:
            self.items += 1
        self.item_at, self.item_out, self.item_tags = len(self.stack) + 1, len(self.out), 0

    def _close(self, name: str) -> None:
        stack = self.stack
        if not stack or (self.item_at and name in _VOID):
            return
        if stack[-1] != name:
            if name not in stack:
                return
            depth = len(stack) - 1 - stack[::-1].index(name)
        else:
            depth = len(stack) - 1
        if depth == 0:  # more may follow: junk, or items after an end that came too early
            self.ended = True
            self._pop_to(1)
            return
        self._pop_to(depth)

    def _pop_to(self, depth: int) -> None:
        while len(self.stack) > depth:
            self.out.append(f"</{self.stack.pop()}>")
        if self.literal_at > depth:
            self.literal_at = 0
        if self.item_at > depth:
            self.item_at = 0
            if self.skipped:
                del self.out[self.item_out :]

    def _attributes(self, written: str) -> str:
        """Each name once, quoted, with legal references; namespaces noted."""
        kept: dict[str, str] = {}
        for name, double, single, bare in _ATTRIBUTE.findall(written):
            if len(kept) >= MAX_ATTRIBUTES:
                break
            name = name.rstrip(":.-")
            if name.count(":") > 1 or name in kept:
                continue
            value = double or single or bare
            prefix, _, local = name.partition(":")
            if prefix == "xmlns" or (local and prefix != "xml"):
                if prefix != "xmlns":
                    self.used.add(prefix.lower())
                elif local:
                    if not value or len(self.bound) > 2 * MAX_PREFIXES:
                        continue
                    name = f"xmlns:{local.lower()}"
                    self.bound[local.lower()] = value
                    if not self.stack:
                        self.at_root.add(local.lower())
                name = name.lower() if prefix != "xmlns" else name
            kept[name] = value
        return "".join(f" {n}={_quoted(v)}" for n, v in kept.items())

    def _finish(self) -> Tidied:
        left_out: dict[str, int] = {}
        cut_off = self.item_at and (self.swallowed or not self.ended)
        if cut_off:
            del self.out[self.item_out :]
            del self.stack[self.item_at - 1 :]
            if self.skipped:
                self.skipped -= 1
            else:
                self.items -= 1
            left_out[CUT_OFF] = 1
        if self.swallowed:
            left_out[SWALLOWED] = self.swallowed
        if self.skipped:
            left_out[over(self.max_items)] = self.skipped
        self._pop_to(0)
        unbound = self.used - self.at_root - {"xml", "xmlns"}
        if unbound and 0 <= self.root_out < len(self.out):
            root = self.out[self.root_out]
            end = -2 if root.endswith("/>") else -1
            declared = "".join(
                f" xmlns:{p}={_quoted(self.bound.get(p) or f'urn:unknown:{p}')}"
                for p in sorted(unbound)
            )
            self.out[self.root_out] = root[:end] + declared + root[end:]
        return Tidied("".join(self.out), self.items, left_out, *self.lists)


def _quoted(value: str) -> str:
    return '"' + legal_references(value).replace('"', "&quot;").replace("<", "&lt;") + '"'
