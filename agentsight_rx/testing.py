"""For tests of your own operators: the public name of `runtime/testing/`."""

from typing import TYPE_CHECKING

from .core.start import deferred

if TYPE_CHECKING:
    from .runtime.testing import Actor, Law, Measured, Moment, Scene, bench, check_operator, cold, expected, observed, recorded

__all__ = ["Actor", "Law", "Measured", "Moment", "Scene", "bench", "check_operator", "cold", "expected", "observed", "recorded"]

if not TYPE_CHECKING:  # the laws need Hypothesis, which the rest does without
    __getattr__ = deferred(__name__, {"agentsight_rx.runtime.testing": __all__}, {})
