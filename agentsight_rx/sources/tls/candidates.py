"""
Programs -> the files with TLS code to probe before one of them starts.

This is the first of two looks: a list made in advance, so that the first byte of a command is not missed. The second is the
TLS source itself, which looks at whatever its processes start and map. It is later than the program: TLS code that is on no
list and is used within milliseconds of being mapped may have sent its first bytes unseen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from ...errors import CaptureError
from .commands import Resolved
from .libraries import inspect, looks_like, system_libraries

__all__ = ["describe", "tls_candidates"]

# Below the prefix of an interpreter. What lies in *.libs came with a wheel and has a name of the wheel's own.
_BUNDLED = (
    "lib/libssl*.so*",
    "lib64/libssl*.so*",
    "lib/libpython3*.so*",
    "lib/python3*/lib-dynload/_ssl*.so",
    "lib/python3*/site-packages/*.libs/*.so*",
    "lib64/python3*/site-packages/*.libs/*.so*",
)
_LINKS_MOST = 8  # from one to the next
_BUNDLED_MOST = 500  # files of one prefix that are looked into: 0.3 ms each


def tls_candidates(*paths: str) -> list[str]:
    """
    Files with OpenSSL functions to probe before one of `paths` runs: itself, what its prefix brings (virtual environment,
    conda, pyenv, wheels) and the system's libssl. By what they export, not by their names. For a command: `*resolved.chain`
    and `*resolved.others`.
    """
    mentioned = list(dict.fromkeys(chain.from_iterable(_links(path) for path in paths)))
    prefixes = dict.fromkeys(Path(path).parent.parent for path in mentioned)
    bundled = chain.from_iterable(_bundled(prefix) for prefix in prefixes)
    files = dict.fromkeys(os.path.realpath(path) for path in chain(mentioned, bundled))
    return list(dict.fromkeys([*filter(_can_be_probed, files), *map(str, system_libraries())]))


def _links(path: str) -> Iterator[str]:
    """The path, and each one that it leads to: a virtual environment is known by the first, an installation by the last."""
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
    """One line for people: what the command is, where its TLS is read, or why it may not be."""
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
