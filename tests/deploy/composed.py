"""compose.yaml as its services run it, with this machine's paths, ports and servers put in."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
# The parts that are other people's programs; tests bring servers of their own for them.
SERVERS = ("kafka", "postgres")
# Seven processes that all load Python and one the model, on two busy cores.
READY_S = 90.0


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of each line of the Dockerfile, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(w[0], w[1]) for line in text.splitlines() if len(w := line.split(None, 1)) == 2]


def image_environment() -> dict[str, str]:
    """What ENV of the image sets for Dateline itself."""
    pairs = (p for name, rest in instructions() if name == "ENV" for p in rest.split())
    return {k: v for k, v in (p.split("=", 1) for p in pairs) if k != "PATH"}


def entrypoint() -> list[str]:
    (rest,) = (rest for name, rest in instructions() if name == "ENTRYPOINT")
    words: list[str] = json.loads(rest)
    return words


def in_order(services: Mapping[str, Any]) -> list[str]:
    """The names, each after those that it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name not in done:
            for needed in services[name].get("depends_on", {}):
                visit(needed)
            done.append(name)

    for name in services:
        visit(name)
    return done


def is_task(service: Mapping[str, Any]) -> bool:
    """Runs once, to its end."""
    return service.get("restart") == "no"


@dataclass
class Host:
    """A stand-in for the container host: folders as volumes, free ports, two servers."""

    folder: Path
    kafka: str  # host:port
    postgres: str  # URL
    environment: dict[str, str] = field(default_factory=dict)  # added to that of every service

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = compose()["services"]
        self.ports = {name: free_port() for name in self.services}
        self.desk_port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (self.folder / "secrets").mkdir()
        (self.folder / "secrets" / "postgres_password").write_text("not-asked-for\n")

    def command(self, name: str, arguments: Iterable[str] | None = None) -> list[str]:
        """What the service's container would execute, or another command in its place."""
        program, *first = entrypoint()
        given = self.services[name]["command"] if arguments is None else arguments
        return [
            str(Path(sys.executable).parent / program),
            *(self._here(name, word) for word in (*first, *given)),
        ]

    def environ(self, name: str) -> dict[str, str]:
        given = image_environment() | self.services[name]["environment"]
        placed = {key: self._here(name, str(value)) for key, value in given.items()}
        ours = {
            "DATELINE_TELEMETRY__HOST": "127.0.0.1",
            "DATELINE_TELEMETRY__PORT": str(self.ports[name]),
            "DATELINE_CONFIG": str(self._config(name)),
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")}
        return inherited | placed | ours | self.environment

    def run(self, name: str, arguments: Iterable[str] | None = None) -> str:
        """A task to its end; what it printed. It must succeed."""
        ended = subprocess.run(
            self.command(name, arguments),
            env=self.environ(name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=READY_S,
        )
        assert ended.returncode == 0, f"{name} ended with {ended.returncode}:\n{ended.stderr}"
        return ended.stdout

    def start(self, name: str) -> None:
        with self.said(name).open("wb") as output:
            self.processes[name] = subprocess.Popen(
                self.command(name),
                env=self.environ(name),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self, name: str) -> Path:
        return self.folder / f"{name}.output"

    def wait_ready(self, name: str) -> None:
        """Until /readyz answers 200, as the image's health check asks it."""
        answer = "no answer"
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            code = self.processes[name].poll()
            assert code is None, f"{name} ended with {code}:\n{self.said(name).read_text()}"
            try:
                url = f"http://127.0.0.1:{self.ports[name]}/readyz"
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError as error:
                answer = error.read().decode()
            except OSError as error:
                answer = str(error)
            time.sleep(0.1)
        raise AssertionError(f"{name} is not ready: {answer}\n{self.said(name).read_text()}")

    def stop(self) -> dict[str, int]:
        """SIGTERM to every process at once, as `docker compose stop`; the exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(60) for name, process in self.processes.items()}

    def kill(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def unmounted(self, name: str) -> Path:
        """Where a service's writes to a folder of the image end up that no volume covers."""
        return self.folder / "unmounted" / name

    def _config(self, name: str) -> Path:
        """deploy/dateline.toml as the service sees it, with the servers of this host."""
        text = (DEPLOY / "dateline.toml").read_text()
        for theirs, ours in {
            "postgresql://dateline@postgres:5432/dateline": self.postgres,
            "kafka://kafka:9092": f"kafka://{self.kafka}",
            'host = "0.0.0.0"': 'host = "127.0.0.1"',
            "port = 8642": f"port = {self.desk_port}",
        }.items():
            assert theirs in text, f"deploy/dateline.toml no longer says {theirs}"
            text = text.replace(theirs, ours)
        path = self.folder / f"{name}.toml"
        path.write_text(self._here(name, text))
        return path

    def _here(self, name: str, text: str) -> str:
        """Paths of the container replaced by those that its volumes and secrets stand for."""
        places = {
            f"/run/secrets/{secret}": str(self.folder / "secrets" / secret)
            for secret in self.services[name].get("secrets", ())
        }
        for volume in self.services[name].get("volumes", ()):
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                places[target] = str((DEPLOY / source).resolve())
            else:
                place = self.folder / "volumes" / source
                place.mkdir(parents=True, exist_ok=True)
                places[target] = str(place)
        places["/var/lib/dateline"] = str(self.unmounted(name))
        for target in sorted(places, key=len, reverse=True):
            text = text.replace(target, places[target])
        return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def compose_program() -> list[str] | None:
    """`docker compose` or `docker-compose`, whichever this machine has."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True)
        if asked.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None
