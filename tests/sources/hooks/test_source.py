"""Where breakpoints cannot be set, the reason says what to do."""

from __future__ import annotations

import os
import platform

import pytest

from agentsight_rx.sources.hooks import ptrace, source


def test_on_another_machine_they_are_refused_before_anything_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a process was started"))
    assert "made for x86_64, and this machine is aarch64" in source.why_not()


def test_a_kernel_that_lets_only_root_trace_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, __: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(ptrace, "seize", refuse)
    said = source.why_not()
    assert "cannot be traced (Operation not permitted)" in said or "kernel.yama.ptrace_scope" in said
