"""
Two workers share the suite. A file whose tests trace programs or open a browser runs in one of them, so that what its tests
share is started once. No example of a property has a deadline: how long one takes depends on what else the machine does.

--quick is for the loop of a change: a fifth of the examples of each property, and no test that is marked as slow.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("without a deadline", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)  # property_tests/quick.py
settings.register_profile("quick, the same each time", settings.get_profile("quick"), derandomize=True)
settings.load_profile("without a deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="fewer examples of each property, and no test that is marked as slow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick") and not config.getoption("--hypothesis-profile"):
        settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from property_tests.quick import with_fewer_examples

    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]
        with_fewer_examples(items)
    for item in items:
        if item.get_closest_marker("live") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
