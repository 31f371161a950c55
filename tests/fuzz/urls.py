"""Any string: a plausible address, which is its own canonical form, or None."""

from __future__ import annotations

from ingest.articles import urls
from tests.fuzz.fuzzer import fuzz


def one(data: bytes) -> None:
    written = data.decode("utf-8", errors="replace")
    for base in (None, "https://news.example/a/feed.xml"):
        address = urls.canonical(written, base)
        if address is None:
            continue
        assert address.startswith(("http://", "https://"))
        assert not any(c <= " " or c == "\x7f" for c in address), repr(address)
        assert urls.canonical(address) == address, (address, urls.canonical(address))
        assert urls.identity_key(address) == urls.identity_key(urls.canonical(address))
    urls.identity_key(written)
    urls.domain(written)


if __name__ == "__main__":
    fuzz(one)
