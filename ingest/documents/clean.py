"""HTML and dirty text to plain text that can be stored, shown and embedded."""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

# Ends of lines for a reader; everything else that is a tag just disappears.
_BREAK = re.compile(
    r"<(?:br|hr|/?(?:p|div|li|ul|ol|tr|table|blockquote|section|article|h[1-6]|figcaption))"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_CDATA = "<![CDATA["
_TAG = re.compile(r"<(?:[a-zA-Z/?]|!(?!\[CDATA\[))")
# An ordinary tag with attributes, no "<" or ">" in them; and any other one that has some.
_SIMPLE = re.compile(
    r"""<([a-zA-Z][\w:\-]{0,30})\s+"""
    r"""(?:[^<>"'\s=/]++(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^<>"'\s]++))?\s*)*+/?>"""
)
_ATTRIBUTED = re.compile(r"(<[a-zA-Z][^\s<>/]{0,50})[^\s<>/]*[\s/](?!>)")
_END_OR_VALUE = re.compile(r"""=\s*["']|[=>]""")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});")
# Controls, lone surrogates, non-characters, and marks that reorder or hide text: bidi overrides
# and isolates, tag characters, the byte order mark. Joiners stay: Persian and emoji need them.
_BAD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")
_ESCAPE_SEQUENCE = re.compile("\x1b\\[[0-9;?]{0,20}[a-zA-Z]")
_ALREADY_PLAIN = re.compile(r"[!-~]++(?: [!-~]++)*+")  # most of what is written in English
_LONG = 10_000  # letters; nothing to be seen in so many means nothing at all
_INVISIBLE = {"Cf", "Cc", "Mn", "Zs", "Zl", "Zp"}
# Publishers escape markup twice, some three times; what is still markup then was made to be.
_ROUNDS = 4
_AMPERSANDS = re.compile(r"&(?:amp;)+(?=[#\w])")
MAX_NAME = 200  # letters; what is longer names nobody
_NO_TAGS: set[str] = set()
_SILENT = {"script", "style", "noscript", "template", "iframe", "object", "svg", "math"}


def html_to_text(markup: str) -> str:
    """Plain text of an HTML fragment: tags, scripts and entities resolved, lines kept."""
    if "<" not in markup and "&" not in markup:
        return plain(markup)
    text = _BAD.sub(
        "", _ESCAPE_SEQUENCE.sub("", markup)
    )  # also what would hide a tag, or break nh3
    for _ in range(_ROUNDS):
        before = text
        if _CDATA in text:
            text = _without_cdata(text)
        if _TAG.search(text):
            text = nh3.clean(
                _BREAK.sub("\n", _bare(text)),
                tags=_NO_TAGS,
                clean_content_tags=_SILENT,
                attributes={},
            )
        elif not _ENTITY.search(text):
            return plain(text)
        text = plain(html.unescape(_AMPERSANDS.sub("&", text)))
        if text == before:
            return text
    return plain(_TAG.sub(" ", _ENTITY.sub(" ", text)))


def _bare(text: str) -> str:
    """Tags without their attributes, which plain text has no use for: nh3 takes quadratic time
    for them (300,000 on one tag: minutes)."""
    text = _SIMPLE.sub(r"<\1>", text)
    kept, at = [], 0
    while match := _ATTRIBUTED.search(text, at):
        kept.append(text[at : match.end(1)] + ">")
        at = _behind(text, match.end())
    return "".join(kept) + text[at:] if kept else text


def _behind(text: str, at: int) -> int:
    """Behind the ">" that ends the tag, as HTML sees it: one inside a quoted value does not."""
    while mark := _END_OR_VALUE.search(text, at):
        at = mark.end()
        quote = mark.group()[-1]
        if quote == ">":
            return at
        if quote != "=":
            at = text.find(quote, at) + 1
            if at == 0:
                break
    return len(text)


def _without_cdata(text: str) -> str:
    """CDATA sections as their words: escaped a second time, they would be comments to HTML."""
    first, *others = text.split(_CDATA)
    for other in others:
        inside, end, behind = other.partition("]]>")
        first += f"{inside}{behind}" if end else f"&lt;![CDATA[{inside}"
    return first


def plain(text: str) -> str:
    """Text that is no markup: NFC, without controls, blanks folded, at most one empty line."""
    if _ALREADY_PLAIN.fullmatch(text):
        return text
    text = _BAD.sub("", _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    text = _BLANKS.sub(" ", unicodedata.normalize("NFC", text).replace("\x85", "\n"))
    text = _LINES.sub(lambda m: "\n\n" if m.group().count("\n") > 1 else "\n", text).strip()
    return "" if _unseen(text) else text


def line(text: str) -> str:
    """A title: plain text on one line."""
    return " ".join(html_to_text(text).split())


def _unseen(text: str) -> bool:
    return all(unicodedata.category(letter) in _INVISIBLE for letter in text[:_LONG])


def cut(text: str, size: int) -> str:
    """At most `size` UTF-8 bytes, ending with a sentence where one ends in the last tenth."""
    data = text.encode()
    if len(data) <= size:
        return text
    short = data[:size].decode(errors="ignore")
    ends = [short.rfind(mark) for mark in (". ", ".\n", "! ", "? ", "。", "\n")]
    end = max(ends)
    return short[: end + 1].rstrip() if end >= len(short) * 0.9 else short.rstrip()
