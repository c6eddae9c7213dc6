"""The demo: a small agent and a fake model for it."""

from __future__ import annotations

from importlib.util import find_spec

from ...core.errors import UsageError

__all__ = ["require_demo"]


def require_demo() -> None:
    """Raise UsageError where the extra `demo` is not installed."""
    if find_spec("trustme") is None:
        raise UsageError("the fake model needs trustme for its certificate: pip install 'agentsight-rx[demo]'")
