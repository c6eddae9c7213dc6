from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.sources.tls.libraries import system_libraries


@pytest.fixture
def libssl() -> Path:
    libraries = system_libraries()
    if not libraries:
        pytest.skip("there is no libssl that could be copied")
    return libraries[0]
