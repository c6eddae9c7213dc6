"""Looks -> a screen of four panes with keys, by textual: summary, table, the selected session, footer."""

from __future__ import annotations

import logging
from collections import deque
from typing import ClassVar, cast

from msgspec.structs import replace
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import DataTable, Static

from ...core.errors import AgentsightError
from ...view.queries.top.top import SORTS, VIEWS, TopRow
from ..report.shown.screen import Line, Prose, Screen, render
from .looks import Look, Looks
from .table import COLUMNS, detail_lines, heading

_ROWS_MOST = 100
_DIAGNOSTICS = 8
_KEYS = "q quit  ↑↓ jk select  s sort  v view  p pause  r look  +/- rows  e failures  ? help"
_HELP = (
    "s sorts by the next of cpu, rss, tokens, cost, execs, fail, files, net, agent",
    "v shows the next of all, processes, files, network, models, tools in the lower pane",
    "p stops and goes on looking; r looks now; + and - show more and fewer sessions",
    "e shows what went wrong, ? this; q, Esc and Ctrl-C quit",
    "red: something failed · yellow: the process has ended · empty: it is not known",
)
# What matters most comes first: the table scrolls to what does not fit
_ORDER = ("agent", "state", "tokens", "cost", "cpu", "activity", "memory", "model", "age", "last", "workspace")
_TITLED = {column.title: column for column in COLUMNS}
_COLUMNS = tuple(_TITLED[title] for title in _ORDER)


class TopApp(App[None]):
    """What agents do, with keys. A look is taken in a thread of its own, so that keys are answered meanwhile."""

    class Looked(Message):
        """A look was taken; None: it failed."""

        def __init__(self, look: Look | None) -> None:
            super().__init__()
            self.look = look

    CSS = """
    #summary { height: auto; max-height: 6; padding: 0 1; }
    #table { height: 1fr; }
    #detail { height: 11; padding: 0 1; border-top: solid $panel; }
    #footer { height: 1; padding: 0 1; color: $text-muted; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,ctrl+c", "quit", "quit"),
        Binding("j", "move(1)", "down"),
        Binding("k", "move(-1)", "up"),
        Binding("home", "move(-1000)", "first", priority=True),
        Binding("end", "move(1000)", "last", priority=True),
        Binding("s", "sort", "sort"),
        Binding("v", "view", "view"),
        Binding("p", "pause", "pause"),
        Binding("r", "refresh_now", "refresh"),
        Binding("plus,equals_sign", "rows(5)", "more"),
        Binding("minus", "rows(-5)", "fewer"),
        Binding("e", "diagnostics", "diagnostics"),
        Binding("question_mark", "help", "help"),
    ]

    def __init__(self, looks: Looks) -> None:
        super().__init__()
        self._looks = looks
        self._last: Look | None = None
        self._shown: list[TopRow] = []
        self._selected: str | None = None
        self._pane = "session"  # or diagnostics, help
        self._paused = False
        self._looking = False
        self._next: Timer | None = None  # one, however often r is pressed
        self._diagnostics: deque[str] = deque(maxlen=_DIAGNOSTICS)
        self._handler = _Kept(self._diagnostics)

    def compose(self) -> ComposeResult:
        yield Static(id="summary")
        yield DataTable[Text](id="table", cursor_type="row", zebra_stripes=False)
        yield Static(id="detail")
        yield Static(_KEYS, id="footer")

    def on_mount(self) -> None:
        logging.getLogger().addHandler(self._handler)
        self._table.add_columns(*_ORDER)
        self._table.focus()
        self.action_refresh_now()

    def on_unmount(self) -> None:
        logging.getLogger().removeHandler(self._handler)

    # -- looking -------------------------------------------------------------------------------------------------------

    def action_refresh_now(self) -> None:
        if not self._looking:
            self._looking = True
            self.run_worker(self._look, thread=True, exit_on_error=False)

    def _look(self) -> None:
        """In a thread."""
        try:
            found: Look | None = self._looks.look()
        except (AgentsightError, OSError) as error:
            self._diagnostics.append(str(error))
            found = None
        self.post_message(self.Looked(found))  # does not wait: the screen may be gone

    def on_top_app_looked(self, message: Looked) -> None:
        self._looking = False
        self._last = message.look or self._last
        self._draw()
        if self._next is not None:
            self._next.stop()
        self._next = self.set_timer(self._looks.pause_s, self._due)

    def _due(self) -> None:
        if not self._paused:
            self.action_refresh_now()

    # -- keys ----------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        if self._shown:
            self._table.move_cursor(row=min(max(self._table.cursor_row + by, 0), len(self._shown) - 1))

    def action_sort(self) -> None:
        wanted = self._looks.wanted
        self._looks.wanted = replace(wanted, sort=SORTS[(SORTS.index(wanted.sort) + 1) % len(SORTS)])
        self._draw()

    def action_view(self) -> None:
        wanted = self._looks.wanted
        self._looks.wanted = replace(wanted, view=VIEWS[(VIEWS.index(wanted.view) + 1) % len(VIEWS)])
        self._pane = "session"
        self._draw()

    def action_pause(self) -> None:
        self._paused = not self._paused
        if not self._paused:
            self.action_refresh_now()
        self._draw()

    def action_rows(self, by: int) -> None:
        wanted = self._looks.wanted
        self._looks.wanted = replace(wanted, rows=min(max(wanted.rows + by, 1), _ROWS_MOST))
        self._draw()

    def action_diagnostics(self) -> None:
        self._pane = "session" if self._pane == "diagnostics" else "diagnostics"
        self._draw()

    def action_help(self) -> None:
        self._pane = "session" if self._pane == "help" else "help"
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.cursor_row < len(self._shown):
            self._selected = self._shown[event.cursor_row].session
            self._draw_detail()

    # -- drawing -------------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one("#table"))

    def _draw(self) -> None:
        look = self._last
        if look is not None:
            self._shown = self._looks.wanted.rows_of(look.rows)
            selected = self._selected
            self._table.clear()
            for row in self._shown:
                self._table.add_row(*_cells(row))
            place = next((at for at, row in enumerate(self._shown) if row.session == selected), 0)
            self._table.move_cursor(row=place)
            self._selected = self._shown[place].session if self._shown else None
        self._draw_summary()
        self._draw_detail()

    def _draw_summary(self) -> None:
        wanted, look = self._looks.wanted, self._last
        status = "paused" if self._paused else f"each {self._looks.pause_s:.1f} s"
        order = [status, f"sorted by {wanted.sort}", f"view {wanted.view}", f"{wanted.rows} rows"]
        chosen = [f"{what} {value}" for what, value in (("pid", wanted.pid), ("agent", wanted.name)) if value is not None]
        lines: list[Line] = [
            Prose(heading(look, wanted.all_of(look.rows)) if look else "looking …"),
            Prose(" · ".join([*order, *chosen])),
            Prose("; ".join(look.notes) if look else ""),
        ]
        self._put("#summary", lines)

    def _draw_detail(self) -> None:
        row = next((row for row in self._shown if row.session == self._selected), None)
        lines: list[Line]
        if self._pane == "help":
            lines = list(_HELP)
        elif self._pane == "diagnostics":
            lines = list(self._diagnostics) or ["nothing went wrong"]
        elif row is None:
            lines = ["no agent runs, and no session was found"] if self._last else []
        else:
            lines = list(detail_lines(row, self._looks.wanted.view))
        self._put("#detail", lines)

    def _put(self, place: str, lines: list[Line]) -> None:
        screen = Screen(width=max(20, self.size.width - 2), colour=True, now_ms=self._last.now_ms if self._last else 0)
        text = Text.from_ansi("\n".join(render(line, screen) for line in lines))
        text.no_wrap = True
        self.query_one(place, Static).update(text)


class _Kept(logging.Handler):
    """The messages that are logged while the screen is up."""

    def __init__(self, kept: deque[str]) -> None:
        super().__init__(logging.WARNING)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record.getMessage())


def _cells(row: TopRow) -> tuple[Text, ...]:
    style = {"failed": "red", "history": "yellow", "saved": "yellow"}.get(row.state, "")
    screen = Screen(width=60)
    return tuple(
        Text(render(each.of(row), screen), style="red" if each.title == "activity" and row.failures else style)
        for each in _COLUMNS
    )
