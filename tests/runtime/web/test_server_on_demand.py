"""What serves a page is made when the first client comes, and not at all where none does."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest

from agentsight_rx.errors import SinkError
from agentsight_rx.runtime.web.place import Place, WebOptions
from agentsight_rx.runtime.web.server import OnDemand


def _listener() -> socket.socket:
    return Place(WebOptions(port=0)).bind()


def test_without_a_client_nothing_is_made_and_the_port_is_free_again() -> None:
    made: list[int] = []
    listener = _listener()
    page = OnDemand(listener, lambda: made.append(1))  # type: ignore[arg-type, return-value]
    assert page.served() is None
    assert page.served() is None
    assert made == []
    assert listener.fileno() == -1


def test_a_client_that_came_just_before_the_end_is_served() -> None:
    answer: Any = object(), object()
    listener = _listener()
    with socket.create_connection(listener.getsockname()):
        page = OnDemand(listener, lambda: answer)
        assert page.served() is answer
    listener.close()


@pytest.mark.parametrize("kind", [SinkError, ImportError, ValueError])
def test_a_server_that_does_not_start_ends_no_capture_and_lets_no_client_wait(capsys: Any, kind: type[Exception]) -> None:
    def fails() -> Any:
        raise kind("the web page did not start")

    listener = _listener()
    with socket.create_connection(listener.getsockname()) as client:
        page = OnDemand(listener, fails)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
        assert page.served() is None
    assert "going on without the page: the web page did not start" in capsys.readouterr().err
