"""The shared test of operators, as users of the library have it, with fewer examples where pytest runs without --all."""

from __future__ import annotations

from typing import Any

from agentsight_rx.runtime.testing import operators
from agentsight_rx.runtime.testing.operators.driven import Case, Law
from property_tests.quick import fewer

__all__ = ["Case", "Law", "check"]


def check(case: Case[Any, Any], *, examples: int | None = None, shrink: bool = True) -> None:
    """Raise an AssertionError that shows a small input for which `case.operator` breaks a promise."""
    operators.check(case, examples=fewer(operators.EXAMPLES) if examples is None else examples, shrink=shrink)
