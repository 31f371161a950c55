"""What must hold for any address, and for any two states of an item.

`python -m tests.fuzz.identity -max_total_time=60` has atheris look for what does not;
tests/ingest/test_canonical.py and test_wordings.py have hypothesis look a little at every run.
"""

from __future__ import annotations

import sys

from ingest.articles import identity, urls


def addresses(one: str, other: str) -> None:
    """Canonical once is canonical for ever, names the same article, and can be stored."""
    found = urls.canonical(one)
    if found is not None:
        assert urls.canonical(found) == found
        assert urls.identity_key(found) == urls.identity_key(one)
        assert found.startswith(("http://", "https://"))
        found.encode()
    named = urls.accepts_canonical(one, other)
    assert named is None or urls.canonical(named) == named
    urls.carries(found, other)
    urls.numbered(found, other)
    urls.domain(one)


def wordings(title: str, text: str, later: str) -> None:
    """Sketches compare with themselves, and nothing is cut off from itself."""
    one, other = identity.sketch(title, text), identity.sketch(title, later)
    assert identity.likeness(one, one) == 1
    assert identity.likeness(one, other) == identity.likeness(other, one)
    assert not identity.cut_off(text, one, len(text), one)
    assert len(identity.key(text)) <= max(len(text), 33)
    identity.content_hash(title, text)


def main() -> None:
    import atheris

    with atheris.instrument_imports():
        import urllib.parse  # noqa: F401

    def run(data: bytes) -> None:
        given = atheris.FuzzedDataProvider(data)
        one, other = given.ConsumeUnicode(200), given.ConsumeUnicodeNoSurrogates(200)
        addresses(given.PickValueInList(["", "https://", "//"]) + other, one)
        wordings(one, other, given.ConsumeUnicodeNoSurrogates(400))

    atheris.instrument_all()
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
