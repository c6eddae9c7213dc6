"""What serves a page is made when the first client comes, and not at all where none does."""

from __future__ import annotations

import socket
from typing import Any

from agentsight_rx.errors import SinkError
from agentsight_rx.web.on_demand import OnDemand
from agentsight_rx.web.place import Place, WebOptions


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


def test_a_server_that_does_not_start_ends_no_capture(capsys: Any) -> None:
    def fails() -> Any:
        raise SinkError("the web page did not start")

    listener = _listener()
    with socket.create_connection(listener.getsockname()):
        assert OnDemand(listener, fails).served() is None
    assert "going on without the page: the web page did not start" in capsys.readouterr().err
