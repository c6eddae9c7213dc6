"""
Operators and inputs -> those whose output or state depends on PYTHONHASHSEED, such as on the order of a set of texts.

The seed of a process never changes, so each one runs in a process of its own: `python -m property_tests.hash_seeds MODULE
TABLE` reads inputs and writes what they gave.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings

from agentsight_rx.core.engine import Engine, Site
from property_tests.component import Case

__all__ = ["differing"]

_EXAMPLES = 12
_SEEDS = ("1", "2", "3")


def differing(module: str, table: str) -> set[str]:
    """The names in this table of a module, a dict of Cases, whose bytes are not the same under every seed."""
    cases: Mapping[str, Case[Any, Any]] = getattr(import_module(module), table)
    inputs = pickle.dumps({name: _examples(case) for name, case in cases.items()})
    found = [_under(seed, module, table, inputs=inputs) for seed in _SEEDS]
    return {name for name in cases if len({made[name] for made in found}) > 1}


def _examples(case: Case[Any, Any]) -> list[list[Any]]:
    """The longest of the inputs that are the same each time."""
    found: list[list[Any]] = []

    @settings(
        max_examples=5 * _EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(case.events)
    def take(events: list[Any]) -> None:
        found.append(events)

    take()
    return sorted(found, key=len)[-_EXAMPLES:]


def _under(seed: str, module: str, table: str, *, inputs: bytes) -> dict[str, str]:
    run = subprocess.run(
        [sys.executable, "-m", "property_tests.hash_seeds", module, table],
        input=inputs,
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    return msgspec.json.decode(run.stdout, type=dict[str, str])


def _bytes_of(case: Case[Any, Any], events: list[Any]) -> bytes:
    """The output and, before its end, the state."""
    kernel = case.operator().kernel(Site(Engine(strict=True), "seeded"))
    out = [made for event in events for made in kernel.feed([event])]
    state = kernel.snapshot()
    return state + msgspec.msgpack.encode([*out, *kernel.finish()])


def _main(module: str, table: str) -> None:
    inputs: dict[str, list[list[Any]]] = pickle.loads(sys.stdin.buffer.read())
    cases: Mapping[str, Case[Any, Any]] = getattr(import_module(module), table)
    found = {
        name: hashlib.sha256(b"".join(_bytes_of(cases[name], events) for events in each)).hexdigest()
        for name, each in inputs.items()
    }
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
