"""The newest lines about files: no number of reads costs the line of a write, and what is left out is counted or said."""

from __future__ import annotations

from agentsight_rx.llm.prices import Prices
from agentsight_rx.view import AuditRow, SessionRow
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.page.tables import Table, table_of
from agentsight_rx.view.page.words import FileLine
from agentsight_rx.view.queries.effects.file_lines import FileLines, changed, count_written
from tests.view.queries.rows import stored

WRITES = 577  # O_WRONLY | O_CREAT | O_TRUNC
ROOM = 12_000  # bytes: of about ten lines


def line(at: int, path: str, flags: int = 0, *, session: str = "s") -> AuditRow:
    return AuditRow(f"{at}", 1000 * at, "file", action="open", target=path, session_id=session, details={"flags": flags})


def lines(reads: int, writes: int) -> list[AuditRow]:
    """Writes first, then the reads that would push them out."""
    return [
        *(line(at, f"/w/{at}", WRITES) for at in range(writes)),
        *(line(writes + at, f"/r/{at}") for at in range(reads)),
    ]


def shown(picture: Picture) -> Table:
    return table_of(picture, WHOLE, "files", start=0, count=1000)


def picture_of(*rows: AuditRow | SessionRow, being_written: bool = False) -> Picture:
    files = FileLines(changes_size=ROOM, others_size=ROOM)
    return Picture(stored(*rows), Prices(), files=files, being_written=being_written, place="/tmp/a run.lmdb")


def test_a_thousand_reads_push_no_write_out() -> None:
    table = shown(picture_of(*lines(1000, 5)))
    assert [f"/w/{at}" for at in range(5)] == [
        row.path for row in table.rows if isinstance(row, FileLine) and row.kind == "written"
    ]
    assert (5, 0, True) == (table.kinds["written"], table.unheld, table.partial)


def test_what_has_no_room_is_counted_and_a_command_shows_it() -> None:
    table = shown(picture_of(*lines(0, 40)))
    assert 40 == table.kinds["written"] + table.unheld
    assert table.unheld > 20
    assert "agentsight-rx report files --kind written --db '/tmp/a run.lmdb'" == table.command


def test_while_a_run_goes_on_what_has_no_room_is_not_counted() -> None:
    assert -1 == shown(picture_of(*lines(0, 40), being_written=True)).unheld


def test_a_session_whose_writes_are_all_held_leaves_none_out() -> None:
    rows = [*(line(at, f"/a/{at}", WRITES, session="a") for at in range(40)), line(50, "/b/1", WRITES, session="b")]
    picture = picture_of(SessionRow("a", 0), SessionRow("b", 0), *rows)
    table = table_of(picture, "b", "files", start=0, count=10)
    assert ({"written": 1}, 0) == (table.kinds, table.unheld)
    assert table.command.endswith("--session b")


def test_written_files_are_counted_as_the_report_counts_them() -> None:
    gone = AuditRow("99", 99_000, "file", action="unlink", target="/w/1")
    store = stored(*lines(3, 4), gone)
    assert 3 == count_written(store, lambda row: True), "one was made and removed again"
    assert 1 == count_written(store, lambda row: row.target == "/w/2")


def test_only_lines_with_an_effect_are_changes() -> None:
    refused = AuditRow("1", 1, "file", action="open", target="/x", status="failure", details={"errno": 13})
    absent = AuditRow("1", 1, "file", action="open", target="/x", status="failure", details={"errno": 2})
    assert (True, False, True, False) == tuple(map(changed, (line(1, "/x", WRITES), line(1, "/x"), refused, absent)))
