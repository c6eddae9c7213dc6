"""WebOptions -> a socket that listens, and the address of the page with the token of one run."""

from __future__ import annotations

import errno
import secrets
import socket
from contextlib import suppress
from ipaddress import ip_address

from ...core.errors import SinkError, UsageError
from ...core.options import Options

_PORT, _PORTS = 7395, 100  # where no port was given: the first that is free of so many
BACKLOG = 128  # connections that wait to be accepted


class WebOptions(Options, frozen=True):
    """
    Where the page is. Port 0: any free port; None: 7395, or the next one that is free. `allow_remote`: other machines may reach
    it, over plain HTTP. Where the page is not `required`, the run goes on without it if it cannot be served.
    """

    listen: str = "127.0.0.1"
    port: int | None = None
    allow_remote: bool = False
    required: bool = True


class Place:
    """An address of this machine and the token of one run. The port is bound by `bind`, before anything is captured."""

    def __init__(self, options: WebOptions) -> None:
        self.listen = _address(options)
        self._port = options.port
        self.token = secrets.token_urlsafe(32)
        self.is_bound = False

    @property
    def url(self) -> str:
        """The token is in the fragment, which browsers do not send."""
        if not self.is_bound:
            raise SinkError("the web page has no address yet: open its sink first")
        host = self.listen
        if ip_address(host).is_unspecified:
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}/#token={self.token}"

    def bind(self) -> socket.socket:
        """Raises SinkError where the port is taken."""
        listener = _bind(self.listen, self._port)
        self._port = listener.getsockname()[1]
        self.is_bound = True
        return listener


def _address(options: WebOptions) -> str:
    listen = "127.0.0.1" if options.listen in ("", "localhost") else options.listen
    try:
        address = ip_address(listen)
    except ValueError as error:
        raise UsageError(f"--listen {listen!r} is not an address of this machine: give one like 127.0.0.1 or ::1") from error
    if options.port is not None and not 0 <= options.port <= 65_535:
        raise UsageError(f"--server-port {options.port} is not a port: give 1 to 65535, or 0 for any free one")
    if not address.is_loopback and not options.allow_remote:
        raise UsageError(
            f"--listen {listen} would let other machines read captured data over plain HTTP: "
            "stay on 127.0.0.1 and tunnel (ssh -L), or add --allow-remote"
        )
    return str(address)


def _bind(address: str, port: int | None) -> socket.socket:
    """Listening: a port that was only looked at may be taken before it is bound."""
    if port is not None:
        return _listen(address, port)
    for candidate in range(_PORT, _PORT + _PORTS):
        with suppress(_TakenError):
            return _listen(address, candidate)
    return _listen(address, 0)


class _TakenError(SinkError):
    """Another program listens on this port."""


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            said = f"port {port} on {address} is taken; give another with --server-port, or 0 for any free one"
            raise _TakenError(said) from error
        said = f"port {port} on {address} cannot be listened on: {error.strerror}; give others with --listen and --server-port"
        raise SinkError(said) from error
    return listener
