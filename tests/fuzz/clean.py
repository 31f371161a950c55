"""Any HTML: plain text, which cleaning leaves as it is."""

from __future__ import annotations

import re

from ingest.documents import clean
from tests.fuzz.fuzzer import fuzz

_DIRTY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]")
_MARKUP = re.compile(r"</?[a-zA-Z]|<!--")


def one(data: bytes) -> None:
    markup = data.decode("utf-8", errors="surrogateescape")
    text = clean.html_to_text(markup)
    text.encode()
    assert not _DIRTY.search(text), repr(text)
    assert not _MARKUP.search(text), repr(text)
    assert clean.html_to_text(text) == text, (text, clean.html_to_text(text))
    title = clean.line(markup)
    assert title == " ".join(title.split())
    assert clean.line(title) == title, (title, clean.line(title))
    assert len(clean.cut(text, 100).encode()) <= 100


if __name__ == "__main__":
    fuzz(one)
