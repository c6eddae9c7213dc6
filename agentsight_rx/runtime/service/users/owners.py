"""Event -> the user whose own recording may have it, or None: then it is in the recording of root alone."""

from __future__ import annotations

from ....core.bounded import Recent
from ....events import (
    BlindSpot,
    BodyPart,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    ProcessSeen,
    Readline,
    RpcMessage,
    SseMessage,
    StdioChunk,
    StdioClose,
    SystemSample,
    TcpTraffic,
    TlsChunk,
    TlsClose,
    TlsHandshake,
    TlsOpen,
    TlsUse,
    UnreadTls,
    WebSocketMessage,
)

__all__ = ["PERSONAL", "Owners"]

_PROCESSES_MOST = 65_536
_SEVERAL = -1  # of a process that ran as more than one user since its program began
_ROOT = 0

# Made without a user, from what is known of the process
_WITHOUT_USER = frozenset({TlsOpen, TlsUse, TcpTraffic, UnreadTls, BlindSpot, Loss, SystemSample, RpcMessage})

# What a user may have. A kind that is not named here is root's: so is what speaks of the machine, its rules and its hosts
PERSONAL = _WITHOUT_USER | {
    *(HttpRequest, HttpResponse, BodyPart, SseMessage, WebSocketMessage, TlsChunk, TlsHandshake, TlsClose),
    *(ProcessFork, ProcessExec, ProcessSeen, ProcessExit, FileEvent, NetEvent, Readline, StdioChunk, StdioClose),
}


class Owners:
    """
    An event belongs to the user as whom its process ran at that moment, as the kernel wrote into the event. That user may read
    the memory of the process, so the event shows nothing new to them, and no order of events can change it.

    A message may have begun before its process changed its user. So a process that changed is root's until its next program.
    """

    def __init__(self) -> None:
        self._users: Recent[int, int] = Recent(_PROCESSES_MOST)  # pid -> the user of what it did so far

    def of(self, event: Event) -> int | None:
        """The number of the user; never root's."""
        kind, origin = type(event), event.origin
        pid, uid = origin.pid, origin.uid
        if kind not in PERSONAL or not pid:
            return None
        if kind is ProcessExec:
            self._users.put(pid, uid)
        elif isinstance(event, ProcessFork):
            self._users.put(pid, _SEVERAL if self._users.get(event.ppid) == _SEVERAL else uid)
        elif uid == _ROOT and kind in _WITHOUT_USER:
            uid = self._users.get(pid, _ROOT)
        elif uid != _ROOT and self._users.setdefault(pid, uid) != uid:
            self._users[pid] = _SEVERAL
        known = self._users.get(pid, uid)
        while len(self._users) > _PROCESSES_MOST:
            self._users.pop_oldest()
        if kind is ProcessExit:
            self._users.pop(pid, None)
        if uid <= _ROOT or known != uid or not self._may_read(event, uid):
            return None
        return uid

    def _may_read(self, event: Event, uid: int) -> bool:
        """The connection is the user's too: another user's process may have opened it, and have written a part of a message."""
        connection = event.origin.connection
        return connection is None or self._users.get(connection.pid, uid) == uid
