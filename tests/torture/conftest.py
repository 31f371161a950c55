from __future__ import annotations

from tests.stream.conftest import log, url  # noqa: F401  fixtures: a log on each transport
