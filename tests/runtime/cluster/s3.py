"""A server of S3 on this machine, by moto: the real protocol of HTTP, without an account."""

from __future__ import annotations

import re
import socket
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.live.capture import PATIENCE_S, until
from tests.runtime.cluster.elsewhere import BIN, environment

__all__ = ["S3", "serving"]

_WRITTEN = re.compile(r'"(?:\x1b\[\d+m)*PUT /(\S+) HTTP/1\.1(?:\x1b\[\d+m)*" 200')

_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/s3/aws4_request"}  # it checks no signature


class S3:
    """It is asked by plain HTTP, so that what the programs under test use is not what they are judged by."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self._log = url, log
        self.own = environment(
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="none",
            AWS_SECRET_ACCESS_KEY="none",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
            AWS_EC2_METADATA_DISABLED="true",
        )

    def put(self, name: str, content: bytes = b"", **headers: str) -> int:
        """The status of the answer."""
        return self._asked("PUT", name, data=content, headers=_SIGNED | headers).status_code

    def files(self, bucket: str, folder: str) -> dict[str, bytes]:
        """All below a folder, without its name."""
        listed = self._asked("GET", bucket, params={"prefix": f"{folder}/"}, headers=_SIGNED).text
        assert "<IsTruncated>false" in listed
        found: dict[str, bytes] = {}
        for name in re.findall(r"<Key>([^<]+)</Key>", listed):
            answer = self._asked("GET", f"{bucket}/{name}", headers=_SIGNED)
            assert answer.ok, answer.text
            found[name.removeprefix(f"{folder}/")] = answer.content
        return found

    def _asked(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/{path}", timeout=PATIENCE_S, **more)

    def written(self, bucket: str, folder: str) -> Counter[str]:
        """How often each was written, by the log of the server."""
        below = f"{bucket}/{folder}/"
        return Counter(name.removeprefix(below) for name in _WRITTEN.findall(self._log.read_text()) if name.startswith(below))


@contextmanager
def serving(folder: Path) -> Generator[S3]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    path = folder / "log"
    with (
        path.open("wb") as log,
        subprocess.Popen(
            [BIN / "moto_server", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment(HOME=str(folder)),
        ) as process,
    ):
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, path.read_text()[-2000:]
            yield S3(f"http://127.0.0.1:{port}", path)
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
