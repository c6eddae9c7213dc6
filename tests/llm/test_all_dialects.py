"""The table of the providers, and when their modules are imported."""

from __future__ import annotations

import subprocess
import sys

from agentsight_rx.llm import provider_named
from agentsight_rx.llm.all_dialects import PROVIDERS

_ASKED_FOR = """
import sys
from agentsight_rx.llm import find
def imported(): return [name for name in sys.modules if name.startswith("agentsight_rx.llm.dialects.")]
before = imported()
assert find("api.anthropic.com", "/v1/messages").name == "anthropic"
print(len(before), len(imported()) > 15)
"""


def test_each_has_a_name_of_its_own() -> None:
    assert [*PROVIDERS] == [provider_named(each.name) for each in PROVIDERS]


def test_the_first_call_imports_them_and_nothing_before_it() -> None:
    done = subprocess.run([sys.executable, "-c", _ASKED_FOR], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]
