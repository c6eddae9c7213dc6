"""How a check says what it found, as an exit status."""

from __future__ import annotations

from tests.kernels.results import Verdict

__all__ = ["STATUSES", "VERDICTS"]

STATUSES: dict[Verdict, int] = {"works": 0, "fails": 1, "refused": 3, "absent": 4}
VERDICTS: dict[int, Verdict] = {status: verdict for verdict, status in STATUSES.items()}
