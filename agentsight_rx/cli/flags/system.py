"""The flags of processor and memory use -> the options of their source."""

from typing import Annotated, ClassVar

from ...sources import SystemOptions, Target
from .group import SYSTEM, Group, flag

__all__ = ["System"]


class System(Group, frozen=True):
    """How often processor and memory use are measured, and from where on they are an alert."""

    concerned: ClassVar[tuple[str, ...] | None] = ("system",)

    system_interval: Annotated[float, flag(SYSTEM, "--system-interval", "Seconds between samples.", "S")] = 2.0
    cpu_threshold: Annotated[float | None, flag(SYSTEM, "--cpu-threshold", "Alert from so much CPU on.", "PERCENT")] = None
    memory_threshold: Annotated[int | None, flag(SYSTEM, "--memory-threshold", "Alert from so much memory on.", "MB")] = None

    def options(self, target: Target) -> SystemOptions:
        """The options of the source."""
        return SystemOptions(target, self.system_interval, self.cpu_threshold, self.memory_threshold)
