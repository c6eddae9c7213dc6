"""The agents are installed before the first test; then there is no network but loopback."""

from __future__ import annotations

import sys

import pytest

from .install import PARTS, install
from .network import leave_the_network


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    install(list(PARTS), say=lambda text: print(text, file=sys.stderr))
    leave_the_network()
