"""Which article an item is, and which state of it: ids, content hashes, revisions, sketches.

Deterministic: the same item gives the same id on every machine, whenever it is polled.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

from ingest.articles import urls

# A word in scripts with blanks, a single letter in those without.
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
# 32 hashes estimate the share of common words within ±.09 or better: enough to tell an edit from
# another story.
_SKETCH_SIZE = 32
# 8 hex digits each: two different words collide once in four billion.
_HASH_DIGITS = 8
_SKETCH_SAMPLE = 20_000  # letters; the opening of a long text tells enough
# A shorter text that got shorter was edited: teasers lose words every day. Texts are cut off at
# sizes of buffers and columns, from 255 letters up.
_MIN_CUT = 250
_ENDS = frozenset(".!?…:;\"'”’»)]。！？」』）।؟")
# Longer keys are hashed: PostgreSQL refuses index entries over about 2,700 bytes.
_MAX_KEY = 200


def _hash(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", errors="replace"), digest_size=size).hexdigest()


def article_id(*, url: str | None, outlet: str, guid: str | None, content: str) -> str:
    """ "a" and 20 hex digits, from the strongest name the article has: its URL, else its guid at
    this outlet, else its words. Pass `url` None when the URL names no single article."""
    key = urls.identity_key(url)
    if key is not None:
        name = f"url\n{key}"
    elif guid:
        name = f"guid\n{outlet}\n{guid}"
    else:
        name = f"content\n{outlet}\n{content}"
    return "a" + _hash(name, 10)


def again(article_id: str, name: str) -> str:
    """The id of another article under an address that named `article_id` before. `name`: its
    date, which stays when its text is edited, else its content hash."""
    return "a" + _hash(f"again\n{article_id}\n{name}", 10)


def archive_id(archive: str, ref: str) -> str:
    """Every row of an archive that has an id is an article of its own."""
    return "a" + _hash(f"archive\n{archive}\n{ref}", 10)


def content_hash(title: str, text: str) -> str:
    """Of what a reader reads: case, width, blanks and dates do not count."""
    return _hash(f"{_folded(title)}\n{_folded(text)}", 16)


def revision(previous: str | None, content: str) -> str:
    """Chained, so that a text which returns to an earlier wording is a new revision."""
    return _hash(f"{previous or ''}\n{content}", 8)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def key(name: str) -> str:
    """`name`, or its hash when no database could index it."""
    return name if len(name) <= _MAX_KEY else "h" + _hash(name, 16)


def sketch(title: str, text: str) -> str:
    """The smallest hashes of the distinct words: comparable by `likeness`."""
    words = set(_WORD.findall(_folded(f"{title}\n{text}"[:_SKETCH_SAMPLE])))
    return "".join(sorted(map(_word_hash, words))[:_SKETCH_SIZE])


# Most words of a text are among the commonest of its language: remembering halves the time.
@lru_cache(maxsize=1 << 15)
def _word_hash(word: str) -> str:
    return _hash(word, _HASH_DIGITS // 2)


def likeness(one: str, other: str) -> float:
    """The estimated share of words that two sketches have in common (Jaccard), 0 to 1."""
    a, b = _numbers(one), _numbers(other)
    union = sorted(a | b)[:_SKETCH_SIZE]
    return sum(1 for n in union if n in a and n in b) / len(union) if union else 1.0


def cut_off(text: str, sketched: str, whole_length: int, whole: str) -> bool:
    """Is this text (with the sketch `sketched`) the beginning of a longer one that broke off in
    the middle of a sentence? All of its words must stand in the longer one, but for the last."""
    if not _MIN_CUT <= len(text) < whole_length or text.rstrip()[-1:] in _ENDS:
        return False
    a, b = _numbers(sketched), _numbers(whole)
    comparable = a if len(b) < _SKETCH_SIZE else {n for n in a if n <= max(b)}
    return len(comparable - b) <= 1


def _numbers(hashes: str) -> set[str]:
    return {hashes[i : i + _HASH_DIGITS] for i in range(0, len(hashes), _HASH_DIGITS)}
