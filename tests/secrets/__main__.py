"""The table of kinds and places on the standard output: how many secrets leak. Exits 1 if there are any."""

from __future__ import annotations

import sys

from .kinds import KINDS
from .matrix import measured
from .places import CANNOT, PLACES


def main() -> int:
    matrix = measured()
    width = max(map(len, PLACES))
    print(" " * width, *KINDS, sep="  ")
    unexpected = 0
    for place in PLACES:
        cells: list[str] = []
        for kind in KINDS:
            count = matrix.count(place, kind)
            cannot = (place, kind) in CANNOT
            unexpected += 0 if cannot else count or 0
            cells.append(("-" if count is None else f"{count}*" if cannot else str(count)).rjust(len(kind)))
        print(place.ljust(width), *cells, sep="  ")
    print("\n-  cannot be there   *  cannot be hidden: see docs/redaction.md")
    planted = sum(map(len, matrix.parts.values()))
    print(f"{planted} secrets in {len(matrix.parts)} cells, {unexpected} leaked")
    for (place, kind), where in sorted(matrix.where.items()):
        if (place, kind) not in CANNOT:
            print(f"  {place}, {kind}: {', '.join(sorted(where))}: {sorted(matrix.leaks[place, kind])[:3]}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
