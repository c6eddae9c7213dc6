"""A recording, or any other graph -> a table in SQLite: a destination of your own."""

import sqlite3
import sys
from collections.abc import Sequence

from agentsight_rx import Sink, TraceOptions, replay, run, sources
from agentsight_rx.view import Output, ToolRow


class _Tools:
    """Used by one thread of the run, behind a bounded box. A row that comes again replaces the earlier one."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)  # opened by another thread
        self._database.execute("create table if not exists tools (id primary key, name, status)")

    def write(self, batch: Sequence[Output], /) -> None:
        rows = [(row.id, row.tool_name, row.status) for row in batch if isinstance(row, ToolRow)]
        self._database.executemany("insert or replace into tools values (?, ?, ?)", rows)

    def flush(self) -> None:
        self._database.commit()

    def close(self) -> None:
        self._database.commit()
        self._database.close()


if __name__ == "__main__":
    recorded, database = sys.argv[1:]
    graph = replay(sources.ReplayOptions((recorded,)), TraceOptions())
    summary = run(graph, [Sink("tools", lambda _: _Tools(database))])
    found = sqlite3.connect(database).execute("select name, status, count(*) from tools group by 1, 2")
    print(*found, summary.ledger.unintended() or "nothing lost", sep="\n")
