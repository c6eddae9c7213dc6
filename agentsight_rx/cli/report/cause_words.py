"""Who did something, and for which tool of which turn -> a few words."""

from __future__ import annotations

from collections.abc import Sequence

from ...store.rows.tool_words import asked_for
from ...view.queries.causes import Actor, Cause

__all__ = ["cause_said", "causes_said", "who_said"]


def who_said(by: Sequence[Actor]) -> str:
    """`sh 12455 +2`: the first, with its agent where that is another program, and how many others there are."""
    more = len(by) - 1
    return "".join(map(_name, by[:1])) + (f" +{more}" if more > 0 else "")


def _name(actor: Actor) -> str:
    name = f"{actor.comm or 'unknown'} {actor.pid or ''}".rstrip()
    return f"{name} of {actor.agent}" if actor.agent and actor.agent != actor.comm else name


def cause_said(cause: Cause | None) -> str:
    """`turn 9, Bash make test`."""
    if cause is None:
        return ""
    turn = f"turn {cause.turn}, " if cause.turn else ""
    return f"{turn}{cause.tool} {asked_for(cause.input)}".rstrip()


def causes_said(causes: Sequence[Cause]) -> str:
    """The turn and the name of the first, and how many others there are."""
    if not causes:
        return ""
    first, more = causes[0], len(causes) - 1
    turn = f"turn {first.turn}, " if first.turn else ""
    return turn + first.tool + (f" +{more}" if more > 0 else "")
