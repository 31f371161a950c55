"""What an operator may set about alerts, each default with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class AlertSettings(BaseModel):
    """Times in seconds."""

    model_config = ConfigDict(extra="forbid")

    # The terminal needs nothing to be set up. "atom" needs atom_dir, "webhook" its URL and secret.
    channels: list[Literal["console", "atom", "webhook"]] = ["console"]
    console_json: bool = False  # one JSON line an alert instead of words
    atom_dir: Path = Path("alerts")
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None
    # Alerts about a backfilled archive are kept for the desk; sending years of old news to
    # people's phones is never what a backfill is for.
    tell_backfill: bool = False

    # Where operators hear of trouble with feeds; [] = nowhere but on the view v_notices. Events
    # are told on `channels` only.
    operator_channels: list[Literal["console", "atom", "webhook"]] = ["console"]
    # Trouble with feeds lasts hours; looking costs a few milliseconds at 10,000 feeds.
    operator_every: float = Field(default=60, gt=0)
    # A publisher's bad night is nobody's work: feeds that fail are told of after a day.
    operator_patience: float = Field(default=24 * 3600, ge=0)

    # How long a receiver may take in all. The specification of Standard Webhooks advises 15 to 30.
    deadline: float = Field(default=15, gt=0, le=300)
    # The first retry comes before anybody notices, the last ones do not hammer a dead receiver.
    first_retry: float = Field(default=5, gt=0)
    last_retry: float = Field(default=3600, gt=0)
    # With the two numbers above: about a day, so that a receiver that was down overnight still
    # hears of it. After that the alert is marked failed and counted in the metrics.
    attempts: int = Field(default=32, ge=1)
    # A new alert should be out within a second of the decision; asking is one indexed query.
    poll: float = Field(default=0.5, gt=0)
    # A look-back writes its articles one by one and within a moment; its alert waits for them.
    settle: float = Field(default=2.0, ge=0)

    @field_validator("webhook_url")
    @classmethod
    def _http_only(cls, url: str | None) -> str | None:
        if url is not None and not url.lower().startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with https:// or http://")
        return url

    @model_validator(mode="after")
    def _complete(self) -> AlertSettings:
        named = (*self.channels, *self.operator_channels)
        if "webhook" in named and not (self.webhook_url and self.webhook_secret):
            raise ValueError("the channel webhook needs webhook_url and webhook_secret")
        return self
