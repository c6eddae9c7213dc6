"""The public name `agentsight_rx.testing` has what its room has."""

from __future__ import annotations

import subprocess
import sys

from agentsight_rx import testing
from agentsight_rx.runtime import testing as room


def test_it_has_the_names_of_the_room() -> None:
    assert room.__all__ == testing.__all__
    assert all(getattr(room, name) is getattr(testing, name) for name in testing.__all__)


def test_marbles_need_no_hypothesis() -> None:
    program = "import sys; from agentsight_rx.testing import cold; print('hypothesis' in sys.modules)"
    assert "False\n" == subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
