"""What is older than the capture is said once for each process, and only where something of it is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.store.rows.ids import beginnings_of
from agentsight_rx.store.rows.kinds import SessionRow, TlsUseRow

PIDS = st.integers(1, 3)
SESSIONS = st.tuples(PIDS, st.booleans(), st.integers(0, 2))
USES = st.tuples(PIDS, st.integers(0, 2))


@given(st.lists(SESSIONS, max_size=4), st.lists(USES, max_size=4))
def test_each_process_with_something_older_is_said_once(
    sessions: list[tuple[int, bool, int]], uses: list[tuple[int, int]]
) -> None:
    rows = [
        SessionRow(
            f"s{at}", 0, agent="claude", pid=pid, process_id=f"p{pid}", calls=calls, view_source="seed" if older else "view"
        )
        for at, (pid, older, calls) in enumerate(sessions)
    ]
    used = [
        TlsUseRow(
            f"t{at}", 0, pid=pid, comm="uv", process_id=f"p{pid}", path="", stack="", method="", proven=True, connections=2,
            size=1, midway=midway,
        )
        for at, (pid, midway) in enumerate(uses)
    ]  # fmt: skip
    said = [each.said for each in beginnings_of(rows, used)]
    agents = {pid for pid, older, calls in sessions if older and calls}
    others = {pid: sum(each for its, each in uses if its == pid) for pid, _ in uses if pid not in agents}
    assert {f"claude {pid} ran before the capture began, any earlier calls were not seen" for pid in agents} == {
        each for each in said if each.startswith("claude")
    }
    assert sorted(
        f"{count} connection{'s' * (count > 1)} of uv {pid} had begun before, what was sent there until then was not seen"
        for pid, count in others.items()
        if count
    ) == sorted(each for each in said if not each.startswith("claude"))
