"""
Programs that are attached several times, as on kernels that skip one while it is preempted: what one run did is not done again,
and whichever runs are skipped, the others miss nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel import cache as preparing
from agentsight_rx.sources.kernel.cache import RUNS, kernel_identity
from agentsight_rx.sources.kernel.loaded import Loaded
from tests.live.test_files import test_every_operation_is_emitted_with_path_outcome_and_bytes as files
from tests.live.test_net import test_every_operation_is_emitted_with_both_addresses_and_outcome as connections
from tests.live.test_plain_http import test_every_system_call_gives_its_bytes_once as plain_http
from tests.live.test_process import test_fork_exec_and_exit_of_each_process_are_exact as processes
from tests.live.test_stdio import test_vectored_calls_and_calls_of_sockets as pipes

pytestmark = pytest.mark.live

_CHECKS = {"files": files, "net": connections, "plain_http": plain_http, "process": processes, "stdio": pipes}


@pytest.mark.parametrize("runs", [range(RUNS), range(1, RUNS), (RUNS - 1,)], ids=["all", "first-skipped", "last-alone"])
@pytest.mark.parametrize("check", _CHECKS.values(), ids=_CHECKS)
def test_a_source_says_the_same(
    check: Callable[[Path], None], runs: Sequence[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "preempts_programs", lambda: True)
    monkeypatch.setattr(preparing, "kernel_identity", lambda: f"{kernel_identity()} runs")  # a program of its own in the cache
    monkeypatch.setattr(Loaded, "runs", runs)
    check(tmp_path)
