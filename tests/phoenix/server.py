"""The environment that `./test.sh --phoenix` made -> a running Phoenix of our own, and what it says that it received."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.live.capture import PATIENCE_S, until

__all__ = ["Phoenix", "phoenix"]

PROGRAM = Path(__file__).parents[2] / ".setup" / "phoenix" / "bin" / "phoenix"
_SPANS_MOST = 1000


class Phoenix:
    def __init__(self, url: str) -> None:
        self.url = url

    def spans(self) -> list[dict[str, Any]]:
        """Those of the project that spans without one are put into."""
        found: Any = self._json("get", "/v1/projects/default/spans", params={"limit": _SPANS_MOST})
        return list(found["data"])

    def ask(self, graphql: str) -> Any:
        return self._json("post", "/graphql", json={"query": graphql})["data"]

    def _json(self, method: str, path: str, **more: Any) -> Any:
        answer = requests.request(method, self.url + path, timeout=PATIENCE_S, **more)
        assert answer.ok, answer.text
        return answer.json()


@contextmanager
def phoenix(folder: Path) -> Generator[Phoenix]:
    """Everything that it keeps is in `folder`, and it listens on the loopback interface only."""
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http, grpc = (str(each.getsockname()[1]) for each in free)
    for each in free:
        each.close()
    own: Mapping[str, str] = {
        "HOME": str(folder),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": http,
        "PHOENIX_GRPC_PORT": grpc,
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [PROGRAM, "serve"], stdout=log, stderr=log, cwd=folder, env={"PATH": os.environ["PATH"], **own}
        ) as process,
    ):
        try:
            until(lambda: process.poll() is not None or _listens(int(http)))
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield Phoenix(f"http://127.0.0.1:{http}")
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
