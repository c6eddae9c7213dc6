"""What a package of parts registers with, and what was found: the public name of `runtime/plugins/`."""

from .runtime.plugins import (
    Plugin,
    delivery,
    found,
    load,
    operator,
    register_agent,
    register_delivery,
    register_operator,
    register_provider,
    register_session_files,
    register_sink,
    register_source,
    sink,
    source,
)

__all__ = [
    "Plugin",
    "delivery",
    "found",
    "load",
    "operator",
    "register_agent",
    "register_delivery",
    "register_operator",
    "register_provider",
    "register_session_files",
    "register_sink",
    "register_source",
    "sink",
    "source",
]
