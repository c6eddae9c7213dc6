"""
The questions asked of a store: store and selection -> typed values, which the command line and others show.

A file answers one question. Those about one subject share a folder: `calls`, `context`, `effects`, `sessions`, `top`.
`selection` is the part of a store that is asked for, and `concerned` finds the losses that may be of this part.
"""

from .reading import newest_session, selected, sessions_named
from .selection import Selection

__all__ = ["Selection", "newest_session", "selected", "sessions_named"]
