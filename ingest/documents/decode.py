"""The bytes of a feed to clean text: which encoding, and which characters may stay.

Precedence: byte order mark; UTF-8 when the bytes prove it; the XML declaration; the HTTP header;
nearly-UTF-8, its bad bytes mended or replaced; detection. Valid UTF-8 with letters beyond ASCII is
practically never anything else, so it wins over any declaration. Only named character encodings
are ever used: Python also knows codecs that decompress or raise.
"""

from __future__ import annotations

import codecs
import re
from html.entities import html5

import chardet

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# How "<" or "{" and the byte after it look without a mark.
_WIDE = (
    (re.compile(rb"\0\0\0[<{]"), "utf-32-be"),
    (re.compile(rb"[<{]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0[<{\s]\0[^\0]"), "utf-16-be"),
    (re.compile(rb"[<{\s]\0[^\0]\0"), "utf-16-le"),
)
# Names that pages use, to the superset that browsers read them with. UTF-7 is left out on
# purpose: it hides markup.
_SUPERSETS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874",
    "iso8859-9": "cp1254", "iso8859-11": "cp874",
}  # fmt: skip
_KNOWN = re.compile(
    r"utf-(?:8|16|32)(?:-[bl]e)?|ascii|iso8859-\d+|cp(?:125\d|874|932|949|950|437|85\d|866)"
    r"|koi8-[rut]|gb2312|gbk|gb18030|hz|big5(?:hkscs)?|shift_jis(?:x0213|_2004)?"
    r"|euc_(?:jp|kr|jis_2004|jisx0213)|iso2022_(?:jp|kr)(?:_\w+)?|johab|mac-(?:roman|cyrillic)"
    r"|tis-620"
)
_DECLARED = re.compile(
    rb"^\s*<\?xml[^>]{0,500}?encoding\s*=\s*[\"']\s*([A-Za-z0-9_.:\-]{1,40})\s*[\"']"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:\-]{1,40})", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,100000}?\?>")

# The detector sees only the words around letters beyond ASCII: markup misleads it, and three
# words are then enough. It named 27 of 27 re-encoded captured feeds rightly.
_FOREIGN = re.compile(rb"[^<>\n]*[\x80-\xff][^<>\n]*")
_SAMPLE = 400_000  # bytes looked through
_FOREIGN_SAMPLE = 20_000  # bytes shown to it; more no longer changes the answer, and costs time
# A document that says it is UTF-8 and is not: below this the detector is guessing (right answers
# on one headline have .04 to .4), and stray bytes in UTF-8 are likelier.
_SURE = 0.1
# Broken UTF-8 is still UTF-8 when at most one character in ten beyond ASCII is a bad byte.
_BAD_SHARE = 0.1

_CDATA = "<![CDATA["
_REFERENCE = re.compile(
    # an escape sequence goes as a whole: without its first letter it would be read
    r"&(?:#27|#[xX]1[bB]);\[[0-9;?]{0,20}[a-zA-Z]|"
    r"&(?!(?:amp|lt|gt|quot|apos);)(?:#[xX](?P<hex>[0-9a-fA-F]{1,12});|#(?P<dec>\d{1,12});|(?P<name>[A-Za-z][A-Za-z0-9]{1,31};))?"
)
# Terminal escape sequences go as a whole, other controls alone.
_CONTROLS = re.compile(
    "\x1b\\[[0-9;?]{0,20}[a-zA-Z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]"
)


# UTF-8 that somebody took for windows-1252 and encoded again, as its letters look then.
_TWICE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
)


_C1 = re.compile("[\x80-\x9f]")


def mended(text: str) -> str:
    """`text` as it was before its UTF-8 was encoded a second time, or unchanged. One such pair of
    letters may be meant ("CAFÉ»"), unless nobody would write it. Controls 128–159 are letters of
    windows-1252 that were taken for latin-1."""
    pairs = _TWICE.findall(text)
    if len(pairs) > 1 or (pairs and (pairs[0][0] == "Ã" or "\x80" <= pairs[0][1] <= "\x9f")):
        try:
            return b"".join(map(_byte, text)).decode("utf-8")
        except UnicodeError:
            pass
    return _C1.sub(_windows_letter, text)


def _windows_letter(control: re.Match[str]) -> str:
    return control[0].encode("latin-1").decode("cp1252", errors="ignore")


def _byte(letter: str) -> bytes:
    return letter.encode("latin-1" if letter <= "\xff" else "cp1252")


def decode(body: bytes, content_type: str = "") -> tuple[str, str]:
    """The text without XML declaration and controls, and the name of the encoding used."""
    encoding, start = _encoding(body, content_type)
    errors = "dateline-mend" if encoding == "utf-8" else "replace"
    text = body[start:].decode(encoding, errors=errors)
    text = _DECLARATION.sub("", text.lstrip("\ufeff"), count=1)
    return _CONTROLS.sub("", text).lstrip(), encoding


def legal_document(text: str) -> str:
    """`legal_references` outside CDATA sections, in which an ampersand is only itself."""
    first, *others = text.split(_CDATA)
    parts = [legal_references(first)]
    for other in others:
        inside, end, behind = other.partition("]]>")
        parts.append(f"{inside}{end}{legal_references(behind) if '&' in behind else behind}")
    return _CDATA.join(parts)


def legal_references(text: str) -> str:
    """XML with only such references as every parser accepts, meaning what a browser would show.

    Numbers 128–159 mean windows-1252; numbers that no document may hold (NUL, surrogates, beyond
    Unicode) go. HTML's names become their letters; other names, which only a DTD could define,
    and bare ampersands become text: entities are never expanded.
    """
    return _REFERENCE.sub(_legal, text)


def _encoding(body: bytes, content_type: str) -> tuple[str, int]:
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name, len(mark)
    for shape, name in _WIDE:
        if shape.match(body):
            return name, 0
    declared = _DECLARED.match(body)
    names = [_known(declared[1].decode()) if declared else None]
    header = _CHARSET.search(content_type[:500])
    names.append(_known(header[1]) if header else None)
    if body.isascii():
        # The 7-bit encodings of East Asia hide in ASCII; anything else is UTF-8 as it stands.
        return next((n for n in names if n and (n.startswith("iso2022") or n == "hz")), "utf-8"), 0
    if _fits(body, "utf-8"):
        return "utf-8", 0
    named = [n for n in names if n and n != "utf-8" and not n.startswith(("utf-16", "utf-32"))]
    for name in named:
        if _fits(body, name):
            return name, 0
    if _nearly_utf8(body):
        return "utf-8", 0
    if named:
        return named[0], 0
    if "utf-8" in names:
        return _detect(body, _SURE) or "utf-8", 0
    return _detect(body, 0) or "cp1252", 0


def _known(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return _SUPERSETS.get(found, found) if _KNOWN.fullmatch(found) else None


def _fits(body: bytes, encoding: str) -> bool:
    try:
        body.decode(encoding)
    except UnicodeError:
        return False
    return True


def _nearly_utf8(body: bytes) -> bool:
    text = body.decode("utf-8", errors="replace")
    beyond = sum(1 for c in text if c > "\x7f")
    return text.count("\ufffd") <= beyond * _BAD_SHARE


def _detect(body: bytes, floor: float) -> str | None:
    """The likeliest encoding that feeds are written in, if its likelihood reaches `floor`."""
    sample = b"\n".join(_FOREIGN.findall(body[:_SAMPLE]))[:_FOREIGN_SAMPLE]
    for guess in chardet.detect_all(sample):
        if guess["confidence"] < floor:
            return None
        if guess["encoding"] and (name := _known(guess["encoding"])):
            return name
    return None


def _mend_byte(error: UnicodeError) -> tuple[str, int]:
    """A byte alone that is no UTF-8 was pasted from windows-1252; the rest of a cut letter is
    replaced."""
    assert isinstance(error, UnicodeDecodeError)
    if error.end - error.start > 1:
        return "\ufffd", error.end
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("dateline-mend", _mend_byte)


def _legal(match: re.Match[str]) -> str:
    if ";[" in match[0]:
        return ""
    if name := match["name"]:
        return html5.get(name, f"&amp;{name}")
    if not (digits := match["hex"] or match["dec"]):
        return "&amp;"
    number = int(digits, 16 if match["hex"] else 10)
    if 0x80 <= number <= 0x9F:
        return bytes([number]).decode("cp1252", errors="ignore")
    legal = number in (9, 10, 13) or 0x20 <= number <= 0xD7FF or 0xE000 <= number <= 0x10FFFF
    return match[0] if legal and number not in (0xFFFE, 0xFFFF) else ""
