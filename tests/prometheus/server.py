"""The Prometheus that `./test.sh --prometheus` fetched -> a running one of our own, and what it answers to queries."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.live.capture import PATIENCE_S, until

__all__ = ["RULES", "Prometheus", "prometheus", "promtool"]

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "prometheus" / "rules.yml"
_PROGRAMS = ROOT / ".setup" / "prometheus" / "usr" / "bin"
_CONFIGURATION = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: agentsight
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The series of an instant query, without the labels that the scrape adds."""
        found = self.get("query", query=query)["result"]
        return [
            ({name: text for name, text in each["metric"].items() if name in _OURS}, float(each["value"][1])) for each in found
        ]

    def value(self, query: str) -> float | None:
        """Of one series, or None of none."""
        found = self.ask(query)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def get(self, path: str, **words: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=words, timeout=PATIENCE_S)
        assert answer.ok, answer.text
        return answer.json()["data"]


_OURS = frozenset({"model", "agent", "kind", "stage", "reason", "queue", "sha256"})


@contextmanager
def prometheus(folder: Path, port: int) -> Generator[Prometheus]:
    """It asks 127.0.0.1:`port` each second. All that it keeps is in `folder`, and it listens on the loopback interface only."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = int(free.getsockname()[1])
    (folder / "prometheus.yml").write_text(_CONFIGURATION.format(rules=RULES, port=port))
    words = [
        str(_PROGRAMS / "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as process:
        try:
            until(lambda: process.poll() is not None or _is_ready(own))
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield Prometheus(f"http://127.0.0.1:{own}")
        finally:
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=PATIENCE_S).ok
    except requests.ConnectionError:
        return False


def promtool(*words: str, text: str = "") -> None:
    """Fails with what it says."""
    done = subprocess.run([_PROGRAMS / "promtool", *words], input=text, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
