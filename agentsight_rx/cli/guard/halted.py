"""agentsight-rx guard continue, guard end: what becomes of an agent that a rule has stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import CaptureError, StoreError, UsageError
from ...core.messages import say
from ...runtime.recording.deciding import has_begun_before
from ...store.state import LmdbStore
from ...store.words import plural
from ...view import AlertRow
from ...view.queries import Selection
from ...view.queries.alerts import read_alerts
from ..capturing.stopping import end_halted, go_on
from ..places.stores import newest_store, recorded

_LOOKED_AT = 20  # recordings, the newest: an agent that stands still is in one that is being written
_FIRST = 2  # the least pid of a process that is not the first one of a machine

Agent = Annotated[
    str, typer.Argument(metavar="AGENT", help="Its pid, as the alert says, or the id of its session (the begin is enough).")
]
Store = Annotated[
    Path | None, typer.Option("--db", help="The recording with that session; else the newest ones.", metavar="PATH")
]


def continue_agent(*, agent: Agent, db: Store = None) -> None:
    """Let an agent go on that a rule has stopped."""
    say(f"{plural(go_on(_pid_of(agent, db)), 'process goes', 'processes go')} on")


def end_agent(*, agent: Agent, db: Store = None) -> None:
    """End an agent that a rule has stopped, and all that it started: SIGTERM, and it goes on to handle it."""
    say(f"{plural(end_halted(_pid_of(agent, db)), 'process was', 'processes were')} asked to end")


def _pid_of(agent: str, db: Path | None) -> int:
    """The process of an agent. Raises UsageError for an unknown session, and CaptureError where its process has ended."""
    if agent.isascii() and agent.isdecimal():
        if int(agent) < _FIRST:
            raise UsageError(f"{agent} is the pid of no agent: give the one that its alert says (report alerts)")
        return int(agent)
    rows: Sequence[AlertRow] = next((rows for rows in _stopped(agent, db) if rows), ())
    sessions = sorted({row.session_id or "" for row in rows})
    if len(sessions) > 1:
        raise UsageError(f"{len(sessions)} sessions begin with {agent}: {', '.join(sessions)}; give more of one")
    if not rows:
        where = str(db) if db is not None else f"the newest {_LOOKED_AT} recordings"
        raise UsageError(f"no rule has stopped a session {agent} in {where}; look at `report alerts --level stop`")
    newest = rows[-1]
    if newest.agent_pid is None or not has_begun_before(newest.agent_pid, newest.timestamp_ms):
        raise CaptureError(f"{newest.agent or 'the agent'} {newest.agent_pid or ''} of the session {agent} has ended")
    return newest.agent_pid


def _stopped(session: str, db: Path | None) -> Iterator[list[AlertRow]]:
    """Of each recording, the newest first, the alerts that stopped such a session, oldest first."""
    for path in [db] if db is not None else islice(reversed(recorded() or [newest_store(None)]), _LOOKED_AT):
        try:
            store = LmdbStore.open(path, readonly=True)
        except StoreError:
            if db is not None:
                raise
            continue
        try:
            rows = read_alerts(store, Selection(), least="stop")
            yield [row for row in rows if row.session_id is not None and row.session_id.startswith(session)]
        finally:
            store.close()
