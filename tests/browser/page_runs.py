"""Rows of a run, written while a browser shows its page; and recordings that have ended, served for one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agentsight_rx.core.sink import Writer
from agentsight_rx.events.loss import Ledger
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.web import StoredPage, WebOptions, serve_stored, web
from agentsight_rx.view import Output
from agentsight_rx.view.page.machine import Watched
from tests.browser.browsing import Shown, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["Running", "running", "serving"]


class Running:
    """A page of a run, and what feeds it."""

    def __init__(self, shown: Shown, writer: Writer[Output], ledger: Ledger) -> None:
        self.shown = shown
        self.see = shown.see
        self.press = shown.press
        self.page = shown.page
        self.ledger = ledger
        self._writer = writer

    def write(self, batch: list[Output]) -> None:
        self._writer.write(batch)
        self._writer.flush()


@contextmanager
def running(browser: Browser) -> Generator[Running]:
    ledger = Ledger()
    sink = web(WebOptions(port=0))
    writer = sink.open(ledger)
    try:
        with opened(browser, sink.url) as shown:
            yield Running(shown, writer, ledger)
    finally:
        writer.close()


@contextmanager
def serving(
    paths: Callable[[], Sequence[Path]],
    prices: Prices | None = None,
    deciding: Deciding | None = None,
    watched: Callable[[], Watched] | None = None,
    *,
    port: int = 0,
) -> Generator[StoredPage]:
    """The page of recordings that have ended, without a search index on disk."""
    page = serve_stored(
        WebOptions(port=port),
        paths,
        is_being_written=lambda _: False,
        prices=prices or Prices(),
        index=None,
        owner=None,
        deciding=deciding,
        watched=watched,
    )
    try:
        yield page
    finally:
        page.close()
