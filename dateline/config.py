"""The whole configuration: each stage keeps its own settings, this page only composes them.

Order: flags > environment (`DATELINE_SECTION__KEY`) > `dateline.toml` > defaults. For a secret,
`DATELINE_SECTION__KEY_FILE` names a file that holds it. Unknown keys are errors.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from dashboard.settings import DashboardSettings
from ingest.settings import IngestSettings
from processors.cluster.settings import ClusterSettings
from processors.embed.settings import EmbedSettings
from processors.match.settings import MatchSettings
from sinks.alerts.settings import AlertSettings
from stream.batch import DEAD_IN_A_ROW
from stream.errors import UsageError

PREFIX = "DATELINE_"
DEFAULT_FILE = Path("dateline.toml")
# Read before the configuration itself, so they are no keys of it.
OUTSIDE = {"DATELINE_CONFIG", "DATELINE_SUPERVISED"}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(Section):
    url: str = "dateline.db"  # a path, sqlite:///… or postgresql://user@host/name
    password: SecretStr | None = None  # put into the URL, so that the URL itself can be public


class LogSettings(Section):
    url: str = "dateline.log.db"  # a path, or kafka://host:port,host:port
    # Embedders share the articles; more partitions than embedders cost nothing but open files.
    article_partitions: int = Field(default=8, ge=1, le=1024)
    # Megabytes that stay free on the disk of a log or database that is a file: below it nothing is
    # taken in. What is in hand then is some 100 MB of documents, and an article is written five
    # times on its way through the log into the database, and twice more before SQLite tidies up.
    disk_floor_mb: int = Field(default=1000, ge=0)
    assignor: str = "range"  # or roundrobin, cooperative-sticky; the same for all members
    security_protocol: str = "PLAINTEXT"  # or SSL, SASL_PLAINTEXT, SASL_SSL
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None  # our own certificate, for a broker that asks for one
    ssl_keyfile: Path | None = None


class StageSettings(Section):
    # The record in a row that fails and stops its stage; 0 = none does (see stream/batch.py).
    dead_in_a_row: int = Field(default=DEAD_IN_A_ROW, ge=0)


class TelemetrySettings(Section):
    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    host: str = "127.0.0.1"
    # Health and metrics, 0 = none. The processes of one `dateline run` take this port and those
    # that follow it.
    port: int = Field(default=0, ge=0, le=65535)

    def of_process(self, number: int) -> dict[str, str]:
        """The environment of the supervised process of that number."""
        return {"DATELINE_TELEMETRY__PORT": str(self.port + number)} if self.port else {}


class Settings(Section):
    database: DatabaseSettings = DatabaseSettings()
    log: LogSettings = LogSettings()
    stages: StageSettings = StageSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    ingest: IngestSettings = IngestSettings()
    embed: EmbedSettings = EmbedSettings()
    cluster: ClusterSettings = ClusterSettings()
    match: MatchSettings = MatchSettings()
    alerts: AlertSettings = AlertSettings()
    desk: DashboardSettings = DashboardSettings()
    outlets: Path | None = None  # outlets.toml: who publishes, and which family owns whom

    @property
    def embedded(self) -> bool:
        """True on the one-host default, where `dateline run` makes topics and schema itself."""
        return not self.log.url.startswith("kafka://")

    def database_url(self) -> str:
        """The database's URL with the password in it (never print this)."""
        if self.database.password is None:
            return self.database.url
        from sqlalchemy import make_url

        url = make_url(self.database.url)
        return url.set(password=self.database.password.get_secret_value()).render_as_string(False)

    def public_database(self) -> str:
        """The database as it may be printed: a password inside the URL is masked."""
        scheme, slashes, rest = self.database.url.partition("://")
        who, at, where = rest.rpartition("@")
        name, colon, _ = who.partition(":")
        return f"{scheme}://{name}:***@{where}" if slashes and at and colon else self.database.url

    def tree(self) -> dict[str, Any]:
        """The effective values, secrets masked."""
        values = self.model_dump(mode="json")
        values["database"]["url"] = self.public_database()
        return values


def load(
    config: Path | None = None,
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read and check everything. `flags` are dotted keys ("database.url").

    Raises UsageError that names the key, what came and the nearest known key.
    """
    environ = os.environ if environ is None else environ
    named = config or (Path(environ["DATELINE_CONFIG"]) if "DATELINE_CONFIG" in environ else None)
    values = _from_file(named) if named or DEFAULT_FILE.exists() else {}
    for path, value in _from_environment(environ):
        _put(values, path, value)
    for dotted, value in (flags or {}).items():
        _put(values, dotted.split("."), value)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_sentences(error, environ))) from None


def _from_file(path: Path | None) -> dict[str, Any]:
    path = path or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[list[str], str]]:
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in OUTSIDE or name.startswith("DATELINE_TEST_"):
            continue
        path = name.removeprefix(PREFIX).lower().split("__")
        if path[-1].endswith("_file") and not _known(path):
            path[-1] = path[-1].removesuffix("_file")
            try:
                value = Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise UsageError(f"{name}: cannot read {value}: {error.strerror}") from None
        yield path, value


def _known(path: list[str]) -> bool:
    model: Any = Settings
    for key in path:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        if key not in model.model_fields:
            return False
        model = model.model_fields[key].annotation
    return True


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key} is a section, but a single value was given for it")
        values = inner
    # Lists and tables may be given in TOML notation, where a plain string would not do.
    if isinstance(value, str) and value.startswith(("[", "{")):
        try:
            value = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{'.'.join(path)}: not valid TOML: {error}") from None
    values[path[-1]] = value


def _sentences(error: ValidationError, environ: Mapping[str, str]) -> Iterator[str]:
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        name = PREFIX + where.upper().replace(".", "__")
        if problem["type"] == "extra_forbidden":
            keys = [key for key in _keys(Settings) if key.count(".") == where.count(".")]
            nearest = difflib.get_close_matches(where, keys, n=1, cutoff=0.5)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            source = f" (the environment has {name})" if name in environ else ""
            yield f"unknown setting {where}{source}{hint}"
        elif problem["type"] == "model_type":
            yield f"{where} is a section, got {problem['input']!r} for it; name a key of it"
        else:
            came = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
            yield f"setting {where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{came}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{prefix}{name}.")
