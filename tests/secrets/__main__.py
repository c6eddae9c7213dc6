"""
On the standard output: the table of kinds and places with how many secrets leak, of the keys of all vendors in each place
those that leak, and how many leak of each list of wordings. Exits 1 if a kind leaks, or a wording that is promised.
"""

from __future__ import annotations

import sys

from tests.secrets.every_vendor import leaked_keys
from tests.secrets.kinds import KINDS
from tests.secrets.matrix import Matrix, measured
from tests.secrets.places import CANNOT, PLACES
from tests.secrets.wordings import broken, table


def main() -> int:
    matrix = measured()
    width = max(map(len, PLACES))
    print(" " * width, *KINDS, sep="  ")
    for place in PLACES:
        print(place.ljust(width), *(_cell(matrix, place, kind).rjust(len(kind)) for kind in KINDS), sep="  ")
    leaks = {cell: matrix.where[cell] for cell in matrix.leaks if cell[0] not in CANNOT}
    leaked = sum(len(matrix.leaks[cell]) for cell in leaks)
    print("\n-  cannot be there   *  cannot be hidden: docs/redaction.md says why")
    print(f"{sum(map(len, matrix.parts.values()))} secrets in {len(matrix.parts)} cells: {leaked} leaked")
    for (place, kind), where in leaks.items():
        print(f"  {place}, {kind}: in {', '.join(sorted(where))}")
    planted, shown = leaked_keys()
    print(f"{planted} keys, one of each vendor in each place: {len(shown)} leaked", *shown, sep="\n  ")
    lines, leaked_wordings = table()
    print(*lines, "leaked of what is promised:", *leaked_wordings, sep="\n")
    return 1 if leaks or shown or any(map(broken, leaked_wordings)) else 0


def _cell(matrix: Matrix, place: str, kind: str) -> str:
    count = matrix.count(place, kind)
    return "-" if count is None else f"{count}*" if place in CANNOT else str(count)


if __name__ == "__main__":
    sys.exit(main())
