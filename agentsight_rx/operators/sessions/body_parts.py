"""One BodyPart of several records <-> one for each record."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ...events import BodyPart

__all__ = ["joined", "pieces"]


def pieces(part: BodyPart, /) -> list[BodyPart]:
    """A part for each record. What they were on the wire is counted with the first one."""
    if not part.cuts:
        return [part]
    made: list[BodyPart] = []
    at, wire = 0, part.size
    for size, time_ns in part.cuts:
        origin = replace(part.origin, time_ns=time_ns, wall_ns=0)
        made.append(BodyPart(origin, part.exchange, part.data[at : at + size], size=wire, encoding=part.encoding))
        at, wire = at + size, 0
    made[-1] = replace(made[-1], origin=part.origin)
    return made


def joined(parts: Sequence[BodyPart], /) -> list[BodyPart]:
    """Neighbouring parts of one body as one, where they have nothing but bytes; a part with more stays alone."""
    made: list[BodyPart] = []
    run: list[BodyPart] = []
    for part in parts:
        if not part.data or part.last or part.lost or not part.complete or part.cuts:
            made += _one(run)
            made.append(part)
            run = []
        else:
            run.append(part)
    return [*made, *_one(run)]


def _one(run: Sequence[BodyPart]) -> Sequence[BodyPart]:
    if len(run) < 2:
        return run
    return (
        replace(
            run[-1],
            data=b"".join([part.data for part in run]),
            size=sum([part.size for part in run]),
            cuts=tuple([(len(part.data), part.origin.time_ns) for part in run]),
        ),
    )
