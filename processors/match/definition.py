"""Event definitions: TOML files to records, with every problem of every file told at once."""

from __future__ import annotations

import contextlib
import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from stream.errors import UsageError
from stream.records import Definition, Example, Name

_EXAMPLE_HEAD = re.compile(r"\s*\[\[\s*examples\s*\]\]")
# Ids become parts of file names, URLs and database keys.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEYS = (
    "id", "title", "description", "actors", "places", "not_about", "starts", "ends", "follows",
    "lookback_days", "examples",
)  # fmt: skip
_EXAMPLE_KEYS = ("title", "text", "file", "url", "published", "lang", "about")
_NAME_KEYS = ("name", "aliases")
# Vectors read the first 128 tokens and names the first sentences; the record stays small.
MAX_EXAMPLE_CHARS = 8_000
MAX_EXAMPLES = 50
# A story older than this was never live for anyone who registers its event now.
MAX_LOOKBACK_DAYS = 3_650

Lookup = Callable[[str], Example | None]


class _Problems:
    """The problems of one file, with the line where a key stands when it can be found."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.found = path, list[str]()
        self._lines, self._from = source.splitlines(), 0

    @contextlib.contextmanager
    def within_example(self, number: int) -> Iterator[None]:
        """Keys are looked for in the example of this number, from 0 on."""
        heads = [n for n, text in enumerate(self._lines) if _EXAMPLE_HEAD.match(text)]
        self._from = heads[number] if number < len(heads) else 0
        yield
        self._from = 0

    def add(self, message: str, key: str | None = None) -> None:
        where = str(self.path)
        if key is not None:
            pattern = re.compile(rf"\s*(\[\[?\s*)?{re.escape(key)}\b")
            lines = enumerate(self._lines[self._from :], self._from + 1)
            line = next((n for n, text in lines if pattern.match(text)), None)
            where += f":{line}" if line else ""
        self.found.append(f"{where}: {message}")


def load_directory(path: Path, lookup: Lookup | None = None) -> list[Definition]:
    """All definitions of a directory (`*.toml`), in order of id, version 0.

    `lookup` finds the stored article of an example given by `url`. Raises UsageError that names
    every problem of every file, one a line.
    """
    if not path.is_dir():
        raise UsageError(f"expected a directory of event files (*.toml), got {path}")
    problems: list[str] = []
    loaded: dict[str, tuple[Definition, Path]] = {}
    for file in sorted(path.glob("*.toml")):
        try:
            definition = load_file(file, lookup)
        except UsageError as error:
            problems.append(str(error))
            continue
        if definition.id in loaded:
            other = loaded[definition.id][1].name
            problems.append(f"{file}: the id {definition.id!r} is also used by {other}")
        loaded[definition.id] = (definition, file)
    if problems:
        raise UsageError("\n".join(problems))
    if not loaded:
        raise UsageError(f"{path} holds no event files (*.toml); see examples/events for some")
    return [definition for _, (definition, _) in sorted(loaded.items())]


def load_file(path: Path, lookup: Lookup | None = None) -> Definition:
    """One definition, version 0. Raises UsageError naming all of its problems, one a line."""
    try:
        source = path.read_text(encoding="utf-8-sig")
        table = tomllib.loads(source)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: not a readable TOML file: {why}") from error
    problems = _Problems(path, source)
    definition = _definition(table, problems, lookup)
    if problems.found or definition is None:
        raise UsageError("\n".join(problems.found))
    return definition


def same_content(one: Definition, other: Definition) -> bool:
    """Do two versions say the same?"""
    return msgspec.structs.replace(one, version=0) == msgspec.structs.replace(other, version=0)


def _definition(
    table: dict[str, Any], problems: _Problems, lookup: Lookup | None
) -> Definition | None:
    _known(table, _KEYS, problems)
    id_ = _text(table, "id", problems)
    if id_ and not _ID.fullmatch(id_):
        problems.add(
            f"id {id_!r} may hold letters, digits, '-', '_' and '.', and starts with a letter or "
            "digit (at most 100 characters)",
            "id",
        )
    title = _text(table, "title", problems)
    for key, value in (("id", id_), ("title", title)):
        if not value and key not in {k for k in table if not isinstance(table[k], str)}:
            problems.add(f"{key} is required and must not be empty", key if key in table else None)
    starts, ends = _day(table, "starts", problems), _day(table, "ends", problems)
    if starts and ends and starts > ends:
        problems.add(f"starts ({starts}) lies after ends ({ends})", "starts")
    lookback = table.get("lookback_days", 30)
    if type(lookback) is not int or not 0 <= lookback <= MAX_LOOKBACK_DAYS:
        problems.add(
            f"lookback_days must be a whole number from 0 to {MAX_LOOKBACK_DAYS}, got {lookback!r}",
            "lookback_days",
        )
        lookback = 30
    follows = _texts(table, "follows", problems)
    if id_ and id_ in follows:
        problems.add("an event cannot follow itself", "follows")
    definition = Definition(
        id=id_,
        version=0,
        title=title,
        description=" ".join(_text(table, "description", problems).split()),
        actors=_names(table, "actors", problems),
        places=_names(table, "places", problems),
        not_about=_texts(table, "not_about", problems),
        starts=starts,
        ends=ends,
        follows=follows,
        examples=_examples(table, problems, lookup),
        lookback_days=lookback,
    )
    return None if problems.found else definition


def _known(table: Mapping[str, Any], known: tuple[str, ...], problems: _Problems) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            problems.add(f"unknown key {key!r}; {hint}", key)


def _text(table: Mapping[str, Any], key: str, problems: _Problems) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        problems.add(f"{key} must be text, got {_kind(value)}", key)
        return ""
    return value.strip()


def _texts(table: Mapping[str, Any], key: str, problems: _Problems) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.add(f"{key} must be a list of texts, got {_kind(value)}", key)
        return []
    return [one.strip() for one in value if one.strip()]


def _names(table: Mapping[str, Any], key: str, problems: _Problems) -> list[Name]:
    value = table.get(key, [])
    found: list[Name] = []
    if not isinstance(value, list):
        problems.add(f"{key} must be a list of names, got {_kind(value)}", key)
        return []
    for one in value:
        if isinstance(one, str) and one.strip():
            found.append(Name(name=one.strip()))
        elif isinstance(one, dict) and isinstance(one.get("name"), str) and one["name"].strip():
            _known(one, _NAME_KEYS, problems)
            aliases = _texts(one, "aliases", problems)
            found.append(Name(name=one["name"].strip(), aliases=aliases))
        else:
            problems.add(
                f'each of {key} must be a name or {{ name = "…", aliases = ["…"] }}, got {one!r}',
                key,
            )
    return found


def _day(table: Mapping[str, Any], key: str, problems: _Problems) -> str | None:
    value = table.get(key)
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = date.fromisoformat(value.strip())
    if isinstance(value, date):
        return value.isoformat()
    if value is not None:
        problems.add(f"{key} must be a day such as 2018-06-12, got {value!r}", key)
    return None


def _moment(value: object, problems: _Problems) -> datetime | None:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
    except ValueError:
        pass
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value is not None:
        problems.add(
            f"published must be a date or time such as 2018-05-27T22:23:40+08:00, got {value!r}",
            "published",
        )
    return None


def _examples(
    table: Mapping[str, Any], problems: _Problems, lookup: Lookup | None
) -> list[Example]:
    value = table.get("examples", [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        problems.add("examples must be [[examples]] tables", "examples")
        return []
    if len(value) > MAX_EXAMPLES:
        problems.add(f"at most {MAX_EXAMPLES} examples, got {len(value)}", "examples")
    found: list[Example] = []
    for number, table_of_one in enumerate(value):
        with problems.within_example(number):
            if one := _example(table_of_one, problems, lookup):
                found.append(one)
    return found


def _example(
    table: Mapping[str, Any], problems: _Problems, lookup: Lookup | None
) -> Example | None:
    _known(table, _EXAMPLE_KEYS, problems)
    about = table.get("about", True)
    if not isinstance(about, bool):
        problems.add(f"about must be true or false, got {about!r}", "about")
        about = True
    title, text = _text(table, "title", problems), _text(table, "text", problems)
    if "file" in table and (name := _text(table, "file", problems)):
        try:
            text = (problems.path.parent / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            problems.add(f"the example file {name!r} cannot be read: {why}", "file")
    if "url" in table and (url := _text(table, "url", problems)):
        stored = lookup(url) if lookup else None
        if stored is None:
            problems.add(f"no stored article has the url {url!r}; give title and text", "url")
            return None
        return msgspec.structs.replace(stored, about=about, text=stored.text[:MAX_EXAMPLE_CHARS])
    if not title and not text:
        problems.add("an example needs a title, a text, a file or a url", "examples")
        return None
    return Example(
        title=title,
        text=text[:MAX_EXAMPLE_CHARS],
        published=_moment(table.get("published"), problems),
        lang=_text(table, "lang", problems) or None,
        about=about,
    )


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(value), "a table" if isinstance(value, dict) else type(value).__name__)
