"""The process that compiles: which package `bcc` it uses, and what it says where there is none."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError, Unavailable
from agentsight_rx.sources.kernel import compiler as workers
from agentsight_rx.sources.kernel.compiler import REMEDY, Worker, compiled

_TEXT = "int first(void *ctx) { return 7; } int second(void *ctx) { return 11; }"


@contextmanager
def _worker_with(packages: Path) -> Generator[Worker]:
    with closing(Worker(packages=str(packages))) as worker:
        yield worker


def _refusal(packages: Path) -> str:
    with _worker_with(packages) as worker, pytest.raises(CaptureError) as caught:
        compiled(_TEXT, [], by=worker)
    return str(caught.value)


@pytest.mark.needs("bcc")
def test_functions_are_compiled_in_their_order_and_a_mistake_ends_nothing() -> None:
    with closing(Worker()) as worker:
        with pytest.raises(Unavailable, match=r"BCC did not compile net\.c: .*error: .*'nowhere'"):
            compiled("int f(void *ctx) { return nowhere; }", [], of="net.c", by=worker)
        assert ["first", "second"] == [function.name for function in compiled(_TEXT, [], by=worker).functions]


@pytest.mark.needs("bcc")
def test_reads_of_a_user_s_memory_are_the_same_code_under_other_names() -> None:
    text = """
        int f(void *ctx) {
            char to[8];
            return bpf_probe_read_user(to, 7, ctx) + bpf_probe_read_user_str(to, sizeof(to), ctx);
        }
    """
    with closing(Worker()) as worker:
        ours, plain = compiled(text, [], by=worker), json.loads(worker.ask(text, [])[0])
    assert plain["functions"][0]["code"] == ours.function("f").code.hex()


@pytest.mark.needs("bcc")
def test_one_symbol_of_the_kernel_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "int f(void *ctx) { long to; return bpf_probe_read_kernel(&to, sizeof(to), ctx) + to; }"
    with closing(Worker()) as worker:
        ours = worker.ask(text, [])
    shown_all = tmp_path / "clang.py"
    shown_all.write_text(Path(workers.__file__).with_name("clang.py").read_text().replace("    _show_one_symbol()\n", ""))
    monkeypatch.setattr(workers, "_PROGRAM", shown_all)
    with closing(Worker()) as worker:
        assert worker.ask(text, []) == ours
    assert json.loads(ours[0])["functions"]


def test_where_the_package_is_missing_the_error_says_where_it_was_looked_for(tmp_path: Path) -> None:
    expected = f"BCC does not start (no package bcc of the BPF Compiler Collection in {tmp_path}); {REMEDY}"
    assert expected == _refusal(tmp_path)


def test_another_project_of_the_same_name_is_named_and_never_imported(tmp_path: Path) -> None:
    package = tmp_path / "bcc"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    assert f"({package} is another project named bcc, " in _refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import ctypes\nlib = ctypes.CDLL('libbcc.so.none')\n", "libbcc.so.none: cannot open shared object file"),
        ("import ctypes\nlib = ctypes.CDLL(None)\nlib.bpf_num_functions\n", "undefined symbol: bpf_num_functions"),
    ],
    ids=["no library", "a library of another release"],
)
def test_a_package_that_does_not_fit_its_library_is_reported(text: str, seen: str, tmp_path: Path) -> None:
    package = tmp_path / "bcc"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "libbcc.py").write_text(text)
    refusal = _refusal(tmp_path)
    assert refusal.startswith("BCC does not start (")
    assert seen in refusal
    assert refusal.endswith(REMEDY)
