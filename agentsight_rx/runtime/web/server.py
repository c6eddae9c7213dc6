"""WebOptions -> a sink that shows the capture on a web page while it runs, and a server of recordings."""

from __future__ import annotations

import datetime
import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from ...core.errors import SinkError
from ...core.messages import say
from ...core.sink import Sink, Writer
from ...events import AnswerProgress
from ...events.loss import Ledger, Meter
from ...llm.prices import Prices
from ...sinks import Lent, memory
from ...sinks.web import Feed
from ...view import Output
from .place import Place, WebOptions
from .serving import Serving

if TYPE_CHECKING:
    from ...view.page.machine import Watched
    from ..recording.deciding import Deciding
    from .api import Api
    from .connections import Limits
    from .importing import Imports
    from .recordings import StoredRecordings
    from .serving import Serving


# -- on demand -----------------------------------------------------------------------------------------------------
# A socket that listens, and how to serve on it -> a server from the first client on.


class OnDemand:
    """
    What serves a page takes 0.3 s to load, which a command need not wait for, and most runs are never looked at. The kernel
    lets clients wait meanwhile. `serve` is called once, on a thread of its own.
    """

    def __init__(self, listener: socket.socket, serve: Callable[[], tuple[Api, Serving]]) -> None:
        self._listener = listener
        self._serve = serve
        self._served: tuple[Api, Serving] | None = None
        self._ended, end = os.pipe()
        self._end: int | None = end
        self._thread = Thread(target=self._wait, name="web: first client", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        """Also a client that came just before the end is served."""
        client = self._listener.fileno()
        ready, _, _ = select.select([client, self._ended], [], [])
        if client not in ready:
            return
        try:
            self._served = self._serve()
        except Exception as error:  # whatever it is, no client shall wait for an answer that does not come
            self._listener.close()
            say(f"going on without the page: {error}")

    def served(self) -> tuple[Api, Serving] | None:
        """Ends the wait for a first client: what serves the page, or None where none came."""
        if self._end is not None:
            os.close(self._end)
            self._end = None
            self._thread.join()
            os.close(self._ended)
            if self._served is None:
                self._listener.close()
        return self._served


# ------------------------------------------------------------------------------------------------------------------------


_LAST_LOOK_S = 2.5
_NEEDED = ("uvicorn", "starlette", "sse_starlette")  # imported at the first client, and looked for before a capture


def web(
    options: WebOptions | None = None,
    *,
    limits: Limits | None = None,
    lent: Lent | None = None,
    deciding: Callable[[], Deciding] | None = None,
) -> WebSink:
    """
    Show the capture on a web page while it runs. `lent` gets the store of the run; without it the page keeps one in memory.
    `deciding` makes, at the first client, what knows the alerts that a person has seen.

    Raises UsageError where the address is not valid, or where other machines can reach it and that was not allowed. Opening
    the sink raises SinkError where the port is taken, or a package that serves the page is missing, and the page is required.
    """
    options = options or WebOptions()
    opening = _Opening(Place(options), options, limits, lent, deciding=deciding)
    return WebSink(
        name="web",
        open=opening.open,
        wants=frozenset({AnswerProgress}),
        is_watched=lambda: opening.feed is not None and opening.feed.is_watched,
        place=opening.place,
    )


class WebSink(Sink[Output], frozen=True, kw_only=True):
    """The sink, with the address of the page once it is open."""

    place: Place

    @property
    def is_served(self) -> bool:
        """The sink is open, and the page can be opened."""
        return self.place.is_bound

    @property
    def url(self) -> str:
        """The address with the token that opens the page. Raises SinkError before the sink is open."""
        return self.place.url


class _Opening:
    def __init__(
        self,
        place: Place,
        options: WebOptions,
        limits: Limits | None,
        lent: Lent | None,
        *,
        deciding: Callable[[], Deciding] | None,
    ) -> None:
        self.place = place
        self.feed: Feed | None = None
        self._required = options.required
        self._limits = limits
        self._lent = lent
        self._deciding = deciding

    def open(self, ledger: Ledger) -> Writer[Output]:
        try:
            return self._serve(ledger)
        except SinkError as error:
            if self._required:
                raise
            say(f"going on without the page: {error}")
            return _NoPage()

    def _serve(self, ledger: Ledger) -> Writer[Output]:
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise SinkError(f"the web page needs {', '.join(missing)}, not installed here")
        listener = self.place.bind()
        self.feed = feed = Feed(ledger)
        lent = self._lent or Lent()
        kept = memory(lent).open(ledger) if self._lent is None else _NoPage()
        meter = ledger.meter("web page")

        def serve() -> tuple[Api, Serving]:
            from .api import Api
            from .app import Access, application
            from .recordings import LiveRecording

            deciding = self._deciding() if self._deciding is not None else None
            api = Api(LiveRecording(lent, lambda: feed.ended), _prices(), feed=feed, deciding=deciding)
            app = application(api, Access(self.place.token, self.place.listen), meter)
            return api, Serving(app, listener, self._limits)

        return _Page(feed, kept, OnDemand(listener, serve))


def _prices() -> Prices:
    return Prices(today=datetime.datetime.now(datetime.UTC).date())


class _NoPage:
    """The writer where there is no page."""

    def write(self, batch: Sequence[Output], /) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Page:
    """The writer: rows go to the feed, and where the run has no store into one in memory; requests are answered from both."""

    def __init__(self, feed: Feed, kept: Writer[Output], page: OnDemand) -> None:
        self._feed = feed
        self._kept = kept
        self._page = page

    def write(self, batch: Sequence[Output], /) -> None:
        self._feed.write(batch)
        self._kept.write([item for item in batch if type(item) is not AnswerProgress])

    def flush(self) -> None:
        self._kept.flush()

    def close(self) -> None:
        """Send open pages the end of the capture, then end the server."""
        self._kept.close()
        self._feed.close()
        served = self._page.served()
        if served is None:
            return
        api, serving = served
        deadline = time.monotonic() + _LAST_LOOK_S
        while api.stopped.open and time.monotonic() < deadline:  # pages that are open read what came last
            time.sleep(0.02)
        serving.end()
        api.close()


def serve_stored(
    options: WebOptions,
    paths: Callable[[], Sequence[Path]],
    *,
    is_being_written: Callable[[Path], bool],
    prices: Prices,
    index: Path | None,
    owner: tuple[int, int] | None,
    deciding: Deciding | None = None,
    watched: Callable[[], Watched] | None = None,
    imports: Imports | None = None,
) -> StoredPage:
    """
    Show recordings: `paths` are the existing files, the newest last. `index` is the file of the search index, of `owner`; None:
    in memory. `deciding` knows which alerts a person has seen, `watched` whether a recorder watches this machine, and
    `imports` imports the user's session files where a person wants it. Raises
    UsageError and SinkError as `web` does.
    """
    from .api import Api
    from .app import Access, application
    from .recordings import StoredRecordings
    from .search import SearchIndex

    place = Place(options)
    listener = place.bind()
    recordings = StoredRecordings(paths, is_being_written)
    search = SearchIndex(recordings, index, owner=owner)
    api = Api(recordings, prices, search=search, deciding=deciding, watched=watched, imports=imports)
    app = application(api, Access(place.token, place.listen), Meter("web page"))
    return StoredPage(place, api, recordings, Serving(app, listener))


class StoredPage:
    """A page of recordings, until it is closed."""

    def __init__(self, place: Place, api: Api, recordings: StoredRecordings, serving: Serving) -> None:
        self.url = place.url
        self._api = api
        self._recordings = recordings
        self._serving = serving

    def close(self) -> None:
        self._api.stopped.now = True
        self._serving.end()
        self._api.close()
        self._recordings.close()
