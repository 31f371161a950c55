"""The deliverer: takes tellings from the outbox and brings them to their channels.

Nothing is sent inside a transaction. Each channel has a thread of its own, so a slow receiver
delays nobody else. What was claimed by a deliverer that then died is taken again after the
deadline: by an idempotent channel; otherwise it may have arrived, and is marked unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from prometheus_client import Counter

from sinks.alerts import channels as known_channels
from sinks.alerts.channels.contract import Channel, Message, NotSent, OutcomeUnknown, Refused
from sinks.alerts.notices import Notices
from sinks.alerts.outbox import Claim, Outbox, spread
from sinks.alerts.settings import AlertSettings
from store.connection import describe, translated
from stream.errors import DatelineError, Unavailable

_deliveries = Counter(
    "dateline_deliveries_total",
    "Attempts to deliver an alert, by what became of them",
    ["channel", "state"],
)
# What a claim is good for beyond the sending deadline: writing down the outcome.
MARGIN_S = 30.0
# Enough to fill a queue's page after an outage without holding up a shutdown for long.
AT_ONCE = 100


class Deliverer:
    """`run(stop)` until told to stop; `step()` delivers what is due now, for tests and replays."""

    def __init__(
        self,
        engine: sa.Engine,
        settings: AlertSettings,
        *,
        channels: Sequence[Channel] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine, self._settings, self._clock = engine, settings, clock
        self._channels = known_channels.make(settings) if channels is None else list(channels)
        names = {channel.name for channel in self._channels}
        self._notices = Notices(
            engine,
            [name for name in dict.fromkeys(settings.operator_channels) if name in names],
            settings.operator_patience,
        )
        self._say = structlog.get_logger("dateline.deliver")
        self._at_work: dict[str, float] = {}  # job -> since when it does one thing

    def run(self, stop: threading.Event) -> None:
        """A thread for each channel and one that looks for trouble with feeds. An error that
        waiting does not cure ends all of them."""
        ended = threading.Event()
        errors: list[BaseException] = []

        def work(name: str, do: Callable[[], int], pause: float) -> None:
            try:
                while not (stop.is_set() or ended.is_set()):
                    self._at_work[name] = time.monotonic()
                    try:
                        done = do()
                    except Unavailable as error:
                        self._say.warning("deliver.waiting", error=str(error))
                        done = 0
                    self._at_work.pop(name, None)
                    if not done:
                        stop.wait(pause)
            except BaseException as error:
                errors.append(error)
                ended.set()

        jobs: list[tuple[str, Callable[[], int], float]] = [
            (channel.name, partial(self._deliver, channel), self._settings.poll)
            for channel in self._channels
        ]
        jobs.append(("operators", self.look, self._settings.operator_every))
        threads = [
            threading.Thread(target=work, args=(name, do, pause), name=f"deliver-{name}")
            for name, do, pause in jobs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._engine.dispose()
        if errors:
            raise errors[0]

    def stuck(self, after_s: float) -> str | None:
        """Which job does not come to the end of what it does, so long after the deadline of
        sending, None = all get on."""
        now = time.monotonic()
        for name, since in list(self._at_work.items()):
            if now - since > self._settings.deadline + after_s:
                return f"{name} has been at one thing for {now - since:.0f} s"
        return None

    def step(self) -> int:
        """One round over all channels; how many messages it tried to send."""
        return sum(self._deliver(channel) for channel in self._channels)

    def look(self) -> int:
        """Look for trouble with feeds; how many tellings to operators are now in the outbox."""
        return self._notices.look(self._clock())

    def _deliver(self, channel: Channel) -> int:
        outbox = Outbox(self._engine, channel.name)
        for count in range(AT_ONCE):
            if channel.name in self._at_work:
                self._at_work[channel.name] = time.monotonic()
            now = self._clock()
            until = now + timedelta(seconds=self._settings.deadline + MARGIN_S)
            settle = timedelta(seconds=self._settings.settle)
            with translated(describe(self._engine)):
                claim = outbox.claim(now, until, settle)
                if claim is None:
                    return count
                page = outbox.page(_event(claim)) if channel.wants_page else []
            state, error, next_at = self._send(channel, claim, Message(
                claim.id, claim.payload, now, page
            ))  # fmt: skip
            with translated(describe(self._engine)):
                outbox.mark(claim, state, self._clock(), error=error, next_at=next_at)
            self._count(channel, claim, state, error)
        return AT_ONCE

    def _send(
        self, channel: Channel, claim: Claim, message: Message
    ) -> tuple[str, str | None, datetime | None]:
        """The state to store, the error in words, and when to try again."""
        if not claim.fresh and not channel.idempotent:
            return (
                "unknown",
                "it may have been sent before a stop, or a restore of the database",
                None,
            )
        try:
            channel.send(message)
        except Refused as error:
            return "failed", str(error), None
        except NotSent as error:
            return self._later("pending", claim, str(error), error.retry_after)
        except OutcomeUnknown as error:
            if channel.idempotent:
                return self._later("unknown", claim, str(error), None)
            return "unknown", str(error), None
        except DatelineError:
            raise
        except Exception as error:
            # A channel that breaks on one message must not hold up the others.
            self._say.error("deliver.channel_failed", channel=channel.name, exc_info=error)
            return self._later("pending", claim, f"{type(error).__name__}: {error}", None)
        return "sent", None, None

    def _later(
        self, state: str, claim: Claim, error: str, retry_after: float | None
    ) -> tuple[str, str, datetime | None]:
        s = self._settings
        if claim.attempts >= s.attempts:
            perhaps = "it may have arrived, " if state == "unknown" else ""
            return "failed", f"given up after {claim.attempts} attempts, {perhaps}{error}", None
        # 2 ** 20 is beyond any sensible last_retry, and keeps the number finite.
        wait = min(s.last_retry, s.first_retry * 2 ** min(claim.attempts - 1, 20))
        wait = max(wait * spread(claim.id, claim.attempts), retry_after or 0.0)
        return state, error, self._clock() + timedelta(seconds=wait)

    def _count(self, channel: Channel, claim: Claim, state: str, error: str | None) -> None:
        _deliveries.labels(channel.name, "retried" if state == "pending" else state).inc()
        if error is not None:
            log = self._say.error if state == "failed" else self._say.warning
            log(
                "deliver.not_sent", channel=channel.name, alert=claim.payload["alert_id"],
                state=state, attempts=claim.attempts, error=error,
            )  # fmt: skip


def _event(claim: Claim) -> str | None:
    event = claim.payload.get("event")
    return event["id"] if event else None
