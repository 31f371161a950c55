"""What an operator may set about polling, each default with its reason."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, ConfigDict, Field


class IngestSettings(BaseModel):
    """Times in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid")

    # Publishers ask for a way to reach whoever polls them; an address or URL of yours.
    contact: str = ""
    # Six hosts in flight hide one slow publisher without looking like an attack on a small line.
    concurrency: int = Field(default=6, ge=1, le=500)
    # Courtesy between two requests to one host; most feeds of a publisher share one.
    host_gap: float = Field(default=1.0, ge=0)
    # Five minutes is what newsrooms' own caches usually hold; asking more often brings nothing.
    min_interval: float = Field(default=300, gt=0)
    # A feed that sleeps is still asked four times a day, so its awakening is seen the same day.
    max_interval: float = Field(default=6 * 3600, gt=0)
    # A feed with errors is asked at least daily for ever: dead feeds do come back.
    max_backoff: float = Field(default=24 * 3600, gt=0)
    # Whole answer, redirects included. The slowest of healthy feeds take a few seconds.
    deadline: float = Field(default=30, gt=0)
    # The largest of 134 captured feeds is 390 kB; full-text feeds reach a few MB.
    max_bytes: int = Field(default=8 * 1024 * 1024, gt=0)
    # Feeds in the wild hold 10 to 300 items; beyond 2,000 it is an export or an attack.
    max_items: int = Field(default=2000, gt=0)
    # Five hops cover http→https→www→new path with one to spare.
    max_redirects: int = Field(default=5, ge=0)
    # 8 MB of healthy RSS parse in 2 s here; hostile documents run for a minute.
    parse_deadline: float = Field(default=12, gt=0)
    # Parsing takes 10 ms a feed: two workers keep up with a hundred polls a second, and one
    # hostile document leaves the other free.
    parse_workers: int = Field(default=2, ge=1, le=32)
    # Networks that may be polled although they are not public, such as "127.0.0.0/8".
    allow_networks: list[IPv4Network | IPv6Network] = []
