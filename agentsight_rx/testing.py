"""For tests of your own operators: the public name of `runtime/testing/`."""

from typing import TYPE_CHECKING, Any

from .runtime import testing as _testing

if TYPE_CHECKING:
    from .runtime.testing import Actor, Law, Moment, Scene, check_operator, cold, expected, observed, recorded

__all__ = ["Actor", "Law", "Moment", "Scene", "check_operator", "cold", "expected", "observed", "recorded"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The laws need Hypothesis, which the rest does without: each name is imported when it is used."""
        return getattr(_testing, name)
