"""The Debian of scripts/service.sh -> a machine that systemd runs, in a container of our own, with agents and a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import trustme

from tests.live.capture import PATIENCE_S, until
from tests.live.podman import podman
from tests.live.watched import AGENT, MODEL

__all__ = ["STORE", "UNIT", "Agent", "Machine", "machine"]

ROOT = Path(__file__).parents[2]
BASE = ROOT / ".setup" / "service" / "base"
UNIT = "agentsight-rx.service"
STORE = "/var/lib/agentsight-rx/agentsight-machine.lmdb"

# Control groups and mounts are the container's own: systemd finds itself at the top of a tree with one version
_BEGIN = """
umount --recursive /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
mountpoint --quiet /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmpfs /run
exec /lib/systemd/systemd
"""
# Every file with its kind, size and content, but for what systemd and its journal write for any service
_LEFT_OUT = ("/proc", "/sys", "/dev", "/scene", "/run/systemd", "/run/log", "/var/log", "/var/lib/systemd", str(ROOT))
_LIST = r"""
paths() { find / /run -xdev \( LEFT_OUT \) -prune -o "$@"; }
paths -printf '%p %y %s %l\n'
paths -type f \( -path '/etc/*' -o -path '/root/*' -o -path '/run/*' -o -path '/var/*' \) -exec sha256sum {} +
""".replace("LEFT_OUT", " -o ".join(f"-path {path}" for path in _LEFT_OUT))


class Agent:
    """An agent of this machine, by its name. For each line it asks the model once, and runs a tool."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = int(self._line())

    def asks(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._line() == "done\n"

    def ends(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Machine:
    """A machine that runs. Words are commands in it, as root."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self.name = name
        self._stack = stack
        self._port = ""

    def run(self, *words: str, status: int | None = 0) -> str:
        """What a command prints, which ends with this status; None: with any."""
        done = subprocess.run(
            podman("exec", self.name, *words), capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=_QUIET
        )
        assert status is None or done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def product(self, *words: str, status: int | None = 0) -> str:
        """A command of ours; its output is JSON, as without a terminal."""
        return self.run(*_PRODUCT, *words, status=status)

    def report(self, *words: str) -> list[Any]:
        return [json.loads(line) for line in self.product("report", "--db", STORE, *words).splitlines()]

    def sessions_of(self, user: Sequence[str]) -> list[Any]:
        """What a user finds without any option; where there is no recording, nothing."""
        return [json.loads(line) for line in self.run(*user, *_PRODUCT, "report", "sessions", status=None).splitlines()]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that is given lines and prints lines, until this machine ends."""
        started = subprocess.Popen(
            podman("exec", "--interactive", self.name, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_QUIET,
        )
        self._stack.callback(_end, started)
        return started

    def user(self, name: str) -> list[str]:
        """A new user of the machine, with a home in /tmp; the words that a command of theirs begins with."""
        self.run("useradd", "--no-create-home", name)
        self.run("install", "--directory", f"--owner={name}", f"/tmp/{name}")
        return ["runuser", "-u", name, "--", "env", f"HOME=/tmp/{name}"]

    def agent(self, name: str = "claude", *, by: Sequence[str] = ()) -> Agent:
        if not self._port:
            model = self.start("python3", "-c", MODEL, "/scene/server.pem")
            assert model.stdout is not None
            self._port = model.stdout.readline().strip()
        words = (name, "python3", "-c", AGENT, name, "/scene/ca.pem", self._port)
        return Agent(self.start(*by, "bash", "-c", '(exec -a "$0" "$@"); true', *words))

    def shown(self, *names: str) -> dict[str, str]:
        """What systemd says of the service."""
        lines = self.run("systemctl", "show", UNIT, "--property", ",".join(names)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def pid(self) -> int:
        """Of the recorder, which has said that it is ready."""
        until(lambda: self.shown("ActiveState")["ActiveState"] == "active")
        return int(self.shown("MainPID")["MainPID"])

    def journal(self) -> str:
        return self.run("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager")

    def moments(self, text: str) -> list[float]:
        """When the journal has lines with this text, in s of the kernel's clock."""
        lines = self.run("journalctl", "--unit", UNIT, "--output", "json", "--no-pager").splitlines()
        rows = map(json.loads, lines)
        return [int(row["__MONOTONIC_TIMESTAMP"]) / 1e6 for row in rows if text in str(row["MESSAGE"])]

    def loss(self) -> list[Any]:
        """What the store counts as lost."""
        return list(self.report("health")[0]["losses"])

    def files(self) -> set[str]:
        """Every file of it, as `_LIST` says."""
        return set(self.run("sh", "-c", _LIST, status=None).splitlines())


_PRODUCT = ("env", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", "agentsight_rx")
_QUIET = {**os.environ, "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            assert stream is not None
            stream.close()


def _removed(name: str) -> bool:
    done = subprocess.run(podman("rm", "--force", "--time", "0", name), env=_QUIET, capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def machine(scene: Path) -> Generator[Machine]:
    """It has the checkout, to read, and `scene`, with a model's certificate. It has no network but its own."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(scene / "ca.pem"))
    scene.chmod(0o755)  # agents of other users look there
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(scene / "server.pem"))
    name = f"agentsight-rx-systemd-{os.getpid()}"
    options = ["--detach", "--name", name, "--privileged", "--cgroupns=private", "--systemd=false", "--network=none"]
    volumes = [f"--volume={ROOT}:{ROOT}:ro", f"--volume={scene}:/scene:ro"]
    words = podman("run", *options, *volumes, "--env=container=podman", "--rootfs", f"{BASE}:O", "/bin/sh", "-ec", _BEGIN)
    with ExitStack() as stack:
        stack.callback(until, lambda: _removed(name))  # a kernel takes seconds for the end of what BPF programs watch
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=_QUIET)
        assert done.returncode == 0, done.stderr
        made = Machine(name, stack)
        until(lambda: made.run("systemctl", "is-system-running", status=None).strip() in ("running", "degraded"))
        yield made
