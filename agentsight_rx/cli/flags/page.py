"""The flags of the page -> where it is served, and its sink."""

from typing import TYPE_CHECKING, Annotated

from ...core.sink import Sink
from ...view import Output
from .group import PAGE, Group, flag

if TYPE_CHECKING:
    from ...runtime.recording.deciding import Deciding
    from ...runtime.web import WebOptions
    from ...sinks import Lent

__all__ = ["Page"]


class Page(Group, frozen=True):
    """Whether a page is served, and where. `server` is None where the run goes on without a page that cannot be served."""

    server: Annotated[bool | None, flag(PAGE, "--server", "Serve a page that shows the capture live.")] = False
    listen: Annotated[str, flag(PAGE, "--listen", "The address of the page.", "ADDRESS")] = "127.0.0.1"
    server_port: Annotated[
        int | None, flag(PAGE, "--server-port", "Its port, 0: any; without it 7395 or the next free.", "PORT")
    ] = None
    allow_remote: Annotated[bool, flag(PAGE, "--allow-remote", "Let other machines read it, over plain HTTP.")] = False

    def options(self) -> "WebOptions":
        """Where the page is."""
        from ...runtime.web import WebOptions

        return WebOptions(self.listen, self.server_port, self.allow_remote, required=self.server is not None)

    def sinks(self, lent: "Lent | None" = None) -> list[Sink[Output]]:
        """The sink of the page of a run, where it is asked for. `lent` gets the store of the run."""
        if self.server is False:
            return []
        from ...runtime.web import web

        return [web(self.options(), lent=lent, deciding=_deciding)]


def _deciding() -> "Deciding":
    from ..deciding import deciding

    return deciding()
