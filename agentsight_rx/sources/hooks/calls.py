"""The system calls of interest on x86-64, by number: what each does, and where its arguments are."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CALLS", "OPEN_HOW", "OTHER", "REMOVES_DIRECTORY", "TRACE", "TRANSFERS", "Call"]

OTHER = -1  # the number is computed: a function that makes any call
OPEN_HOW = 437  # openat2: its flags are in a struct
REMOVES_DIRECTORY = 0x200  # AT_REMOVEDIR of unlinkat


class Call(NamedTuple):
    """
    `action` is one of a FileEvent or NetEvent. The arguments have numbers from 0: `at`, the descriptor of the folder that
    a `path` is relative to (None: the working directory), `flags` of an open, `to_at` and `to` for the second path.
    """

    action: str
    path: int | None = None
    at: int | None = None
    flags: int | None = None
    to: int | None = None
    to_at: int | None = None


_FILES = {
    2: Call("open", 0, flags=1),
    85: Call("open", 0),  # creat
    257: Call("open", 1, 0, flags=2),
    OPEN_HOW: Call("open", 1, 0, flags=2),
    82: Call("rename", 0, to=1),
    264: Call("rename", 1, 0, to=3, to_at=2),
    316: Call("rename", 1, 0, to=3, to_at=2),
    86: Call("link", 0, to=1),
    265: Call("link", 1, 0, to=3, to_at=2),
    87: Call("unlink", 0),
    263: Call("unlink", 1, 0),
    84: Call("rmdir", 0),
    83: Call("mkdir", 0),
    258: Call("mkdir", 1, 0),
    76: Call("truncate", 0),
    77: Call("truncate", None, 0),
    80: Call("chdir", 0),
    81: Call("chdir", None, 0),
}
_SOCKETS = {
    42: Call("connect"),
    49: Call("bind"),
    50: Call("listen"),
    43: Call("accept"),
    288: Call("accept"),
}
TRACE = 101  # ptrace: a debugger may need what we have
CALLS: dict[int, Call] = {**_FILES, **_SOCKETS, TRACE: Call("trace")}
TRANSFERS = {0: False, 19: False, 45: False, 47: False, 1: True, 20: True, 44: True, 46: True}  # number -> whether it sends
