"""Settings of the match stage."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class MatchSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # Probabilities are calibrated; a missed article costs about twice as much as a false one. At
    # .35 a day's unrelated news raised less than one alert in 10,000 articles for an event, and
    # macro F1 was within .02 of its best on every development stream.
    threshold: float = Field(default=0.35, gt=0, lt=1)
    # Below this a decision is computed on demand and not stored.
    keep: float = Field(default=0.05, ge=0, le=1)
    # What definitions are written in, where no example says its language; an article in another
    # language cannot share their words. Counts for models that read several languages.
    language: str = "en"
    # None = the file shipped for the model.
    decision_file: Path | None = None
    # Let a model decide for which no file was calibrated; every match is then marked.
    uncalibrated: bool = False
