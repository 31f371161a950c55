"""What ingest keeps: feeds, who asks them, what they have shown, and a row a poll."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Text

from store.tables.columns import Json, UtcDateTime, metadata

feeds = sa.Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("outlet", Text),  # domain when the operator gave one, else taken from the items' links
    Column("title", Text),
    Column("folder", Text),  # where the operator keeps it: names from the outermost, "/" between
    Column("state", Text, nullable=False, server_default="active"),  # active | paused
    Column("added", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("interval_s", Float, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", Text),
    Column("last_at", UtcDateTime),  # last attempt
    Column("last_ok", UtcDateTime),
    Column("last_status", Integer),  # HTTP status of the last attempt, NULL = no answer
    Column("error", Text),  # one sentence; NULL after a success
    Column("errors_in_row", Integer, nullable=False, server_default="0"),
    Column("last_new", UtcDateTime),  # when it last brought something new
    Column("items_per_day", Float),
    Column("moved_to", Text),  # where permanent redirects lead, watched before it is believed
    Column("moved_since", UtcDateTime),
    Column("hints", Json),  # what the last document asks of pollers: `ingest.documents.items.Hints`
    Column("shown", Integer),  # items in the last document
    Column("flaw", Text),  # what of it could not be read; NULL = nothing
    Column("outcome", Text),  # of the last attempt: ok, unchanged, or the kind of error
    Column("longest_pause", Float),  # seconds without news, fading: what silence is measured by
    Column("twin", Text),  # URL of the feed that shows most of the same items …
    Column("twin_share", Float),  # … and which share of this one's
    Column("health", Text, nullable=False, server_default="new"),  # `ingest.policy.health`
    Column("health_since", UtcDateTime),
    Column("why", Text),  # one sentence about the health
    Column("full_text", Boolean),  # also ask the articles' pages; NULL = as ingest.full_text says
    # Whose turn it takes: `ingest.polling.hosts.host_of(url)`. "" = a poller has yet to fill it in.
    Column("host", Text, nullable=False, server_default=""),
    Index("ix_feeds_state", "state", "next_at"),
    Index("ix_feeds_host", "host"),
)
# The pollers at work. A lease is good until its poller's `until`, by the database's clock: one row
# renewed is all of them renewed, and whoever finds a poller past it takes the row away.
pollers = sa.Table(
    "pollers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("process", Text, nullable=False),  # `ingest.polling.process.identity`; "" = not known
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
# Who may ask which host. A host's feeds are leased together, so that one poller keeps its gaps.
hosts = sa.Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("owner", Text),  # a poller's name; NULL: free to take
    Column("free_at", UtcDateTime),  # not to be asked before, as its last owner left it
    Index("ix_hosts_owner", "owner"),
)
# What each feed has shown, so that the next poll knows what is new.
feed_items = sa.Table(
    "feed_items",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("item_key", Text, primary_key=True),  # guid, else link, else hash of the content
    Column("article_id", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index("ix_feed_items_article_id", "article_id"),
)
# The last revision that ingest appended of each article.
identities = sa.Table(
    "identities",
    metadata,
    Column("article_id", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("text_length", Integer, nullable=False),
    Column("source", Text, nullable=False),  # feed URL or "archive": whose wording this is
    # Hashes of some of its words, hex: tells an edit from another story under the same guid.
    Column("sketch", Text, nullable=False, server_default=""),
    # The first 8 hex digits of the contents that stood, oldest first: stops a wording that flips.
    Column("wordings", Text, nullable=False, server_default=""),
    Column("appended", UtcDateTime, nullable=False),
)
# One row a poll (or a replayed archive): every item seen is in exactly one of the five fates.
polls = sa.Table(
    "polls",
    metadata,
    Column("source", Text, primary_key=True),  # feed URL, or "archive:<name>"
    Column("at", UtcDateTime, primary_key=True),
    Column("status", Integer),
    # ok | unchanged | the kind of error; the last two see no items
    Column("outcome", Text, nullable=False, server_default="ok"),
    Column("seen", Integer, nullable=False, server_default="0"),  # counted where items are read
    Column("stored", Integer, nullable=False, server_default="0"),
    Column("revised", Integer, nullable=False, server_default="0"),
    Column("duplicate", Integer, nullable=False, server_default="0"),
    Column("filtered", Integer, nullable=False, server_default="0"),
    Column("dead", Integer, nullable=False, server_default="0"),
    Column("reasons", Json, nullable=False),  # {"filtered: no title and no text": 2, …}
)
# The sums of polls whose own rows have been folded away: see `ingest.books.retention`.
polls_daily = sa.Table(
    "polls_daily",
    metadata,
    Column("source", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # ISO, UTC
    Column("polls", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("revised", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("filtered", Integer, nullable=False),
    Column("dead", Integer, nullable=False),
    Column("reasons", Json, nullable=False),
)
