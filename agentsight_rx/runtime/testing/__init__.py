"""For tests of your own operators: marbles in virtual time, the laws of operators, events, a recording in memory."""

from typing import TYPE_CHECKING

from ...core.start import deferred

if TYPE_CHECKING:
    from .marbles import Moment, cold, expected, observed
    from .measuring import Measured, bench
    from .operators import check_operator
    from .operators.driven import Law
    from .recording import recorded
    from .scene import Actor, Scene

__all__ = ["Actor", "Law", "Measured", "Moment", "Scene", "bench", "check_operator", "cold", "expected", "observed", "recorded"]

if not TYPE_CHECKING:
    __getattr__ = deferred(
        __name__,
        {
            ".measuring": ("Measured", "bench"),
            ".operators.driven": ("Law",),
            ".recording": ("recorded",),
            ".scene": ("Actor", "Scene"),
            ".marbles": ("Moment", "cold", "expected", "observed"),
            ".operators": ("check_operator",),
        },
        {},
    )
