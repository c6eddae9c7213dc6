"""Sessions with alerts on their turns, as rows: many of them, in every state, with every text as it may come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from agentsight_rx import sinks
from agentsight_rx.events import Event
from agentsight_rx.events.loss import Ledger
from agentsight_rx.view import AlertRow, CallRow, Output, SessionRow, ToolRow
from tests.view.page.story import HOSTILE, long_session, output

__all__ = ["alerts_on", "hostile_alert", "long_with_alerts", "written"]

RULES = ("new-host", "reads-secret", "writes-outside", "loop", "dangerous-command")


def alerts_on(rows: Sequence[Output], many: int, *, do: str = "warn") -> Iterator[AlertRow]:
    """So many alerts, spread over the turns of a session: each fifth is a note, each seventh a part of another one."""
    session = next(row for row in rows if isinstance(row, SessionRow))
    calls = sorted({row.id: row for row in rows if isinstance(row, CallRow) and row.agent_id is None}.values(), key=_begin)
    tools = {row.llm_call_id: row for row in rows if isinstance(row, ToolRow)}
    for number in range(1, many + 1):
        call = calls[(number * 7) * len(calls) // (many * 7 + 7) if many > 5 else len(calls) * number // (many + 1)]
        tool = tools.get(call.id)
        rule = RULES[number % len(RULES)]
        host = f"host-{number}.example" if rule == "new-host" else None
        yield AlertRow(
            f"alert-{session.id}-{number}",
            call.start_timestamp_ms + 500,
            rule,
            "note" if number % 5 == 0 else do,
            f"pytest, run by claude, did thing {number} to {host or f'~/.config/thing-{number}'}, outside of ~/code/parcel",
            target=host or f"/home/ada/.config/thing-{number}",
            number=number,
            count=112 if number % 11 == 0 else 1,
            last_timestamp_ms=call.start_timestamp_ms + 900,
            because="a task in one folder should not change others",
            session_id=session.id,
            agent="claude",
            workspace="/home/ada/code/parcel",
            pid=tool.related_pid if tool else None,
            process_id=tool.process_id if tool else None,
            agent_pid=session.pid,
            command="pytest -q tests/test_part.py",
            tool_id=tool.id if tool else None,
            tool=f"Bash pytest -q tests/test_part_{number}.py" if tool else "",
            call_id=call.id,
            turn=call.turn,
            prompt=f"Go on with part {number} of the ledger.",
            host=host,
            evidence=(call.id, *((tool.id,) if tool else ())),
            proven=3 if number % 3 else 1,
            complete=bool(number % 4),
            cost=0.02 if number % 2 else None,
            part_of=f"alert-{session.id}-{number - 1}" if number % 7 == 0 else None,
            sha256="4c1e09ab",
        )


def _begin(call: CallRow) -> int:
    return call.start_timestamp_ms


def long_with_alerts(turns: int, many: int, *, session: str = "long") -> list[Output]:
    made = output(long_session(turns, session=session))
    return [*made, *alerts_on(made, many)]


def hostile_alert(row: AlertRow) -> AlertRow:
    """The same with a text that would be a program in each place that has one."""
    return replace(
        row,
        sentence=HOSTILE,
        target=HOSTILE,
        because=HOSTILE,
        agent=HOSTILE,
        workspace=HOSTILE,
        command=HOSTILE,
        tool=HOSTILE,
        prompt=HOSTILE,
        host=HOSTILE,
        rule=HOSTILE,
        evidence=(HOSTILE,),
        do="stop",
    )


def written(path: Path, rows: Sequence[Output | Event]) -> Path:
    """A store in a file, as `record` writes it."""
    ledger = Ledger()
    ledger.begin()
    writer = sinks.store(path).open(ledger)
    writer.write(list(rows))
    writer.close()
    return path
