"""Undoing gzip and deflate without ever making more than is allowed."""

from __future__ import annotations

import zlib
from typing import Any

# Twice gzipped answers exist (a server and its cache both do it); deeper nesting is an attack.
_MAX_CODINGS = 2
# gzip files may be made of parts: log tools write dozens. Each costs about 5 µs to begin.
_MAX_MEMBERS = 5_000
# What follows a part is copied once for each part: small pieces keep a thousand parts cheap.
_PIECE = 16 * 1024
# Never asked for, and no library here that would undo them within a limit.
_NOT_ASKED = {"br", "zstd", "compress", "x-compress", "dcb", "dcz"}
_GZIP = b"\x1f\x8b\x08"


class Garbled(ValueError):
    """The bytes are not what their coding says."""


class TooLarge(ValueError):
    """More than the limit came out."""


class Body:
    """Collects a body. At most `limit` bytes come out of each coding."""

    def __init__(self, content_encoding: str, limit: int) -> None:
        """Raises Garbled for codings that are not undone here. Without a coding, a body that is a
        gzip file is unpacked all the same: that is how sitemaps are published."""
        names = [n.strip().removeprefix("x-") for n in content_encoding.lower().split(",")]
        if unknown := _NOT_ASKED.intersection(names):
            raise Garbled(f"it is coded with {min(unknown)}, which was not asked for")
        # Anything else is a mistake that browsers pass over, such as "utf-8" or "none".
        codings = [n for n in reversed(names) if n in ("gzip", "deflate")] or ["gzip"]
        if len(codings) > _MAX_CODINGS:
            raise Garbled(f"it is coded {len(codings)} times over")
        self._layers = [_Layer(coding, limit) for coding in codings]
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """Raises Garbled, TooLarge."""
        for layer in self._layers:
            data = layer.undo(data)
        self._bytes += data

    def whole(self) -> bytes:
        """Raises Garbled when the coded data ends before its end, TooLarge."""
        data = b""
        for layer in self._layers:
            data = layer.undo(data) + layer.rest()
        self._bytes += data
        return bytes(self._bytes)


class _Layer:
    """Of one coding. What is called gzip but does not begin like it is passed on as it is: plain
    text with a wrong label harms nobody, and a gzip file never looks like text."""

    def __init__(self, coding: str, limit: int) -> None:
        self._coding, self._room = coding, limit
        self._needed = len(_GZIP) if coding == "gzip" else 2  # bytes, to see what it is
        self._head = b""  # too little yet to see what it is
        self._zlib: Any = None
        self._passing = self._ended = False
        self._members = 0

    def undo(self, data: bytes) -> bytes:
        if self._passing:
            return self._counted(data)
        if self._zlib is None and not self._ended:
            self._head += data
            if len(self._head) < self._needed:
                return b""
            data, self._head = self._head, b""
            self._begin(data)
            if self._passing:
                return self._counted(data)
        out, view = [], memoryview(data)
        for start in range(0, len(view), _PIECE):
            piece: Any = view[start : start + _PIECE]
            while len(piece) and not self._ended:
                if self._zlib is None:
                    piece, self._head = self._head + bytes(piece), b""
                    if len(piece) < self._needed:
                        self._head = piece
                        break
                    self._begin(piece)
                    continue
                try:
                    out.append(self._counted(self._zlib.decompress(piece, self._room + 1)))
                except zlib.error as error:
                    raise Garbled(str(error)) from None
                piece = self._zlib.unused_data
                if self._zlib.eof:
                    self._zlib = None
                    self._ended = self._coding != "gzip"
        return b"".join(out)

    def rest(self) -> bytes:
        """After the last byte: what was too little to look at."""
        if self._zlib is not None:
            raise Garbled("it is cut short")
        return b"" if self._ended or self._members else self._counted(self._head)

    def _begin(self, data: bytes) -> None:
        if self._coding == "deflate":
            # The standard means zlib's wrapping; many servers leave it out.
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        elif data.startswith(_GZIP):
            self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif self._members:
            self._ended = True  # padding after the last part
        else:
            self._passing = True
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise Garbled(f"it is made of more than {_MAX_MEMBERS:,} gzip parts")

    def _counted(self, data: bytes) -> bytes:
        self._room -= len(data)
        if self._room < 0:
            raise TooLarge
        return data
