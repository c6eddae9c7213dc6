"""The questions asked of a store: store and selection -> typed values, which the command line and others show."""

from .reading import newest_session, selected, sessions_named
from .selection import Selection

__all__ = ["Selection", "newest_session", "selected", "sessions_named"]
