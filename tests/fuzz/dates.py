"""Any string: an aware time within the years that are believed, or None."""

from __future__ import annotations

from datetime import timedelta

from ingest.documents import dates
from tests.fuzz.fuzzer import fuzz


def one(data: bytes) -> None:
    found = dates.read(data.decode("utf-8", errors="replace"))
    if found is not None:
        assert found.utcoffset() == timedelta(0)
        assert 1000 <= found.year < 9999
        assert dates.read(found.isoformat()) == found


if __name__ == "__main__":
    fuzz(one)
