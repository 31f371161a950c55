"""The short way through `canonical` for plain addresses comes to what the long way comes to."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.articles.urls import canonical

_HOSTS = st.sampled_from(
    ["news.example", "www.news.example", "m.news.example", "a-b.example", "1.2.3.4", "x", "x..y",
     "www.google.com", "google.co.uk", "www.bing.com", "l.facebook.com", "a.cdn.ampproject.org"]
)  # fmt: skip
_PATHS = st.text("ab9/._,~-Z", max_size=30) | st.sampled_from(
    ["c/s/news.example/1", "amp/s/news.example/1", "url", "amp/news.example/a.html", "a/../b", "./"]
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(["http", "https"]), _HOSTS, _PATHS)
def test_a_plain_address_is_what_it_is_without_a_tracking_parameter(
    scheme: str, host: str, path: str
) -> None:
    url = f"{scheme}://{host}/{path}"
    assert canonical(url) == canonical(f"{url}?utm_source=rss")
    assert canonical(url, "https://base.example/x") == canonical(url)


def test_addresses_of_captured_feeds_come_out_the_same_on_both_ways(shared_data: Path) -> None:
    found: set[str] = set()
    for file in (shared_data / "feeds" / "real").glob("*.xml"):
        found |= set(re.findall(r"https?://[^\s<>\"'?#&]+", file.read_text(errors="ignore")))
    assert len(found) > 1000
    odd = [u for u in found if canonical(u) != canonical(f"{u}?utm_source=rss")]
    assert odd == []
