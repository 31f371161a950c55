"""What an operator may set about stories, each default with its reason."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class ClusterSettings(BaseModel, extra="forbid"):
    # A story that nobody wrote about for a week is over; a week was within .01 B³ of the best
    # window on every development stream, and it bounds the memory.
    quiet_days: float = Field(default=7.0, gt=0)
    # Ids outlive the stories: feeds bring back items that were gone for weeks.
    seen_days: float = Field(default=30.0, gt=0)
    # Records between two snapshots, or a fifth of the open articles where that is more: writing
    # 100,000 takes 2.4 s of work (404 MB) and up to 10 s for the disk; taking 2,000 placements over
    # from the log takes about 1 s.
    snapshot_every: int = Field(default=2000, gt=0)
    # But no more records than this. With a million open articles a restart takes 6 s, and .7 ms for
    # each that has to be taken over: 14 s with this. But nothing is placed while a snapshot is
    # written, 35 s then, of every two hours of such news.
    snapshot_at_latest: int = Field(default=12_000, gt=0)
    # Where snapshots are kept; None = nowhere, each start then reads the log from its beginning.
    state_dir: Path | None = None
    # The languages that the embedding model reads; the vector of any other text says little, and
    # the decision for it leans on names and terms. None = those that the model's decision file
    # names (the packaged model was trained on English).
    languages: list[str] | None = None
    # A decision file for another model; None = the one shipped for the model on the records.
    decision_file: Path | None = None
