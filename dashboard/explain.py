"""The box on the first page: which events would this text match, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request

from stream.errors import DatelineError
from stream.records import Decision

Explainer: TypeAlias = Callable[[str, str, datetime | None], list[Decision]]
State: TypeAlias = Literal["off", "cold", "loading", "ready"]

# The longest editorial we know is about 12 kB; 64 kB leaves room for any script in UTF-8.
MAX_BODY = 64 * 1024
# A browser on the same network sends 64 kB in milliseconds; whoever needs longer holds a slot.
BODY_DEADLINE_S = 10.0
# A headline is rarely over 150 characters; a first line that is longer is a paragraph.
MAX_HEADLINE = 300


class Question(msgspec.Struct):
    """What to explain. With no title, a short first line of the text is taken for it."""

    title: str = ""
    text: str = ""
    published: str = ""  # ISO day or time; empty = not known

    def parts(self) -> tuple[str, str, datetime | None]:
        title, text = self.title.strip(), self.text.strip()
        if not title:
            first, _, rest = text.partition("\n")
            if len(first) <= MAX_HEADLINE:
                title, text = first.strip(), rest.strip()
        if not title and not text:
            raise HTTPException(400, "Paste a headline or a text first: there was nothing in it.")
        return title, text, self._moment()

    def _moment(self) -> datetime | None:
        if not self.published.strip():
            return None
        try:
            moment = datetime.fromisoformat(self.published.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise HTTPException(
                400, "The date is not one: write it like 2018-05-27 or leave it empty."
            ) from error


async def read_question(request: Request) -> Question:
    """The question in a request body, as JSON or as a form.

    Raises HTTPException 400, 403, 408, 413 or 415 with a sentence.
    """
    # Nothing is changed by asking, but a page elsewhere must not spend this machine's time.
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403, "Ask from the desk itself, not from another site's page.")
    body = await _body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return msgspec.json.decode(body, type=Question)
        if kind == "application/x-www-form-urlencoded":
            form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
            return Question(**{
                name: form[name][0] for name in Question.__struct_fields__ if name in form
            })  # fmt: skip
    except (msgspec.MsgspecError, ValueError) as error:
        raise HTTPException(
            400, 'The body could not be read: send {"title": "…", "text": "…", "published": "…"}.'
        ) from error
    raise HTTPException(415, "Send the text as application/json or as a form.")


async def _body(request: Request) -> bytes:
    too_long = HTTPException(413, f"The text is over {MAX_BODY // 1024} kB: paste a part of it.")
    body = bytearray()
    try:
        with anyio.fail_after(BODY_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_long
    except TimeoutError as error:
        raise HTTPException(408, "The text took too long to arrive: send it again.") from error
    return bytes(body)


class Explaining:
    """Asks the explainer, one question at a time, without holding up the pages.

    The explainer loads its model when first called; `state` says how far that is.
    """

    # Questions that may wait for their turn; each takes well under a second with a model loaded.
    MAX_WAITING = 8

    def __init__(self, explainer: Explainer | None, deadline_s: float) -> None:
        self._explainer, self._deadline_s = explainer, deadline_s
        self._turn, self._count = threading.Lock(), threading.Lock()
        self._waiting = 0
        self.state: State = "off" if explainer is None else "cold"
        self._say = structlog.get_logger("dateline.desk")

    async def ask(self, question: Question) -> list[Decision]:
        """Decisions for every active event, the most probable first; HTTPException otherwise."""
        title, text, published = question.parts()
        explainer = self._explainer
        if explainer is None:
            raise HTTPException(
                503, "Explaining is off in this process: use `dateline explain` or start the desk "
                "with a model."
            )  # fmt: skip
        with self._count:
            if self._waiting >= self.MAX_WAITING:
                raise HTTPException(503, "Several questions are waiting: try again in a moment.")
            self._waiting += 1
            if self.state == "cold":
                self.state = "loading"

        def answer() -> list[Decision]:
            try:
                with self._turn:
                    decisions = explainer(title, text, published)
                self.state = "ready"
                return decisions
            except BaseException:
                self.state = "ready" if self.state == "ready" else "cold"
                raise
            finally:
                with self._count:
                    self._waiting -= 1

        try:
            with anyio.fail_after(self._deadline_s):
                decisions = await anyio.to_thread.run_sync(answer, abandon_on_cancel=True)
        except TimeoutError as error:
            raise HTTPException(
                503, "No answer yet: the model may still be loading. Try again in a few seconds."
            ) from error
        except DatelineError as error:
            raise HTTPException(503, str(error)) from error
        except Exception as error:
            self._say.exception("explaining failed")
            raise HTTPException(
                500, f"Explaining failed ({type(error).__name__}); the log of the desk says more."
            ) from error
        return sorted(decisions, key=lambda d: (-d.probability, d.event_id))
