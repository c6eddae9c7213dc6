"""The work that a connection makes, against the bytes it carries -> whether it is a flood, and is skipped for a while."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ...events import BodyPart, Loss, Origin
from ...events.loss import Reason

# -- body parts ----------------------------------------------------------------------------------------------------
# One BodyPart of several records <-> one for each record.


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


# ------------------------------------------------------------------------------------------------------------------------


# What each thing costs, in bytes that usual traffic has for one at least. An event takes 20 to 60 µs in the whole product, a
# frame or a part of a chunked body 1 to 2 µs.
EVENT = 64
FRAME = 16
PART = 12

_FIELD = 12  # of a head, beyond the first hundred
_FIELDS_FREE = 100
_HEAD_FREE = 16 << 10  # bytes of memory of a head: cookies that HTTP/2 names by one octet may have 8 KiB
_HEAD_SHARE = 16  # of more bytes than that, only a part is work: they are copied and searched, not looked at one by one

_DEBT_MOST = 128 << 10  # 1,200 resets of new streams, or 13,000 empty frames, at once
_REPAID_PER_S = 64 << 10  # 1,000 messages of one byte a second are no flood
_NOTE = "a flood: far more frames or messages than its bytes allow"
_LOSS_LEAST = 1 << 20  # bytes that one Loss stands for, while it goes on


def work_of_head(fields: int, weight: int) -> int:
    """Of a head with so many fields, which take `weight` bytes of memory."""
    return _FIELD * max(0, fields - _FIELDS_FREE) + max(0, weight - _HEAD_FREE) // _HEAD_SHARE


def is_flood(work: int, size: int, /) -> bool:
    """So much work for `size` bytes is too much at once, however well the connection behaved before."""
    return work > _DEBT_MOST + size


class Flood(Struct, array_like=True):
    """
    A connection is in debt by the work beyond its bytes; time repays it. Where the debt is too large, bytes are skipped and
    counted until time has repaid all of it. Skipped bytes repay nothing.
    """

    debt: int = 0
    at_ns: int = 0
    skipping: bool = False
    skipped: int = 0  # bytes, no Loss stands for them yet

    def begins(self, work: int, size: int, now_ns: int, *, most: int = _DEBT_MOST) -> bool:
        """Enter `work` for `size` bytes; True if it is too much now."""
        self._repay(now_ns)
        self.debt = max(0, self.debt + work - size)
        self.skipping = self.debt > most
        return self.skipping

    def goes_on(self, now_ns: int) -> bool:
        """False if it was skipped for long enough."""
        self._repay(now_ns)
        self.skipping = self.debt > 0
        return self.skipping

    def _repay(self, now_ns: int) -> None:
        self.debt = max(0, self.debt - max(0, now_ns - self.at_ns) * _REPAID_PER_S // 1_000_000_000)
        self.at_ns = max(now_ns, self.at_ns)

    def loss(self, origin: Origin | None, *, least: int = 1) -> list[Loss]:
        """The skipped bytes, if they are at least `least` bytes."""
        if origin is None or self.skipped < least:
            return []
        size, self.skipped = self.skipped, 0
        return [Loss(origin, "parse_http", reason=Reason.MALFORMED, count=1, size=size, note=_NOTE)]

    def skip(self, size: int, origin: Origin) -> list[Loss]:
        self.skipped += size
        return self.loss(origin, least=_LOSS_LEAST)
