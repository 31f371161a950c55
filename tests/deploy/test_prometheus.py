"""What is watched exists: the alerts name metrics that Dateline has, and promtool reads them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client import REGISTRY

import ingest.policy.health  # noqa: F401  registers the metrics of feeds
import stream.telemetry  # noqa: F401  registers the metrics of a stage
from tests.deploy import composed

ALERTS = composed.DEPLOY / "prometheus-alerts.yml"


def test_alerts_name_only_metrics_that_exist() -> None:
    known = {name for metric in REGISTRY.collect() for name in _series(metric.name, metric.type)}
    named = set(re.findall(r"\bdateline_\w+", ALERTS.read_text()))
    assert named
    assert named <= known


def test_every_stage_is_scraped() -> None:
    (job,) = yaml.safe_load((composed.DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    services = composed.compose()["services"]
    stages = {
        n for n in services if n not in composed.SERVERS and not composed.is_task(services[n])
    }
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) == stages
    assert str(found["port"]) == composed.image_environment()["DATELINE_TELEMETRY__PORT"]


def test_promtool_accepts_configuration_and_alerts() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's package prometheus) is not on this machine")
    ended = subprocess.run(
        ["promtool", "check", "config", str(composed.DEPLOY / "prometheus.yml")],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _series(name: str, kind: str) -> set[str]:
    return {name, f"{name}_total"} if kind == "counter" else {name}
