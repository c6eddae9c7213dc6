"""What the tier knows of an agent or client: what to install, how to run it, what of the fake server it needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.live.peers import WirePeer

__all__ = ["Agent", "Place"]


@dataclass(frozen=True)
class Place:
    """Where one run of an agent happens: the server that it speaks to, and its home."""

    peer: WirePeer
    home: Path

    @property
    def url(self) -> str:
        return self.peer.base_url

    @property
    def env(self) -> dict[str, str]:
        """The whole environment, but for what the agent adds."""
        ca_file = str(self.peer.ca_file)
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "TERM": "dumb",
            "SSL_CERT_FILE": ca_file,
            "NODE_EXTRA_CA_CERTS": ca_file,
        }


@dataclass(frozen=True)
class Agent:
    """
    `needs` are names of `install.PARTS`, `packages` Debian packages, `server` arguments of `wire_server`. `version` gives a
    command, whose first line has the version. `calls` is how many exchanges and WebSocket messages of the client there are at
    the least: with fewer the agent did not do its work.
    """

    name: str
    stack: str
    command: Callable[[Place], list[str]]
    version: Callable[[], Sequence[str]]
    calls: int
    env: Callable[[Place], dict[str, str]] = lambda _: {}
    prepare: Callable[[Place], None] = lambda _: None  # writes settings into the home
    needs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
