"""The environment -> may a terminal be given colours?"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["has_colour"]


def has_colour(env: Mapping[str, str]) -> bool:
    """https://no-color.org, and terminals that know no escape sequences."""
    return not env.get("NO_COLOR") and (env.get("TERM") or "dumb") != "dumb"
