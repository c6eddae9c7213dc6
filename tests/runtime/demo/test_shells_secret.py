"""The planted key of the demo is one that the redaction and the rules know."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.policy.rules.guard.values import fits_one
from agentsight_rx.runtime.demo.shells import command_for, planted_key


def test_a_part_of_the_key_is_a_secret_that_the_rules_know(tmp_path: Path) -> None:
    key = planted_key(tmp_path)
    assert fits_one(built_in_rules().lists["secrets"])(str(key))
    assert command_for(key) == f"head -c 400 {key}"
    assert b"[redacted:private-key:" in Redactor(b"k").data(key.read_bytes()[:400])
    assert 0o600 == key.stat().st_mode & 0o777
