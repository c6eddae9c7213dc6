"""Where events come from: each a noun, a function of its options that gives a Stream."""

from .process import ProcessOptions, process
from .replay import ReplayOptions, replay
from .system import SystemOptions, system
from .target import Target
from .tls import TlsOptions, tls

__all__ = ["ProcessOptions", "ReplayOptions", "SystemOptions", "Target", "TlsOptions", "process", "replay", "system", "tls"]
