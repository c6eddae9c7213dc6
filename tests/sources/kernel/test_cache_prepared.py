"""A warm start uses what a cold one compiled; what the kernel refuses is compiled anew."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agentsight_rx import merge, sources
from agentsight_rx.errors import CaptureError
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources.kernel import cache as module
from agentsight_rx.sources.kernel.cache import RUNS, Cache, Source, prepared
from agentsight_rx.sources.kernel.compiler import compiled
from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.loaded import Function, Image, Loaded, Map
from tests.live.capture import Kept

_IMAGE = Image((), (Function("it", bytes(16), ()),))
_SOURCE = Source(("track.h", "net.c"), ("task_struct.pid",), ("-DALL",))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The flags of each call of the compiler, which is none here."""
    calls: list[list[str]] = []

    def compile_nothing(_text: str, flags: list[str], of: str) -> Image:
        calls.append(flags)
        return _IMAGE

    def offsets(_fields: object) -> list[str]:
        return ["-DO_task_struct_pid=8"]

    monkeypatch.setattr(module, "compiled", compile_nothing)
    monkeypatch.setattr(module, "kernel_identity", lambda: ("x86_64", "6.1", "#1", "types"))
    monkeypatch.setattr(module, "compiler_identity", lambda: ["bcc 1"])
    monkeypatch.setattr(module, "defines", offsets)
    monkeypatch.setattr(module, "has_may_goto", lambda: False)
    monkeypatch.setattr(module, "holds_cpu", lambda: None)
    monkeypatch.setattr(module, "preempts_programs", lambda: False)
    monkeypatch.setattr(module, "allocates_entries", lambda: False)
    return calls


@pytest.fixture
def may_goto(monkeypatch: pytest.MonkeyPatch, asked: list[list[str]]) -> list[list[str]]:
    """The same on a kernel that has may_goto."""
    monkeypatch.setattr(module, "has_may_goto", lambda: True)
    return asked


def test_the_second_start_compiles_nothing(asked: list[list[str]], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "programs")
    cold, warm = prepared(_SOURCE, cache), prepared(_SOURCE, cache)
    assert (cold[0], warm[0]) == (_IMAGE, _IMAGE)
    assert asked == [["-DO_task_struct_pid=8", "-DALL"]]


def test_where_programs_are_preempted_each_has_several_runs(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "preempts_programs", lambda: True)
    cache = Cache(tmp_path / "programs")
    assert [prepared(_SOURCE, cache)[0].runs for _ in range(2)] == [RUNS, RUNS]
    assert asked == [["-DO_task_struct_pid=8", f"-DRUNS={RUNS}", "-DALL"]]


def test_where_hashes_allocate_large_ones_take_memory_for_what_is_in_them(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "allocates_entries", lambda: True)
    large, small, recent = (
        Map(name, kind, 4, 8, entries=entries, flags=0, key_type='"int"', leaf_type='"long"')
        for name, kind, entries in (("large", 1, 65_536), ("small", 1, 16_384), ("recent", 9, 65_536))
    )
    image = Image((large, small, recent), ())

    def compile_maps(_text: str, _flags: list[str], of: str) -> Image:
        return image

    monkeypatch.setattr(module, "compiled", compile_maps)
    cache = Cache(tmp_path / "programs")
    for _ in range(2):
        assert [each.flags for each in prepared(_SOURCE, cache)[0].maps] == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("kernel_identity", ("x86_64", "6.1", "#2", "types")), ("compiler_identity", ["bcc 2"]), ("HEADERS", {})],
)
def test_another_kernel_or_compiler_compiles_anew(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    cache = Cache(tmp_path / "programs")
    prepared(_SOURCE, cache)
    monkeypatch.setattr(module, name, value if name == "HEADERS" else lambda: value)
    prepared(_SOURCE, cache)
    assert len(asked) == 2


def test_other_flags_fields_or_files_compile_anew(asked: list[list[str]], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "programs")
    changes = {"flags": ("-DTREE",), "fields": ("task_struct.tgid",), "files": ("track.h", "process.c")}
    for change in ({}, *({name: value} for name, value in changes.items())):
        prepared(msgspec.structs.replace(_SOURCE, **change), cache)
    assert len(asked) == 4


def test_a_cold_start_offers_no_other_image_and_a_warm_one_does(asked: list[list[str]], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "programs")
    cold, warm = prepared(_SOURCE, cache), prepared(_SOURCE, cache)
    assert cold[1] is None
    assert warm[1] is not None
    warm[1]()
    assert len(asked) == 2


def test_a_kernel_with_may_goto_gets_programs_with_it(may_goto: list[list[str]], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "programs")
    prepared(_SOURCE, cache)
    prepared(_SOURCE, cache)
    assert may_goto == [["-DO_task_struct_pid=8", "-DALL", "-DMAY_GOTO"]]


def test_what_such_a_kernel_refuses_is_replaced_by_the_program_without_it(may_goto: list[list[str]], tmp_path: Path) -> None:
    _, anew = prepared(_SOURCE, Cache(tmp_path / "programs"))
    assert anew is not None
    assert anew() == _IMAGE
    assert may_goto[1:] == [["-DO_task_struct_pid=8", "-DALL"]]


def test_a_compiler_that_does_not_take_may_goto_compiles_without_it(
    may_goto: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(_text: str, flags: list[str], of: str) -> Image:
        if "-DMAY_GOTO" in flags:
            raise CaptureError("error: invalid operand")
        return _IMAGE

    monkeypatch.setattr(module, "compiled", old)
    assert prepared(_SOURCE, Cache(tmp_path / "programs")) == (_IMAGE, None)


# --- in the kernel ---

_TEXT = "BPF_ARRAY(seen, u64, 3);\nint it(void *ctx) { int first = 0; return seen.lookup(&first) != 0; }\n"


@pytest.mark.live
def test_an_image_that_the_kernel_refuses_is_replaced_and_its_maps_stay() -> None:
    require_kernel()
    image = compiled(_TEXT, [])
    broken = Image(image.maps, tuple(Function(each.name, each.code[:-8], each.uses) for each in image.functions))
    loaded = Loaded(broken, lambda: image)
    table = loaded["seen"]
    os.fstat(loaded.load("it"))
    assert loaded["seen"] is table
    loaded.close()


@pytest.mark.live
def test_the_same_source_gives_the_same_image() -> None:
    require_kernel()
    assert compiled(_TEXT, []) == compiled(_TEXT + "\n", [])
    assert any(each.uses for each in compiled(_TEXT, []).functions)


@pytest.mark.live
def test_what_stays_refused_is_an_error_with_the_words_of_the_verifier() -> None:
    require_kernel()
    image = compiled("int it(void *ctx) { return *(int *)0; }", [])
    loaded = Loaded(image, lambda: image)
    with pytest.raises(OSError, match="errno"):
        loaded.load("it")
    loaded.close()


@pytest.mark.live
def test_an_error_of_clang_is_in_the_message() -> None:
    require_kernel()
    with pytest.raises(CaptureError, match="error: use of undeclared identifier 'nowhere'"):
        compiled("int it(void *ctx) { return nowhere; }", [])


@pytest.mark.live
def test_a_source_that_does_not_compile_is_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    require_kernel()

    def only_others(text: str, flags: list[str], *, of: str) -> Image:
        return compiled("int it(void *ctx) { return nowhere; }" if of == "net.c" else text, flags, of=of)

    monkeypatch.setattr(module, "compiled", only_others)

    def none(_self: Cache, _key: str) -> None: ...

    monkeypatch.setattr(Cache, "get", none)
    target = sources.Target(os.getpid())
    graph = merge(sources.process(sources.ProcessOptions(target)), sources.net(sources.NetOptions(target)))
    with Run(graph, [Kept().sink()], required=()) as run:
        unavailable = run.stop().unavailable
    assert ["net"] == list(unavailable)
    assert "BCC did not compile net.c: " in unavailable["net"]
    assert "use of undeclared identifier 'nowhere'" in unavailable["net"]
