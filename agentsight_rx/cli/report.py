"""agentsight-rx report: the summary of a store, and whether anything is missing from it."""

from __future__ import annotations

from ..errors import StoreError
from ..state import LmdbStore
from ..view.report import read_report
from .flags import Db
from .stores import newest_store
from .text import report_lines

__all__ = ["report"]


def report(db: Db = None) -> None:
    """Summarise the newest recording, or the store given by --db; also while it is being written."""
    path = newest_store(db)
    if not path.exists():
        raise StoreError(f"{path} does not exist; make a recording with `agentsight-rx record --db {path} -- COMMAND`")
    store = LmdbStore.open(path, readonly=True)
    try:
        print("\n".join(report_lines(read_report(store), str(path))))
    finally:
        store.close()
