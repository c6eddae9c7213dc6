"""
Earlier recordings -> the hosts that sessions spoke to, by workspace; this machine -> the homes of its users: what a guard takes
as known.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from pwd import getpwall

from ...core.errors import StoreError
from ...policy.rules.guard.homes import HOMES_MOST, home_of
from ...store.rows.tables import NETWORK, SESSIONS
from ...store.state import LmdbStore, Store
from ...view.queries.reading import rows_of
from ...wire.address import host_of

__all__ = ["homes_here", "hosts_in", "hosts_of"]

_STORES_MOST, _ROWS_MOST, _PAIRS_MOST = 16, 4096, 4096  # of the newest: 0.3 s at most


def hosts_of(stores: Sequence[Path], folder: Path | None = None) -> tuple[tuple[str, str], ...]:
    """
    Workspace and host of the newest recordings (the newest last). A `folder` chooses its workspace alone. What cannot be
    read is left out.
    """
    within, found = None if folder is None else _root(folder), dict[tuple[str, str], None]()
    for path in list(reversed(stores))[:_STORES_MOST]:
        try:
            store = LmdbStore.open(path, readonly=True)
        except StoreError:
            continue
        try:
            found.update(dict.fromkeys(hosts_in(store, within)))
        except StoreError:
            continue
        finally:
            store.close()
    return tuple(sorted(islice(found, _PAIRS_MOST)))


def hosts_in(store: Store, within: str | None = None) -> Iterable[tuple[str, str]]:
    """Of one recording: the folder that an agent was started in, and the root of its repository, with each host."""
    sessions = [row for row in rows_of(store, SESSIONS) if row.cwd and _is_in(row.cwd, within)]
    roots = {cwd: _root(Path(cwd)) for row in sessions if (cwd := row.cwd)}
    folders = {row.id: dict.fromkeys((row.cwd, roots[row.cwd])) for row in sessions if row.cwd}
    for _, row in store.scan(NETWORK, reverse=True, limit=_ROWS_MOST) if folders else []:
        for folder in folders.get(row.session_id or "", ()):
            yield folder, host_of(row.host)


def homes_here() -> tuple[str, ...]:
    """The homes of users in passwd, and in services such as systemd's beside it, and $HOME, without the usual homes."""
    named = [*(entry.pw_dir for entry in getpwall()), os.environ.get("HOME", "")]
    found = set(map(home_of, named)) - {"", "/"}  # some of the machine's own users live at the root
    return tuple(sorted(found))[:HOMES_MOST]


def _root(folder: Path) -> str:
    """The root of the git repository that the folder is in, else the folder."""
    return str(next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder))


def _is_in(cwd: str, root: str | None) -> bool:
    return root is None or cwd == root or cwd.startswith(root.rstrip("/") + "/")
