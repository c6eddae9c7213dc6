"""The tier of real agents: what its comparison finds, and that its packages are pinned and installed by `--agents` alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from agentsight_rx.events import BodyPart, Connection, HttpEvent, HttpRequest, HttpResponse, Origin, WebSocketMessage
from tests.agents import test_arm64, test_ccusage
from tests.agents.agents import AGENTS
from tests.agents.compare import Said, Size, differences, of_capture, size_of
from tests.agents.install import PARTS, PROGRAMS

TIER = PROGRAMS.parent


def origin(handle: int, direction: str = "out") -> Origin:
    way: Any = direction
    return Origin(1, 7, connection=Connection(7, 1, "/lib/libssl.so.3", handle), direction=way)


def request(handle: int, body: bytes) -> HttpRequest:
    return HttpRequest(origin(handle), 1, method="POST", target="/v1", version="HTTP/1.1", headers=(), body=body)


def response(handle: int, body: bytes, *, streaming: bool = False, status: int = 200) -> HttpResponse:
    return HttpResponse(
        origin(handle, "in"), 1, status=status, phrase="", version="HTTP/1.1", headers=(), body=body, streaming=streaming
    )


def test_parts_of_an_answer_are_joined_and_connections_are_kept_apart() -> None:
    events: list[HttpEvent] = [
        request(1, b"one"),
        request(2, b"two"),
        response(2, b"second"),
        response(1, b"", status=100),
        response(1, b"", streaming=True),
        BodyPart(origin(1, "in"), 1, b"fi"),
        BodyPart(origin(1, "in"), 1, b"rst", last=True),
    ]
    expected = {Said("HTTP/1.1 POST /v1", 200, b"one", b"first"), Said("HTTP/1.1 POST /v1", 200, b"two", b"second")}
    assert set(of_capture(events)) == expected


def test_messages_are_numbered_in_each_direction() -> None:
    def message(direction: str, kind: Any, data: bytes, code: int = 0) -> WebSocketMessage:
        return WebSocketMessage(origin(1, direction), 2, upgrade=1, kind=kind, data=data, code=code, target="/ws")

    events: list[HttpEvent] = [
        message("out", "text", b"a"),
        message("in", "ping", b"p"),
        message("in", "text", b"b"),
        message("out", "text", b"c"),
        message("out", "close", b"", code=1000),
    ]
    assert of_capture(events) == [
        Said("text 1 of /ws", sent=b"a"),
        Said("ping 0 of /ws", answered=b"p"),
        Said("text 1 of /ws", answered=b"b"),
        Said("text 2 of /ws", sent=b"c"),
        Said("close 2 of /ws", sent=b"\x03\xe8"),
    ]


def test_equal_bytes_have_no_differences_in_any_order() -> None:
    said = [Said("a", 200, b"x", b"y"), Said("a", 200, b"x", b"y"), Said("b", 200)]
    assert differences(said, said[::-1]) == []
    assert size_of(said) == Size(2, 2)


def test_a_difference_names_the_bytes() -> None:
    served = [
        Said("a", 200, b"x" * 1500, b"yes"),
        Said("b", 200, b"", b"z"),
        Said("c", 200, b"twice"),
        Said("c", 200, b"twice"),
    ]
    seen = [Said("a", 0, b"x" * 1200, b"yes"), Said("c", 200, b"twice"), Said("d", 200, b"?")]
    assert differences(served, seen) == [
        "a: sent 1,500 bytes, 1,200 seen, equal up to byte 1,200, status 200, 0 seen",
        "b: not seen (0 bytes sent, 1 answered)",
        "c: not seen (5 bytes sent, 0 answered)",
        "d: only seen by us (1 bytes sent, 0 answered)",
    ]


def test_an_answer_of_another_connection_is_a_difference() -> None:
    served = [Said("a", 200, b"one", b"first"), Said("a", 200, b"two", b"second")]
    seen = [Said("a", 200, b"one", b"second"), Said("a", 200, b"two", b"first")]
    assert len(differences(served, seen)) == 2


def test_names_differ_and_what_they_need_is_known() -> None:
    assert len({agent.name for agent in AGENTS}) == len(AGENTS)
    assert {*test_ccusage.NEEDS, *test_arm64.NEEDS, *(part for agent in AGENTS for part in agent.needs)} == PARTS.keys()


def test_debian_packages_of_the_tier_are_installed_by_the_script() -> None:
    script = (Path(__file__).parents[1] / "test.sh").read_text()
    assert all(re.search(rf" {package}\b", script) for agent in AGENTS for package in agent.packages)


def test_every_version_is_pinned() -> None:
    wanted: dict[str, str] = json.loads((TIER / "package.json").read_text())["dependencies"]
    assert all(re.search(r"\d+\.\d+\.\d+(-[a-z0-9-]+)?$", version) for version in wanted.values())
    lines = [line for name in TIER.glob("requirements*.txt") for line in name.read_text().splitlines()]
    assert all("==" in line for line in lines if not line.startswith("#"))


def test_the_lock_file_names_no_host() -> None:
    lock: dict[str, Any] = json.loads((TIER / "package-lock.json").read_text())
    assert "://" not in json.dumps(lock)
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_the_default_run_leaves_the_tier_out(pytestconfig: Any) -> None:
    assert "tests/agents" in pytestconfig.getini("norecursedirs")
