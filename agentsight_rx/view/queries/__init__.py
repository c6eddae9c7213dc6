"""
The questions asked of a store: store and selection -> typed values, which the command line and others show.

A file answers one question. `calls`, `context`, `effects`, `sessions` and `top` have the questions about one subject; `selection` says
which part of a store is asked for, and `concerned` which part of a loss may be its own.
"""

from .reading import newest_session, selected, sessions_named
from .selection import Selection

__all__ = ["Selection", "newest_session", "selected", "sessions_named"]
