"""Without the extra `demo`: whatever needs a certificate says in a sentence what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SENTENCE = "Error: the fake model needs trustme for its certificate: pip install 'agentsight-rx[demo]'"
_WITHOUT = "import runpy, sys; sys.modules['trustme'] = None; module, *sys.argv[1:] = sys.argv[1:]; "


@pytest.mark.parametrize(
    ("words", "status"), [(("agentsight_rx", "demo"), 2), (("agentsight_rx.runtime.demo.fake_llm", "--dir", "/nowhere"), 1)]
)
def test_it_says_what_to_install(words: tuple[str, ...], status: int) -> None:
    code = _WITHOUT + "runpy.run_module(module, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (status, "", f"{_SENTENCE}\n") == (done.returncode, done.stdout, done.stderr)


def test_a_benchmark_that_needs_it_is_a_figure_without_a_value() -> None:
    code = _WITHOUT + "from benchmarks import suite; print(*suite.Group('', (), needs_demo=True).figures(suite.QUICK))"
    done = subprocess.run([sys.executable, "-c", code, "-"], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(_SENTENCE.removeprefix("Error: "))


def test_the_package_that_has_the_certificate_is_in_the_extra_alone() -> None:
    code = "import sys; import agentsight_rx.cli, agentsight_rx.runtime.demo; print('trustme' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
