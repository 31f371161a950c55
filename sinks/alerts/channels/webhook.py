"""Alerts as signed HTTP POSTs, after the Standard Webhooks scheme.

The receiver is the operator's own and may be on a private network, so addresses are not checked;
but only the configured URL is ever asked: redirects are an error.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from sinks.alerts.channels.contract import Message, NotSent, OutcomeUnknown, Refused
from stream.errors import UsageError

# Only read to let the connection end in order; a receiver has nothing to tell us but its status.
ANSWER_BYTES = 64 * 1024
# What a busy receiver may ask us to wait at most; longer would outlast our own retries.
RETRY_AFTER_S = 3600.0
# These say "not now"; every other 4xx says that the message itself is wrong.
_NOT_NOW = (408, 425, 429)


class WebhookChannel:
    """`secret`: any text, or "whsec_" and base64 as the scheme writes keys."""

    name = "webhook"
    idempotent = True  # webhook-id is the same for every attempt
    wants_page = False

    def __init__(self, url: str, secret: str, *, deadline: float) -> None:
        self._url, self._key, self._deadline = url, _key(secret), deadline

    def send(self, message: Message) -> None:
        body = json.dumps(
            message.payload, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()
        asyncio.run(self._post(body, signed(self._key, message, body), message.at))

    async def _post(self, body: bytes, headers: dict[str, str], now: datetime) -> None:
        connected = False

        async def on_sent(*_: Any) -> None:
            nonlocal connected
            connected = True

        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(on_sent)
        timeout = aiohttp.ClientTimeout(total=self._deadline)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trace_configs=[trace]) as session,
                session.post(
                    self._url, data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                await answer.content.read(ANSWER_BYTES)
                status, wait = answer.status, answer.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            what = what or type(error).__name__
            if connected:
                raise OutcomeUnknown(f"sent, then: {what}") from error
            raise NotSent(f"not sent: {what}") from error
        if 200 <= status < 300:
            return
        if status < 200 or status >= 500 or status in _NOT_NOW:
            raise NotSent(f"the receiver answered {status}", retry_after(wait, now))
        if 300 <= status < 400:
            raise Refused(
                f"the receiver answered {status}: redirects are not followed, set the URL"
            )
        raise Refused(f"the receiver answered {status}")


def signed(key: bytes, message: Message, body: bytes) -> dict[str, str]:
    """The headers of the scheme: identity, time and signature of this body."""
    # The key of a message holds characters that a header or the signed text must not.
    identity = "msg_" + hashlib.sha256(message.key.encode()).hexdigest()[:32]
    stamp = str(int(message.at.timestamp()))
    content = f"{identity}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "user-agent": "dateline",
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header (seconds or an HTTP date), None = it does not say."""
    if not value:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else (
            parsedate_to_datetime(value) - now
        ).total_seconds()  # fmt: skip
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_S)


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise UsageError(
            "alerts.webhook_secret begins with whsec_ but base64 does not follow; copy it again"
        ) from None
