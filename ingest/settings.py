"""What an operator may set about polling, each default with its reason."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class IngestSettings(BaseModel):
    """Times in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid")

    # Publishers ask for a way to reach whoever polls them; an address or URL of yours.
    contact: str = Field(default="", pattern=r"^[!-~]*( [!-~]+)*$", max_length=200)
    # Hosts asked at once. 10,000 feeds every five minutes are 33 requests a second, a second each;
    # a hundred feeds that hang until the deadline hold ten more; and half as much again to spare.
    concurrency: int = Field(default=64, ge=1, le=500)
    # How long a poller may be out of touch with the database and still go on. A dead one's feeds
    # wait this long for another: well within the shortest interval, and three deadlines, so that
    # nothing in hand outlives its lease.
    lease: float = Field(default=90, ge=5)
    # Documents in memory that wait to be read, or in an outage of the log or the database to be
    # saved (bytes as received; read, they take up to three times as much). Beyond it nothing more
    # is asked for. A quarter of an hour of 10,000 feeds in which one poll in ten brings 50 kB.
    waiting_bytes: int = Field(default=128 * 1024 * 1024, gt=0)
    # Courtesy between two requests to one host; most feeds of a publisher share one.
    host_gap: float = Field(default=1.0, ge=0)
    # Five minutes is what newsrooms' own caches usually hold; asking more often brings nothing.
    min_interval: float = Field(default=300, gt=0)
    # A feed that sleeps is still asked four times a day, so its awakening is seen the same day.
    max_interval: float = Field(default=6 * 3600, gt=0)
    # A feed with errors is asked at least daily for ever: dead feeds do come back.
    max_backoff: float = Field(default=24 * 3600, gt=0)
    # One that says 410 Gone again and again is still asked weekly: servers have been wrong before.
    gone_interval: float = Field(default=7 * 24 * 3600, gt=0)
    # A permanent redirect is believed after a week: longer than a mistake or a parked domain
    # goes unnoticed, and meanwhile the old address still leads to the feed.
    moved_after: float = Field(default=7 * 24 * 3600, ge=0)
    # Whole answer, redirects included. The slowest of healthy feeds take a few seconds.
    deadline: float = Field(default=30, gt=0)
    # The largest of 134 captured feeds is 390 kB; full-text feeds reach a few MB.
    max_bytes: int = Field(default=8 * 1024 * 1024, gt=0)
    # All that arrives for one answer, headers and chunk sizes included: a plain document of
    # `max_bytes` fits with room for those, and no server can fill the line for a whole deadline.
    max_wire_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
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
    # Networks that are never asked although they look public, such as your own servers' addresses
    # or the prefix of your NAT64.
    refuse_networks: list[IPv4Network | IPv6Network] = []
    # Certificates (PEM) of an authority of your own, trusted besides the system's.
    ca_file: Path | None = None
    # http://user:password@host:port, asked for everything. Proxies named in the environment are
    # not used: a variable set for another program must not change who is asked.
    proxy: SecretStr | None = None
    # Ask for an article's page when its feed brings only a few sentences of it. Off: feeds are
    # published to be read by programs, pages are not, so it is the operator who decides (here for
    # all, with `dateline feeds add URL --full-text` for one).
    full_text: bool = False
    # Pages for one poll, the newest items first; the rest keep their feed's text. Nine polls in ten
    # of 16 feeds captured for five days bring 12 new items or fewer.
    pages_per_poll: int = Field(default=12, ge=1, le=200)
    # All the pages of one poll together: with a second between them twelve of a healthy site take
    # 20 s, and with its feed's own deadline the poll stays within the lease.
    pages_deadline: float = Field(default=45, gt=0)
    # One page. Those of news sites are .1 to 1.5 MB of HTML; what is larger is no article.
    page_bytes: int = Field(default=4 * 1024 * 1024, gt=0)
    # Reading a page takes 30 to 200 ms here; pages that make extractors run for ever exist.
    page_deadline: float = Field(default=10, gt=0)
    # Days for which a poll that brought nothing keeps its own row: at 10,000 feeds these are a
    # million rows a day. After that a day's polls of a feed share one.
    keep_unchanged_days: int = Field(default=2, ge=1)
    # … and for which any poll does: long enough to look into a complaint.
    keep_polls_days: int = Field(default=90, ge=1)
    # Days for which an item that its feed no longer shows is remembered. In five captured days a
    # thousand came back; later than this only its address tells that it is known.
    keep_items_days: int = Field(default=90, ge=1)
