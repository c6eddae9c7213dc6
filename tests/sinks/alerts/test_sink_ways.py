"""Each way of delivering an alert, to real programs, sockets and files."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agentsight_rx.errors import SinkError
from agentsight_rx.sinks.alerts import sink as ways
from agentsight_rx.sinks.alerts.sink import by_command, by_desktop, by_file, by_journald, by_webhook

ALERT = {
    "id": "alert-1",
    "name": "a1",
    "rule": "loop",
    "do": "warn",
    "sentence": "it\nran\x1b[31m",
    "count": 3,
    "agent": "claude",
}


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# -- a command -----------------------------------------------------------------------------------------------------------


def test_a_command_gets_json(tmp_path: Path) -> None:
    by_command([script(tmp_path / "a", f"cat >{tmp_path}/out")], deadline_s=20)(ALERT)
    assert json.loads((tmp_path / "out").read_text()) == ALERT


def test_a_command_has_a_group_of_its_own_that_ends_with_it(tmp_path: Path) -> None:
    """What it forks does not stay."""
    by_command(
        [script(tmp_path / "a", f"cut -d' ' -f5 /proc/$$/stat >{tmp_path}/group; sleep 600 & echo $! >{tmp_path}/child")],
        deadline_s=20,
    )(ALERT)
    child = int((tmp_path / "child").read_text())
    assert int((tmp_path / "group").read_text()) != os.getpgrp()
    with suppress(ProcessLookupError):
        ended = os.pidfd_open(child)
        assert select.select([ended], [], [], 60)[0]
        os.close(ended)


@pytest.mark.parametrize(
    ("text", "deadline_s", "message"),
    [("exit 3", 20.0, "ended with status 3"), ("sleep 600 & sleep 600", 0.2, "did not end within 0.2 s")],
)
def test_a_command_that_fails_or_hangs_is_named(tmp_path: Path, text: str, deadline_s: float, message: str) -> None:
    with pytest.raises(SinkError, match=message):
        by_command([script(tmp_path / "a", text)], deadline_s=deadline_s)(ALERT)
    with pytest.raises(SinkError, match="none cannot be run: No such file"):
        by_command([str(tmp_path / "none")], deadline_s=1)(ALERT)


@pytest.mark.needs("root")
def test_a_command_runs_as_the_invoking_user(tmp_path: Path) -> None:
    place = Path(os.path.realpath("/tmp")) / f"guard-{os.getpid()}"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        by_command(["/bin/sh", "-c", f"id -u >{place}/uid; id -G >{place}/groups"], deadline_s=20, owner=(65534, 65534))(ALERT)
        assert ("65534", "65534") == ((place / "uid").read_text().strip(), (place / "groups").read_text().strip())
    finally:
        for each in place.iterdir():
            each.unlink()
        place.rmdir()


# -- a webhook -------------------------------------------------------------------------------------------------------------


@contextmanager
def answering(*statuses: int) -> Generator[tuple[str, list[bytes]]]:
    """A server of this machine that answers so, one after the other."""
    got, left = list[bytes](), list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(left.pop(0))
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook?a=b", got
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "_PAUSE_S", 0.01)


@pytest.mark.usefixtures("_soon")
def test_a_webhook_is_tried_again() -> None:
    with answering(500, 503, 204) as (url, got):
        by_webhook(url, deadline_s=20)(ALERT)
    assert [ALERT] * 3 == [json.loads(each) for each in got]


@pytest.mark.usefixtures("_soon")
def test_a_webhook_that_refuses_or_redirects_is_named() -> None:
    with answering(302, 302, 302) as (url, got), pytest.raises(SinkError, match=r"http://127.0.0.1:\d+ answered 302"):
        by_webhook(url, deadline_s=20)(ALERT)
    assert 3 == len(got)


@pytest.mark.usefixtures("_soon")
def test_a_webhook_that_hangs_or_is_not_there_ends_by_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SinkError, match="cannot be reached"):
            by_webhook(url, deadline_s=0.2)(ALERT)
    with pytest.raises(SinkError, match="cannot be reached"):
        by_webhook(url.replace("http", "https"), deadline_s=0.2)(ALERT)


# -- the journal, the desktop, a file ------------------------------------------------------------------------------------------


def test_the_journal_gets_fields(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        by_journald(path)(ALERT)
        fields = dict(line.split("=", 1) for line in journal.recv(65_536).decode().splitlines())
    assert ("4", "loop", "agentsight-rx") == (fields["PRIORITY"], fields["AGENTSIGHT_RULE"], fields["SYSLOG_IDENTIFIER"])
    assert fields["MESSAGE"].startswith("it ran")
    assert "\x1b" not in fields["MESSAGE"]
    assert fields["MESSAGE"].endswith("(3 times) (loop, a1)")
    with pytest.raises(SinkError, match=r"the journal at .* cannot be reached"):
        by_journald(str(tmp_path / "none"))(ALERT)


def test_the_desktop_gets_it_by_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", str(tmp_path))
        with pytest.raises(SinkError, match="there is no notify-send"):
            by_desktop(deadline_s=20)(ALERT)
    script(tmp_path / "notify-send", f'printf "%s\\n" "$@" $DBUS_SESSION_BUS_ADDRESS >{tmp_path}/out')
    by_desktop(deadline_s=20, owner=(os.getuid(), os.getgid()))({**ALERT, "do": "stop"})
    words = (tmp_path / "out").read_text().splitlines()
    assert ["-a", "agentsight-rx", "-u", "critical", "--", "claude"] == words[:6]
    assert f"unix:path=/run/user/{os.getuid()}/bus" == words[-1]


def test_a_file_gets_a_line_an_alert_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "alerts"
    deliver = by_file(path, owner=(os.getuid(), os.getgid()))
    deliver(ALERT)
    deliver(ALERT)
    assert [ALERT, ALERT] == [json.loads(line) for line in path.read_text().splitlines()]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    path.write_text("x" * ((1 << 20) + 1))
    with pytest.raises(SinkError, match="is larger than 1 MiB"):
        deliver(ALERT)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(SinkError, match="link cannot be written"):
        by_file(tmp_path / "link")(ALERT)
    assert not (tmp_path / "target").exists()
