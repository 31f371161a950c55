"""A dict whose values may still lie in a snapshot, as they were written, until somebody asks.

A restart reads a million articles; most of them nobody asks for again. Decoding all took ten times
as long as finding where each begins.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Generic, TypeVar

from msgspec import Raw

T = TypeVar("T")


class Asleep(Generic[T]):
    """Keeps the order in which keys came, as a dict does. `wake` decodes a value."""

    def __init__(self, wake: Callable[[Raw], T]) -> None:
        self._wake = wake
        self._held: dict[str, T | Raw] = {}

    def lay(self, values: Mapping[str, Raw]) -> None:
        """Hold these, asleep."""
        self._held.update(values)

    def holds(self, key: str, value: T) -> bool:
        """Whether it is this very value."""
        return self._held.get(key) is value

    def as_held(self) -> ItemsView[str, T | Raw]:
        """For writing: nothing wakes."""
        return self._held.items()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __getitem__(self, key: str) -> T:
        value = self._held[key]
        return self._woken(key, value) if type(value) is Raw else value

    def get(self, key: str) -> T | None:
        value = self._held.get(key)
        return self._woken(key, value) if type(value) is Raw else value

    def __setitem__(self, key: str, value: T) -> None:
        self._held[key] = value

    def __delitem__(self, key: str) -> None:
        del self._held[key]

    def pop(self, key: str) -> T | None:
        value = self._held.pop(key, None)
        return self._wake(value) if isinstance(value, Raw) else value

    def values(self) -> Iterator[T]:
        """Each wakes when it is its turn."""
        for key in self._held:
            yield self[key]

    def clear(self) -> None:
        self._held.clear()

    def _woken(self, key: str, value: Raw) -> T:
        awake = self._held[key] = self._wake(value)
        return awake
