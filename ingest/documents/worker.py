"""The process that parses: reads requests from standard input, writes answers to standard output.

Started by `ingest.documents.workers` as `python -m ingest.documents.worker`. Frames are a 4-byte
length and msgpack.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from ingest.documents.items import Document, Refusal

J = TypeVar("J", bound="Job")

# A healthy feed of 8 MB needs about 140 MB; a document that wants more than this is an attack.
MEMORY_BYTES = 1536 * 1024 * 1024


class Job(Struct, array_like=True, kw_only=True):
    """What every request says."""

    deadline: float  # seconds


class Request(Job, array_like=True, kw_only=True):
    body: bytes
    content_type: str
    base: str
    max_items: int
    identify: bool = False  # tell the languages of the items, too


class Answer(Struct, array_like=True):
    document: Document | None = None
    refusal: Refusal | None = None


def read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    return stream.read(struct.unpack(">I", head)[0])


def frame(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _answer(request: Request) -> Answer:
    from ingest.documents import language
    from ingest.documents.parse import parse

    try:
        found = parse(request.body, request.content_type, request.base, request.max_items)
        if request.identify and isinstance(found, Document):
            for item in found.items:
                item.spoken = language.identify(item.title, item.text, item.lang)
    except MemoryError:
        found = Refusal(kind="crash", sentence="the document needs too much memory to be read")
    except Exception as error:
        found = Refusal(
            kind="crash",
            sentence=f"the document breaks the parser ({type(error).__name__}: {error})"[:300],
        )
    return Answer(document=found) if isinstance(found, Document) else Answer(refusal=found)


def serve(kind: type[J], answer: Callable[[J], Struct]) -> None:
    """Answer one request after the other until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the frames
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the poller, which then stops us
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # a system without such limits; the deadline still holds

    decoder, encoder = msgspec.msgpack.Decoder(kind), msgspec.msgpack.Encoder()
    while (data := read_frame(requests)) is not None:
        request = decoder.decode(data)
        # The poller kills a worker that hangs; should the poller itself be gone, this does.
        signal.setitimer(signal.ITIMER_REAL, request.deadline * 1.5)
        answers.write(frame(encoder.encode(answer(request))))
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    import ingest.documents.parse  # noqa: F401  (loaded before the first deadline starts to run)

    serve(Request, _answer)
