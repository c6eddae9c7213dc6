"""By the kernel or by breakpoints: which one, and what is said where neither works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentsight_rx.cli.capturing import ways
from agentsight_rx.cli.capturing.ways import Way, way_to_see
from agentsight_rx.errors import CaptureError, Unavailable, UsageError
from agentsight_rx.sources import FileOptions, ProcessOptions
from agentsight_rx.sources.kernel import features
from agentsight_rx.sources.opened import SourceOptions


def refuses(text: str) -> Callable[[], None]:
    def require() -> None:
        if text:
            raise Unavailable(text)

    return require


def machine(monkeypatch: pytest.MonkeyPatch, *, kernel: str = "", hooks: str = "") -> None:
    monkeypatch.setattr(ways, "require_kernel", refuses(kernel))
    monkeypatch.setattr(ways, "missing_rights", lambda: None)
    monkeypatch.setattr(ways, "why_not", lambda: hooks)


@pytest.mark.parametrize("by", ["auto", "kernel"])
def test_the_kernel_comes_first(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    machine(monkeypatch)
    with way_to_see(by) as way:
        assert way.tracing is None


def test_another_word_is_an_error_that_names_the_right_ones() -> None:
    with (
        pytest.raises(UsageError, match="--by 'magic' is not a way to see processes: use auto, kernel, hooks"),
        way_to_see("magic"),
    ):
        pass


def test_the_kernel_alone_says_why_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, kernel="rights are missing")
    with pytest.raises(Unavailable, match=r"^rights are missing$"), way_to_see("kernel"):
        pass


def test_where_neither_works_both_reasons_and_the_next_step_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, kernel="rights are missing", hooks="yama forbids it")
    with pytest.raises(Unavailable) as caught, way_to_see("auto"):
        pass
    assert str(caught.value).startswith("rights are missing. Without the kernel: yama forbids it. ")
    assert "import` reads what agents wrote down" in str(caught.value)
    assert "demo` shows a recording" in str(caught.value)


def test_a_command_that_needs_rights_names_those_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "missing_rights", lambda: "rights are missing")
    with pytest.raises(Unavailable) as caught:
        features.require_kernel()
    assert "record -- COMMAND` works without them, and " in str(caught.value)
    assert "import` reads what agents wrote down" in str(caught.value)


@pytest.mark.parametrize(
    ("required", "named"), [({"stdio"}, "stdio"), ({"all"}, "stdio"), ({"plain_http", "tls"}, "plain_http")]
)
def test_what_breakpoints_do_not_show_cannot_be_required(
    monkeypatch: pytest.MonkeyPatch, required: set[str], named: str
) -> None:
    machine(monkeypatch)
    with pytest.raises(CaptureError, match=f"--require {named}: only the kernel shows it"), way_to_see("hooks", required):
        pass


def test_by_the_kernel_each_source_that_is_on_has_a_stream() -> None:
    inputs = Way().inputs(SourceOptions(process=ProcessOptions(), files=FileOptions()), 7, held=True)
    assert (None, None) == (inputs.tls, inputs.net)
    assert inputs.process is not None
    assert inputs.files is not None
    assert {"tls"} == Way().needed({"tls"})
