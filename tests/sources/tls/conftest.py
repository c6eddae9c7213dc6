from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.sources.tls.libraries import system_libraries


@pytest.fixture
def libssl() -> Path:
    libraries = system_libraries()
    assert libraries, "the library libssl is not installed"
    return libraries[0]
