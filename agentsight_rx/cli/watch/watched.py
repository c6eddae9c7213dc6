"""The lock and the store of the one recorder of this machine -> whether it watches now, for any user who asks."""

from __future__ import annotations

from pathlib import Path

from ...runtime.service.unit import NAME
from ...view.page.recorder import Watched
from ..stores import MACHINE, is_being_written, recorded
from .only_one import lock_of_machine
from .pausing import Pause

__all__ = ["watched_now"]


def watched_now(run: Path = Path("/run")) -> Watched:
    """Root's recorder has its lock in /run, and the service has it in a folder there. Any user can see who holds a lock."""
    own = lock_of_machine()
    is_held = any(map(is_being_written, {own, run / own.name, run / NAME / own.name}))
    store = next((path for path in recorded() if path.name == MACHINE), None)
    if store is None:
        return Watched(is_held)
    pause = Pause(store)
    until_ms = pause.until_ms()
    return Watched(
        is_held,
        store,
        is_written=is_being_written(store),
        bytes=_size(store),
        paused_ms=None if until_ms is None else pause.since_ms(),
        paused_until_ms=until_ms or 0,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
