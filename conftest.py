"""
Two workers share the suite; all tests that trace programs run in one of them, one after the other. No example of a property has
a deadline: how long one takes depends on what else the machine does.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.xdist_group("live"))
