"""Undoing codings: the same bytes as Python's own, and never more than allowed."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.fetch.codings import Body, Garbled, TooLarge

LIMIT = 8 << 20
MiB = 1 << 20


def _deflate(data: bytes) -> bytes:
    raw = zlib.compressobj(wbits=-15)
    return raw.compress(data) + raw.flush()


CODERS = {"gzip": gzip.compress, "deflate": zlib.compress, "deflate unwrapped": _deflate}


@given(
    data=st.binary(max_size=5000),
    codings=st.lists(st.sampled_from(sorted(CODERS)), max_size=2),
    cut=st.integers(1, 64),
)
def test_what_was_coded_comes_back_however_it_is_cut(
    data: bytes, codings: list[str], cut: int
) -> None:
    coded = data
    for coding in codings:
        coded = CODERS[coding](coded)
    if not codings and data.startswith(b"\x1f\x8b\x08"):
        return
    body = Body(", ".join(c.split()[0] for c in codings), LIMIT)
    for start in range(0, len(coded), cut):
        body.add(coded[start : start + cut])
    # An unwrapped stream may by chance begin like a wrapped one: nothing can tell them apart.
    assert body.whole() == data


@given(data=st.binary(max_size=300), coding=st.sampled_from(["", "gzip", "deflate", "gzip, gzip"]))
@settings(max_examples=300)
def test_any_bytes_end_in_bytes_or_in_a_named_error(data: bytes, coding: str) -> None:
    for start in (b"", b"\x1f\x8b\x08", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"x\x9c"):
        try:
            body = Body(coding, 1000)
            body.add(start + data)
            assert len(body.whole()) <= 1000
        except (Garbled, TooLarge):
            pass


def _bomb(size: int, layers: int = 1) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    data = b"".join(packer.compress(bytes(MiB)) for _ in range(size // MiB)) + packer.flush()
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(
    ("coding", "layers"), [("gzip", 1), ("", 1), ("gzip, gzip", 2), ("x-gzip,gzip", 2)]
)
def test_a_bomb_costs_no_more_than_the_limit(coding: str, layers: int) -> None:
    bomb = _bomb(256 * MiB, layers)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(TooLarge):
        Body(coding, LIMIT).add(bomb)
    spent = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * LIMIT  # measured: 2 ×, zlib grows its output by doubling
    assert spent < 5  # measured: .013 s; the whole would take 1 s


def test_a_layer_that_says_nothing_to_the_next_is_bounded_too() -> None:
    """A gzip header may hold a name without end: the outer layer unpacks, the inner never does."""
    inner = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" + b"n" * (64 * MiB)
    with pytest.raises(TooLarge):
        Body("gzip, gzip", LIMIT).add(gzip.compress(inner))


def test_parts_without_end_are_counted() -> None:
    with pytest.raises(Garbled, match="parts"):
        Body("gzip", LIMIT).add(gzip.compress(b"") * 100_000)


def test_many_parts_are_read() -> None:
    body = Body("gzip", LIMIT)
    body.add(gzip.compress(b"<item/>") * 2001)
    assert body.whole() == b"<item/>" * 2001


def test_only_one_layer_is_undone_unasked() -> None:
    body = Body("", LIMIT)
    once = gzip.compress(b"<rss/>")
    body.add(gzip.compress(once))
    assert body.whole() == once
