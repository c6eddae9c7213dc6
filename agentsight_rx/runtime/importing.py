"""
Session files of agents -> the run that imports them into a store; and the same as a process that says how far it is.

The page starts the process: an import takes a whole processor for a while, and answers of the page do not wait for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ..core.errors import AgentsightError
from ..sources.session_files.files import home_of_user
from ..sources.session_files.look import Progress, TranscriptsOptions

if TYPE_CHECKING:
    from ..store.log.upkeep import Retention
    from .run import Run

_LOOK_S = 0.2


class HowFar(Struct, frozen=True, omit_defaults=True):
    """How much of the session files was read: a line of the process. `unreadable` lines and `skipped` files were left out."""

    files: int = 0
    read_files: int = 0
    size: int = 0
    read: int = 0
    unreadable: int = 0
    skipped: int = 0
    caught_up: bool = False
    error: str = ""


def import_run(
    path: Path,
    options: TranscriptsOptions,
    progress: Progress,
    *,
    owner: tuple[int, int],
    retention: Retention | None = None,
) -> Run:
    """The run into the store at `path`, which goes on where the one before was; it is to be entered."""
    from .. import operators as op
    from ..sinks.label_key import redaction_key
    from ..sinks.store import store
    from ..sources.session_files.source import transcripts
    from .run import Run

    said, key = transcripts(options, progress), redaction_key(path)
    graph = said.pipe(op.remove_auth(key=key), op.materialize())
    return Run(graph, [store(path, owner=owner, key=key, retention=retention)], on_bug="count", resume=path)


def how_far(progress: Progress, error: str = "") -> HowFar:
    return HowFar(
        progress.files,
        progress.read_files,
        progress.size,
        progress.read,
        unreadable=progress.unreadable,
        skipped=progress.skipped,
        caught_up=progress.caught_up.is_set(),
        error=error,
    )


def main(arguments: Sequence[str]) -> int:
    """PATH UID GID: imports into the store at PATH for that owner. Each line of its output is a HowFar, the last the end."""
    path, uid, gid = arguments
    home, progress = home_of_user(), Progress()
    options = TranscriptsOptions(home=home.path, uid=home.uid, variables=home.variables, follow=True)
    error = ""
    try:
        with import_run(Path(path), options, progress, owner=(int(uid), int(gid))).until_signal() as running:
            while not progress.caught_up.is_set() and not running.ended(_LOOK_S):
                _say(how_far(progress))
            running.stop()
    except AgentsightError as wrong:
        error = str(wrong)
    _say(how_far(progress, error))
    return 1 if error else 0


def _say(line: HowFar) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
