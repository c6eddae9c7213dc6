"""
Programs -> the files with TLS code to probe before one of them starts.

These files are probed before a command starts, so that its first byte is not missed. The TLS source also inspects every file
that its processes start or map, but only after that: code in a file that is not listed here may send its first bytes within
milliseconds of being mapped, before it is probed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from ...core.errors import CaptureError
from .commands import Resolved
from .libraries import inspect, looks_like, system_libraries

__all__ = ["describe", "tls_candidates"]

# Below the prefix of an interpreter. Libraries in *.libs come with wheels, under names of their own.
_BUNDLED = (
    "lib/libssl*.so*",
    "lib64/libssl*.so*",
    "lib/libpython3*.so*",
    "lib/python3*/lib-dynload/_ssl*.so",
    "lib/python3*/site-packages/*.libs/*.so*",
    "lib64/python3*/site-packages/*.libs/*.so*",
)
_LINKS_MOST = 8  # in a chain
_BUNDLED_MOST = 500  # files of one prefix that are inspected, 0.3 ms each


def tls_candidates(*paths: str) -> list[str]:
    """
    Files with OpenSSL functions to probe before one of `paths` runs: itself, libraries below its prefix (virtual environment,
    conda, pyenv, wheels) and the system's libssl. Their exports count, not their names. For a command: `*resolved.chain` and
    `*resolved.others`.
    """
    mentioned = list(dict.fromkeys(chain.from_iterable(_links(path) for path in paths)))
    prefixes = dict.fromkeys(Path(path).parent.parent for path in mentioned)
    bundled = chain.from_iterable(_bundled(prefix) for prefix in prefixes)
    files = dict.fromkeys(os.path.realpath(path) for path in chain(mentioned, bundled))
    return list(dict.fromkeys([*filter(_can_be_probed, files), *map(str, system_libraries())]))


def _links(path: str) -> Iterator[str]:
    """The path and each target of its links: the first is in a virtual environment, the last in the installation."""
    for _ in range(_LINKS_MOST):
        yield path
        try:
            path = os.path.normpath(Path(path).parent / os.readlink(path))
        except OSError:
            return


def _bundled(prefix: Path) -> Iterable[str]:
    found = chain.from_iterable(sorted(prefix.glob(pattern)) for pattern in _BUNDLED)
    return (str(path) for path in islice(found, _BUNDLED_MOST))


def _can_be_probed(path: str) -> bool:
    try:
        return inspect(path) is not None
    except CaptureError:
        return False


def describe(resolved: Resolved, candidates: Iterable[str]) -> str:
    """One line for people: the program of a command, where its TLS is read, or why it may not be."""
    way = " -> ".join(resolved.chain)
    system = set(map(str, system_libraries()))
    own = [path for path in candidates if path not in system]
    if own:
        return f"{way}: TLS of its own in {', '.join(own)}"
    for program in (resolved.path, *resolved.others):
        try:
            seems = looks_like(program)
        except CaptureError:
            continue
        if seems:
            return f"{way}: {program} looks like {seems}, whose TLS cannot be read"
    return f"{way}: no TLS of its own; it is read in the libraries that are loaded"
