"""Which rows of a look are shown, in which order: what the flags said, and the keys since."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ...view.queries.top import Sort, TopRow, View, meant, sorted_rows

__all__ = ["Wanted"]


class Wanted(Struct, frozen=True, kw_only=True):
    """`pid` and `name` choose, `rows` is how many are shown."""

    pid: int | None = None
    name: str | None = None
    sort: Sort = "cpu"
    view: View = "all"
    rows: int = 10

    def rows_of(self, rows: Iterable[TopRow]) -> list[TopRow]:
        return self.all_of(rows)[: self.rows]

    def all_of(self, rows: Iterable[TopRow]) -> list[TopRow]:
        """Also processes that do not fit."""
        return sorted_rows(meant(rows, pid=self.pid, name=self.name), self.sort)
