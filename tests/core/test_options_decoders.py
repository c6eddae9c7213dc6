"""Decoders that several threads make at the same time."""

from __future__ import annotations

import subprocess
import sys

_RACE = """
import sys, threading
import msgspec
from agentsight_rx.core.options import {name}

sys.setswitchinterval(1e-6)
for number in range(60):
    parts = [msgspec.defstruct(f"Part{{number}}_{{each}}", [(f"field{{at}}", int) for at in range(20)]) for each in range(20)]
    whole = msgspec.defstruct(f"Whole{{number}}", [(f"part{{each}}", part) for each, part in enumerate(parts)])
    data = msgspec.{module}.encode({{f"part{{each}}": {{f"field{{at}}": at for at in range(20)}} for each in range(20)}})
    together = threading.Barrier(8)

    def decode():
        together.wait()
        assert {name}(whole).decode(data).part3.field7 == 7

    threads = [threading.Thread(target=decode) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def _race(name: str, module: str) -> int:
    return subprocess.run([sys.executable, "-c", _RACE.format(name=name, module=module)], check=False).returncode


def test_threads_that_use_a_type_first_at_the_same_time_all_decode_it() -> None:
    assert _race("msgpack_decoder", "msgpack") == 0
    assert _race("json_decoder", "json") == 0
