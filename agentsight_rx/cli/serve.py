"""agentsight-rx serve: the page of recordings, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import StoreError
from ..core.messages import program, say
from ..core.signals import EndRequest, asking_to_end, how_to_end
from ..runtime.recording.price_file import load_prices
from ..runtime.service.users.places import forgotten
from ..runtime.web import serve_stored
from ..runtime.web.importing import Imports
from ..sources.session_files.files import home_of_user
from ..store.state import is_being_written
from .capturing.launch import invoking_user
from .capturing.stopping import deciding
from .flags.destinations import Page
from .flags.group import Only
from .places.stores import counted, imported, past_store, recorded, search_index
from .watch.pausing import watched_now


def _imports() -> Imports:
    def wanted() -> Path:
        path = past_store(None)
        forgotten(path).unlink(missing_ok=True)
        return path

    return Imports(wanted, home_of_user(), invoking_user(), is_kept=lambda: imported() is not None)


def serve(
    *,
    stores: Annotated[
        list[Path] | None, typer.Argument(metavar="[STORE]...", help="The recordings; by default all in your data directory.")
    ] = None,
    page: Annotated[Page, Only("listen", "server_port", "allow_remote")],
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Prices of models, before the published ones.")
    ] = None,
) -> None:
    """Serve a page that shows recordings, the newest first, also unfinished ones. It changes none of them."""
    given = [path.absolute() for path in stores or ()]
    for path in given:
        if not path.exists():
            raise StoreError(f"{path} does not exist; the recordings that there are: {program()} report list")

    def paths() -> Sequence[Path]:
        past, found = imported(), given or recorded()
        return found if given or past is None or past in found else [past, *found]

    served = serve_stored(
        page.options(),
        paths,
        is_being_written=is_being_written,
        prices=load_prices(prices),
        index=None if given else search_index(),
        owner=invoking_user(),
        deciding=deciding(),
        watched=watched_now,
        imports=None if given else _imports(),
    )
    end = EndRequest()
    with asking_to_end(end.ask):
        say(f"{counted(paths())}: {served.url}; stop with {how_to_end()}")
        end.wait()
    served.close()
