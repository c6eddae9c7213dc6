"""The screen of top, driven by textual's own pilot: its panes and its keys."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from agentsight_rx.cli.top.looks import Look, Looks, Wanted
from agentsight_rx.errors import StoreError
from tests.cli.top.scene import Scripted, row

pytest.importorskip("textual", reason="the extra tui is not installed")

from textual.widgets import DataTable, Static

from agentsight_rx.cli.top.tui import TopApp

ROWS = [
    row("a", cpu_percent=5.0, pid=1, failed=("Bash: exit 1",)),
    row("b", cpu_percent=50.0, pid=2),
    row("c", tokens=900, state="failed"),
]
Scene = Callable[[TopApp, Any], Awaitable[None]]


def played(scene: Scene, *looks: Any, wanted: Wanted | None = None) -> Scripted:
    """The scene, after the first look was taken."""
    source = Scripted(*(looks or (ROWS,)))

    async def play() -> None:
        app = TopApp(Looks(source, wanted or Wanted(), interval_s=3600))
        async with app.run_test(size=(140, 40)) as pilot:
            await settled(app, pilot)
            await scene(app, pilot)

    asyncio.run(play())
    return source


async def settled(app: TopApp, pilot: Any) -> None:
    workers: Any = app.workers
    await workers.wait_for_complete()
    await pilot.pause()


def pane(app: TopApp, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).render())


def sessions(app: TopApp) -> list[str]:
    """By their processor use, which is in the table."""
    table = cast("DataTable[Any]", app.query_one("#table"))
    return [str(table.get_row_at(at)[4]) or "-" for at in range(table.row_count)]


def test_four_panes_show_the_look() -> None:
    async def scene(app: TopApp, _: Any) -> None:
        assert "3 sessions · 2 live · 900 tokens · from a script" in pane(app, "summary")
        assert sessions(app) == ["50.0 %", "5.0 %", "-"]
        assert pane(app, "detail").startswith("b  claude 2 · live")
        assert "q quit" in pane(app, "footer")
        assert "\x1b" not in pane(app, "detail")

    played(scene)


@pytest.mark.parametrize("keys", [("j",), ("down",), ("end", "k"), ("j", "j", "up"), ("home", "j")])
def test_keys_select_a_session(keys: tuple[str, ...]) -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press(*keys)
        await pilot.pause()
        assert pane(app, "detail").startswith("a  claude 1 · live")
        assert "Bash: exit 1" in pane(app, "detail")

    played(scene)


def test_s_sorts_and_the_selection_stays() -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press("s", "s")
        await pilot.pause()
        assert "sorted by tokens" in pane(app, "summary")
        assert sessions(app)[0] == "-"
        assert pane(app, "detail").startswith("b  claude 2")

    played(scene)


def test_v_plus_and_minus_change_what_is_shown() -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press("v", "plus", "minus", "minus", "minus")
        await pilot.pause()
        assert "view processes · 1 rows" in pane(app, "summary")
        assert sessions(app) == ["50.0 %"]

    played(scene)


def test_r_looks_again_and_p_stops_that() -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press("r")
        await settled(app, pilot)
        assert sessions(app) == ["-"]
        await pilot.press("p")
        await pilot.pause()
        assert "paused" in pane(app, "summary")

    assert played(scene, ROWS, [row("new")]).taken == 2


def test_an_error_is_kept_for_e_and_the_last_look_stays() -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press("e")
        assert "nothing went wrong" in pane(app, "detail")
        await pilot.press("r")
        await settled(app, pilot)
        assert "the store is gone" in pane(app, "detail")
        assert len(sessions(app)) == 3
        await pilot.press("e")
        await pilot.pause()
        assert pane(app, "detail").startswith("b  claude")

    played(scene, ROWS, StoreError("the store is gone"))


def test_help_names_the_keys() -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert "s sorts by the next of cpu" in pane(app, "detail")

    played(scene)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c"])
def test_keys_that_quit(key: str) -> None:
    async def scene(app: TopApp, pilot: Any) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert app.return_code == 0

    played(scene)


def test_no_session_is_said() -> None:
    async def scene(app: TopApp, _: Any) -> None:
        assert "no agent runs, and no session was found" in pane(app, "detail")

    played(scene, [])


def test_a_look_that_is_being_taken_ends_before_its_source_is_closed() -> None:
    order: list[str] = []
    go_on = threading.Event()

    class Slow(Scripted):
        def look(self) -> Look:
            go_on.wait(10)
            order.append("looked")
            return super().look()

        def close(self) -> None:
            order.append("closed")

    async def play(looks: Looks) -> None:
        app = TopApp(looks)
        async with app.run_test() as pilot:
            await pilot.press("q")
        order.append("quit")
        go_on.set()

    with Looks(Slow(ROWS), Wanted(), interval_s=3600) as looks:
        asyncio.run(play(looks))
    assert order == ["quit", "looked", "closed"]
