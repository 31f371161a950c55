"""What an operator may set about the desk."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class DashboardSettings(BaseModel):
    """Section `[desk]` of the configuration."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. The desk has no login: keep it on loopback.",
    )
    # 8642 is assigned to nothing that a workstation commonly runs (8000 and 8080 are).
    port: int = Field(
        default=8642, ge=0, le=65535, description="Port to listen on; 0 takes any free one."
    )
    allowed_hosts: list[str] = Field(
        default=[],
        description=(
            "Names, beside loopback ones, under which a browser may ask for the desk. Others are "
            "refused, so that a hostile page cannot read it by pointing its own name here."
        ),
    )
    atom_dir: Path | None = Field(
        default=None,
        description=(
            "Folder in which delivery keeps one Atom file for each event; default: "
            "alerts.atom_dir, where the channel atom is on."
        ),
    )
    # Three seconds: an alert is on the screen before anyone thinks of reloading, and a desk that
    # is left open costs one two-row query each time.
    refresh_s: float = Field(default=3.0, ge=0.5, description="Seconds between looks for changes.")
    # Loading the model takes 5–15 s on a cold disk; a loaded one answers in well under a second.
    explain_deadline_s: float = Field(
        default=60.0, gt=0, description="Longest wait for an explanation."
    )
