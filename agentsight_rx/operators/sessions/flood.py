"""The work that a connection makes, against the bytes it carries -> whether it is a flood, and is skipped for a while."""

from __future__ import annotations

from msgspec import Struct

from ...events import Loss, Origin
from ...events.loss import Reason

__all__ = ["EVENT", "FRAME", "PART", "Flood", "is_flood", "work_of_head"]

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
