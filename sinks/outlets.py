"""Who publishes: `outlets.toml` says which domains belong to one outlet and one family."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UsageError

# Looked for at both ends of a text: agencies are credited in the dateline or the last lines, and
# a name in the middle is more often part of the news.
_HEAD_CHARS, _TAIL_CHARS = 400, 400
_KEYS = {"domain": True, "name": False, "family": False, "country": False, "kind": False}


@dataclass(frozen=True)
class Outlet:
    domain: str
    name: str
    family: str
    kind: str = ""
    country: str = ""
    verified: bool = True  # listed by the operator; others stand for themselves


class Outlets:
    """Finds the outlet of a domain, and the wire that a text credits."""

    def __init__(self, outlets: Iterable[Outlet] = ()) -> None:
        self._by_domain = {outlet.domain.lower(): outlet for outlet in outlets}
        wires = [outlet for outlet in self._by_domain.values() if outlet.kind == "wire"]
        self._wires = {" ".join(outlet.name.lower().split()): outlet for outlet in wires}
        self._credit = _credit(self._wires) if wires else None

    @classmethod
    def load(cls, path: Path | None) -> Outlets:
        """Read `[[outlet]]` tables; None = every domain stands for itself. Raises UsageError."""
        if path is None:
            return cls()
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")).get("outlet", [])
        except OSError as error:
            raise UsageError(f"cannot read the outlets file {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not valid TOML: {error}") from None
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise UsageError(f"{path}: expected [[outlet]] tables, each with a domain")
        return cls(_outlet(table, f"{path}: outlet {n}") for n, table in enumerate(tables, 1))

    def find(self, domain: str) -> Outlet:
        """The outlet of a domain or of one that it is a part of ("edition.", "www.", "m.")."""
        labels = domain.lower().rstrip(".").split(".")
        for start in range(len(labels)):
            if found := self._by_domain.get(".".join(labels[start:])):
                return found
        own = domain.removeprefix("www.")
        return Outlet(own.lower(), own, own.lower(), verified=False)

    def credited_wire(self, text: str) -> Outlet | None:
        """The wire that the text says it comes from, such as "SEOUL (Meridian Wire) - …"."""
        if self._credit is None:
            return None
        ends = text if len(text) <= _HEAD_CHARS + _TAIL_CHARS else (
            f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
        )  # fmt: skip
        found = self._credit.search(ends)
        if found is None:
            return None
        name = next(group for group in found.groups() if group)
        return self._wires[" ".join(name.lower().split())]


def _credit(names: Iterable[str]) -> re.Pattern[str]:
    any_name = "|".join(
        r"\s+".join(re.escape(word) for word in name.split())
        for name in sorted(names, key=len, reverse=True)
    )
    name = rf"({any_name})"
    return re.compile(
        rf"[(\[]\s*{name}\s*[)\]]"
        rf"|\b(?:source|via|credit|agency)\s*:\s*{name}\b"
        rf"|\b(?:supplied|provided|reporting|written|distributed)\s+by\s+{name}\b"
        rf"|\b{name}\s+(?:contributed|supplied|provided)\b"
        rf"|[-–—©]\s*{name}\s*\.?\s*$",
        re.IGNORECASE | re.MULTILINE,
    )


def _outlet(table: dict[str, object], where: str) -> Outlet:
    for key, value in table.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}")
        if not isinstance(value, str):
            raise UsageError(f"{where}: {key} must be a text, got {value!r}")
    domain = str(table.get("domain", "")).strip().lower()
    if not domain:
        raise UsageError(f"{where}: a domain is missing")
    name = str(table.get("name") or domain)
    return Outlet(
        domain=domain,
        name=name,
        family=str(table.get("family") or name),
        kind=str(table.get("kind", "")),
        country=str(table.get("country", "")),
    )
