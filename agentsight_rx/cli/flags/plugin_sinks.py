"""The flag of destinations that other packages have -> their sinks."""

from typing import Annotated, Any

from ...core.sink import Sink
from .group import OUT, Group, flag

__all__ = ["PluginSinks"]


class PluginSinks(Group, frozen=True):
    """Where other packages write."""

    sink: Annotated[list[str] | None, flag(OUT, "--sink", "Sink of another package; repeatable.", "NAME[=TEXT]")] = None

    def sinks(self) -> list[Sink[Any]]:
        """Raises UsageError."""
        if not self.sink:
            return []
        from ...runtime import plugins

        return list(map(plugins.sink, self.sink))
