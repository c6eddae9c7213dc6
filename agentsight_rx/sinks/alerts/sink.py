"""AlertRow -> deliveries, each on a thread of its own behind a bounded queue: at the 1st, 10th, 100th, 1,000th deed."""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import SinkError
from ...core.messages import harmless, say
from ...core.sink import Sink
from ...events.loss import Ledger, Meter, Reason
from ...view import AlertRow, Output
from ...view.snapshot.schema import value_of

_WAITING_MOST = 100  # alerts of one delivery; a person reads none of more
_ALERTS_MOST = 4096  # as the guard has
_END_S = 5.0  # for which the end of a run waits for a delivery
_RANKS = {"note": 0, "warn": 1, "stop": 2}

Deliver: TypeAlias = Callable[[Mapping[str, object]], None]  # raises where it could not be delivered


class Delivery(Struct, frozen=True):
    """One destination: its name in the ledger, the least level, and what delivers an alert as a value of JSON."""

    name: str
    level: str
    deliver: Deliver


def alerts(deliveries: Sequence[Delivery], stopped: Callable[[AlertRow], None] | None = None) -> Sink[Output]:
    """
    Deliver alerts, at the 1st, 10th, 100th and 1,000th deed of one. What a delivery cannot take is counted under its name, and
    nothing waits for it. `stopped` is called at once with the first of each alert that says stop.
    """
    return Sink("alerts", lambda ledger: _AlertsWriter(deliveries, stopped, ledger))


class _AlertsWriter:
    def __init__(self, deliveries: Sequence[Delivery], stopped: Callable[[AlertRow], None] | None, ledger: Ledger) -> None:
        self._queues = [_Queue(each, ledger.meter(f"deliver {each.name}")) for each in deliveries]
        self._stopped = stopped
        self._delivered: Recent[str, int] = Recent(_ALERTS_MOST)  # by alert, the step that was reached

    def write(self, batch: Sequence[Output], /) -> None:
        for row in batch:
            if isinstance(row, AlertRow) and row.do != "note" and row.part_of is None:
                self._take(row)

    def _take(self, row: AlertRow) -> None:
        step = row.reports
        before = self._delivered.get(row.id, 0)
        if step <= before:
            return
        self._delivered.put(row.id, step)
        if row.do == "stop" and not before and self._stopped is not None:
            self._stopped(row)
        value = {**value_of(row), "name": row.name}
        for each in self._queues:
            if _RANKS[row.do] >= _RANKS[each.delivery.level]:
                each.put(value)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        until = time.monotonic() + _END_S
        for each in self._queues:
            each.close(max(0.0, until - time.monotonic()))


class _Queue:
    """What waits for one delivery. Its counts are changed under a lock: of the writer, and of the thread that delivers."""

    def __init__(self, delivery: Delivery, meter: Meter) -> None:
        self.delivery = delivery
        self._meter = meter
        self._waiting: queue.Queue[Mapping[str, object] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._reported = False
        self._left = 0  # that were put, and neither delivered nor counted as lost
        self._thread = threading.Thread(target=self._run, name=f"deliver:{delivery.name}", daemon=True)
        self._thread.start()

    def put(self, value: Mapping[str, object]) -> None:
        with self._lock:
            self._meter.seen += 1
            if self._left >= _WAITING_MOST:
                self._meter.lose(Reason.QUEUE_FULL, 1)
                return
            self._left += 1
        self._waiting.put(value)

    def _run(self) -> None:
        while (value := self._waiting.get()) is not None:
            failed: Exception | None = None
            try:
                self.delivery.deliver(value)
            except Exception as error:  # whatever the destination does
                failed = error
            with self._lock:
                if not self._left:
                    return  # given up
                self._left -= 1
                if failed is None:
                    self._meter.passed += 1
                else:
                    self._meter.lose(Reason.SINK_FAILED, 1)
            if failed is not None and not self._reported:
                self._reported = True
                say(f"alerts are not delivered by {self.delivery.name}: {failed}; what it does not take is counted")

    def close(self, timeout_s: float) -> None:
        self._waiting.put(None)
        self._thread.join(timeout_s)
        with self._lock:
            if self._left:
                self._meter.lose(Reason.SINK_FAILED, self._left)
                say(f"{self._left} alerts were not delivered by {self.delivery.name} before the end")
                self._left = 0


# -- ways ----------------------------------------------------------------------------------------------------------
# One alert as a value of JSON -> a command, a webhook, the journal, the desktop, a file.


_TRIES = 3
_PAUSE_S = 0.5  # before the second try; then twice as long each time
_JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = {"warn": 4, "stop": 3}  # of syslog: warning, error
_FILE_MOST = 1 << 20  # bytes; a hook that reads it takes lines out


def _json(value: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _sentence(value: Mapping[str, object]) -> str:
    """In one line, which cannot do anything to a terminal."""
    count = value.get("count")
    times = f" ({count} times)" if isinstance(count, int) and count > 1 else ""
    return harmless(" ".join(f"{value.get('sentence')}{times} ({value.get('rule')}, {value.get('name')})".split()))


def by_command(words: Sequence[str], *, deadline_s: float, owner: tuple[int, int] | None = None) -> Deliver:
    """
    Run a command with the alert as JSON on its standard input, as the invoking user, in a process group of its own, which is
    ended at the deadline with all that it started.
    """

    def deliver(value: Mapping[str, object]) -> None:
        _run(words, _json(value), deadline_s=deadline_s, owner=owner)

    return deliver


def _run(
    words: Sequence[str], data: bytes, *, deadline_s: float, owner: tuple[int, int] | None, env: Mapping[str, str] | None = None
) -> None:
    other = owner if owner is not None and os.geteuid() == 0 and owner[0] != 0 else None
    try:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            cwd="/",
            user=other[0] if other else None,
            group=other[1] if other else None,
            extra_groups=[] if other else None,
        )
    except OSError as error:
        raise SinkError(f"{words[0]} cannot be run: {error.strerror}") from error
    try:
        process.communicate(data, timeout=deadline_s)
    except subprocess.TimeoutExpired:
        raise SinkError(f"{words[0]} did not end within {deadline_s:g} s") from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise SinkError(f"{words[0]} ended with status {process.returncode}")


def by_webhook(url: str, *, deadline_s: float) -> Deliver:
    """POST the alert as JSON to https, or to this machine; three tries within the deadline. A redirect is not followed."""
    place = urlsplit(url)
    path = f"{place.path or '/'}{f'?{place.query}' if place.query else ''}"

    def deliver(value: Mapping[str, object]) -> None:
        until, pause_s = time.monotonic() + deadline_s, _PAUSE_S
        for attempt in range(1, _TRIES + 1):
            left_s = until - time.monotonic()
            why = _posted(place.scheme, place.netloc, path, _json(value), left_s)
            if not why:
                return
            if attempt == _TRIES or time.monotonic() + pause_s >= until:
                raise SinkError(f"{place.scheme}://{place.netloc} {why}")
            time.sleep(pause_s)
            pause_s *= 2

    return deliver


def _posted(scheme: str, netloc: str, path: str, data: bytes, timeout_s: float) -> str:
    """Why it was not taken; empty: it was."""
    import http.client  # most captures have no webhook

    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(netloc, timeout=max(0.1, timeout_s))
    try:
        connection.request("POST", path, data, {"Content-Type": "application/json", "User-Agent": "agentsight-rx"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"cannot be reached: {error}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"answered {status}"


def by_journald(path: str = _JOURNAL) -> Deliver:
    """A message of the journal, with the fields of the alert (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)."""

    def deliver(value: Mapping[str, object]) -> None:
        fields = {
            "MESSAGE": _sentence(value),
            "PRIORITY": str(_PRIORITIES.get(str(value.get("do")), 4)),
            "SYSLOG_IDENTIFIER": "agentsight-rx",
            "AGENTSIGHT_RULE": str(value.get("rule")),
            "AGENTSIGHT_ALERT": str(value.get("id")),
            "AGENTSIGHT_SESSION": str(value.get("session_id") or ""),
        }
        text = "".join(f"{name}={' '.join(each.split())}\n" for name, each in fields.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            try:
                out.sendto(text.encode("utf-8", "replace"), path)
            except OSError as error:
                raise SinkError(f"the journal at {path} cannot be reached: {error.strerror}") from error

    return deliver


def by_desktop(*, deadline_s: float, owner: tuple[int, int] | None = None) -> Deliver:
    """A notification on the desktop of the invoking user, by `notify-send`."""
    uid = owner[0] if owner is not None else os.getuid()
    env = {"XDG_RUNTIME_DIR": f"/run/user/{uid}", "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{uid}/bus"}
    with suppress(KeyError):
        env["HOME"] = pwd.getpwuid(uid).pw_dir

    def deliver(value: Mapping[str, object]) -> None:
        program = shutil.which("notify-send")
        if program is None:
            raise SinkError("there is no notify-send; install libnotify-bin, or take another delivery")
        urgency = "critical" if value.get("do") == "stop" else "normal"
        words = [program, "-a", "agentsight-rx", "-u", urgency, "--", f"{value.get('agent') or 'An agent'}", _sentence(value)]
        _run(words, b"", deadline_s=deadline_s, owner=owner, env=env)

    return deliver


def by_file(path: Path, *, owner: tuple[int, int] | None = None) -> Deliver:
    """A line of JSON at the end of a private file, such as a hook of an agent reads it."""

    def deliver(value: Mapping[str, object]) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}") from error
        try:
            if owner is not None and os.geteuid() == 0 and os.fstat(fd).st_size == 0:
                os.fchown(fd, *owner)
            if os.fstat(fd).st_size > _FILE_MOST:
                raise SinkError(f"{path} is larger than {_FILE_MOST >> 20} MiB: nothing reads it")
            os.write(fd, _json(value))
        finally:
            os.close(fd)

    return deliver
