"""Is it them or us? When host after host does not answer at all, it is our own network."""

from __future__ import annotations

from ingest.polling.hosts import host_of

# Hosts in a row. Of all hosts about one in a hundred is away at any time: five of them one after
# the other, by chance, once in ten thousand million polls.
_IN_A_ROW = 5
_NO_ANSWER = ("timeout", "connection")


class Blackout:
    """Belongs to one thread."""

    def __init__(self) -> None:
        self._mute: set[str] = set()

    def failed(self, url: str, kind: str) -> bool:
        """A poll failed: are we cut off?"""
        if kind not in _NO_ANSWER:
            return self.answered()
        if len(self._mute) < _IN_A_ROW:  # more would tell no more
            self._mute.add(host_of(url))
        return len(self._mute) >= _IN_A_ROW

    def answered(self) -> bool:
        """Somebody spoke, be it to refuse: we are not."""
        self._mute.clear()
        return False
