"""What documents would bring, item by item: for `dateline feeds check`. Stores nothing."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from ingest import feeds
from ingest.documents.items import Refusal
from ingest.fetch.codings import Body, Garbled, TooLarge
from ingest.fetch.fetcher import Fetched
from ingest.settings import IngestSettings
from ingest.subscriptions.checked import Checked
from ingest.subscriptions.probe import Probe, Probed
from stream.errors import UsageError

STDIN = "-"
# Documents in hand for each worker: the next one waits in its pipe while one is being read.
_AHEAD = 2


class Served(Struct, frozen=True):
    """How a file would have come from a server."""

    base: str | None = None  # its address; default: one of localhost with the file's name
    content_type: str = ""
    content_encoding: str = ""


async def checked(target: str, probe: Probe, limit: int, served: Served) -> Checked:
    """What the URL, the file or "-" (standard input) holds; of a file at most `limit` bytes are
    read. Raises UsageError when there is no such file; whatever else is wrong is a `refusal`."""
    is_url = _is_url(target)
    if is_url:
        probed = await probe.ask(feeds.address(target))
    else:
        answer = _from_file(target, limit, served)
        probed = Probed(refusal=answer) if isinstance(answer, Refusal) else await probe.read(answer)
    found = Checked(target=target, refusal=probed.refusal)
    if probed.answer is not None:
        found.url = probed.answer.final_url if is_url else None
        if probed.document is not None:
            found.fill(probed.document, probed.answer.final_url)
    return found


def check(target: str, settings: IngestSettings, served: Served | None = None) -> Checked:
    """One target, see `checked`."""
    found: list[Checked] = []
    check_all([target], settings, found.append, served=served)
    return found[0]


def check_all(
    targets: Iterable[str],
    settings: IngestSettings,
    tell: Callable[[Checked], None],
    *,
    jobs: int = 1,
    served: Served | None = None,
) -> None:
    """Check many with `jobs` workers; `tell` hears of each in the order of `targets`."""

    async def run() -> None:
        waiting: deque[asyncio.Task[Checked]] = deque()
        async with Probe(settings, jobs) as probe:
            try:
                for target in targets:
                    if len(waiting) >= jobs * _AHEAD:
                        tell(await waiting.popleft())
                    one = checked(target, probe, settings.max_bytes, served or Served())
                    waiting.append(asyncio.create_task(one))
                while waiting:
                    tell(await waiting.popleft())
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())


def _is_url(target: str) -> bool:
    if "://" in target:
        return True
    if target == STDIN or Path(target).is_file():
        return False
    if "." in target and "/" not in target.partition(".")[0] and not Path(target).exists():
        return True  # a bare host name, such as news.example/rss
    raise UsageError(f"{target!r} is neither a URL nor a file; name one of them")


def _from_file(target: str, limit: int, served: Served) -> Fetched | Refusal:
    name = "standard input" if target == STDIN else target
    too_large = Refusal(kind="too-large", sentence=f"{name} is over the limit of {limit:,} bytes")
    try:
        if target == STDIN:
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(target).open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    if len(data) > limit:
        return too_large
    try:
        body = Body(served.content_encoding, limit)
        body.add(data)
        whole = body.whole()
    except TooLarge:
        return too_large
    except Garbled as error:
        return Refusal(kind="encoding", sentence=f"the document cannot be unpacked: {error}")
    address = served.base or f"http://localhost/{Path(target).name}"
    return Fetched(body=whole, status=200, content_type=served.content_type, final_url=address)
