"""
The questions asked of a store: store and selection -> typed values, which the command line and others show.

A file answers one question: `verdict` says in a sentence what a session did, `interruptions` finds the runs that it went
through, and `concerned` says which part of a loss may be its own.
"""

from .reading import newest_session, selected, sessions_named
from .selection import Selection

__all__ = ["Selection", "newest_session", "selected", "sessions_named"]
