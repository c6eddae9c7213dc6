"""What a function does on its paths; test_placement.py has whole functions."""

from __future__ import annotations

import pytest

from agentsight_rx.sources.tls.stacks.paths import ARGUMENTS, Value, behind_begin, paths_of
from agentsight_rx.sources.tls.stacks.x86_code import Register
from tests.sources.tls.stacks.machine_code import Part, assembled


def body(*parts: Part) -> bytes:
    return assembled(*parts, work=0x400)


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        (("49 3b 66 10", ("0f 86", "grow"), "55 c3", "grow:", "c3"), 4),  # cmp rsp, [r14+16]
        (("4c 8d 64 24 b8 4d 3b 66 10", ("0f 86", "grow"), "c3", "grow:", "c3"), 9),  # lea r12, [rsp-72]; cmp r12, [r14+16]
        (("55",), 0),
        (("48 89 d8 55",), None),  # mov rax, rbx: the object is no longer in it
        (("0f 05 55",), None),
        ((("e8", "work"), "55"), None),
        (("c3 55",), None),
        (("48 89 e5",), None),
        ((), None),
    ],
)
def test_the_first_place_behind_the_begin_that_is_emulated(parts: tuple[Part, ...], place: int | None) -> None:
    given = frozenset({Register.AX, Register.BX, Register.CX, Register.R14})
    assert behind_begin(body(*parts), given) == place


@pytest.mark.parametrize(
    ("parts", "result"),
    [
        ("b8 05 00 00 00", Value("number", 5)),
        ("83 c8 ff", Value("number", -1)),  # or eax, -1
        ("31 c0", Value("number", 0)),
        ("48 89 f8", Value("entry", Register.DI)),  # mov rax, rdi
        ("89 f8", None),  # mov eax, edi: half of it
        ("48 8d 44 24 f8", Value("stack", -8)),  # lea rax, [rsp-8]
        ("48 8b 44 24 10", Value("loaded", 16)),  # mov rax, [rsp+16]
        ("8b 07", None),  # mov eax, [rdi]
        ("57 58", Value("entry", Register.DI)),  # push rdi; pop rax
        ("48 89 7c 24 f8 48 8b 44 24 f8", Value("entry", Register.DI)),  # mov [rsp-8], rdi; mov rax, [rsp-8]
        ("48 89 7c 24 f8 8b 44 24 f8", None),  # mov eax, [rsp-8]: half of it
        ("89 7c 24 f8 48 8b 44 24 f8", None),  # mov [rsp-8], edi; mov rax, [rsp-8]
        ("48 89 7c 24 f8 89 7c 24 fc 48 8b 44 24 f8", None),  # mov [rsp-4], edi: half of it is overwritten
        ("48 89 7c 24 f8 48 83 44 24 f8 01 48 8b 44 24 f8", None),  # add [rsp-8], 1
        ("48 83 ec 10 48 8d 04 24 48 83 c4 10", Value("stack", -16)),
        ("64 48 8b 04 25 28 00 00 00", None),
        ("48 01 f8", None),  # add rax, rdi
    ],
)
def test_what_a_function_returns(parts: str, result: Value | None) -> None:
    (path,) = paths_of(body(parts, "c3")) or []
    assert ((), result) == (path.calls, path.result)


def test_a_call_takes_what_registers_hold_and_leaves_its_result() -> None:
    (path,) = (
        paths_of(body("48 89 fb 31 f6", ("e8", "work"), "48 89 de c3")) or []
    )  # mov rbx, rdi; xor esi, esi; …; mov rsi, rbx
    (call,) = path.calls
    assert (0x400, Value("result", 0x400)) == (call.target, path.result)
    held = [call.registers[each] for each in ARGUMENTS]
    assert held == [Value("number", 0) if each == Register.SI else Value("entry", each) for each in ARGUMENTS]


@pytest.mark.parametrize(
    ("before", "held"),
    [
        ("48 89 7c 24 08", Value("entry", Register.DI)),  # mov [rsp+8], rdi
        ("48 89 7c 24 08 48 8d 74 24 10", Value("loaded", -16)),  # lea rsi, [rsp+16]: the function gets an address of the stack
        ("48 89 7c 24 08 48 89 26", Value("loaded", -16)),  # mov [rsi], rsp: it may find one
        ("48 89 7c 24 08 48 89 26 48 89 36", Value("loaded", -16)),
    ],
)
def test_a_call_leaves_the_stack_alone_of_which_it_has_no_address(before: str, held: Value) -> None:
    code = body("48 83 ec 18", before, ("e8", "work"), "48 8b 44 24 08 48 83 c4 18 c3")  # mov rax, [rsp+8]
    assert [held] == [path.result for path in paths_of(code) or []]


def test_a_call_overwrites_what_is_below_the_stack_pointer() -> None:
    code = body("48 89 7c 24 f8", ("e8", "work"), "48 8b 44 24 f8 c3")  # mov [rsp-8], rdi; call; mov rax, [rsp-8]
    assert [Value("loaded", -8)] == [path.result for path in paths_of(code) or []]


def test_a_store_to_where_is_not_known_may_be_to_the_stack_once_its_address_is_out() -> None:
    out, store = "48 89 26", "48 89 11"  # mov [rsi], rsp; mov [rcx], rdx
    for before, held in (("", Value("entry", Register.DI)), (out, None)):
        code = body("57", before, store, "58 c3")
        assert [held] == [path.result for path in paths_of(code) or []]


def test_both_ways_of_a_jump_are_paths_and_a_loop_ends() -> None:
    code = body("again:", "31 c0 85 ff", ("0f 84", "end"), "b8 01 00 00 00 85 f6", ("0f 85", "again"), "end:", "c3")
    assert {path.result for path in paths_of(code) or []} == {Value("number", 0), Value("number", 1)}


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        ("8e", True, False),
        ("8f", False, True),
        ("88", True, False),
        ("89", False, True),
        ("84", False, False),
        ("8c", False, False),
    ],
    ids=["le", "g", "s", "ns", "e", "l"],
)
def test_a_jump_on_a_result_says_whether_it_may_be_above_0(condition: str, met: bool, unmet: bool) -> None:
    code = body("55", ("e8", "work"), "85 c0", (f"0f {condition}", "met"), "31 c0 5d c3", "met:", "5d c3")
    by_result = {path.result: path.failed for path in paths_of(code) or []}
    failed = frozenset({0x400})
    assert by_result == {
        Value("result", 0x400): failed if met else frozenset(),
        Value("number", 0): failed if unmet else frozenset(),
    }


def test_a_test_of_something_else_says_nothing_of_the_result() -> None:
    code = body("55", ("e8", "work"), "85 ed", ("0f 8e", "met"), "met:", "5d c3")  # test ebp, ebp
    assert {path.failed for path in paths_of(code) or []} == {frozenset()}


@pytest.mark.parametrize(("move", "kept"), [("48 0f 44 fe", Value("entry", Register.DI)), ("0f 44 fe", None)])
def test_a_move_of_half_a_register_cuts_it_also_where_it_is_not_made(move: str, kept: Value | None) -> None:
    results = {path.result for path in paths_of(body("85 d2", move, "48 89 f8 c3")) or []}  # cmove rdi, rsi; mov rax, rdi
    assert results == {kept, Value("entry", Register.SI) if kept else None}


def test_a_test_of_the_whole_register_says_nothing_of_an_int() -> None:
    code = body("55", ("e8", "work"), "48 85 c0", ("0f 8e", "met"), "met:", "5d c3")  # test rax, rax
    assert {path.failed for path in paths_of(code) or []} == {frozenset()}


def test_a_move_on_a_condition_is_two_paths() -> None:
    code = body("55", ("e8", "work"), "85 c0 0f 4f 44 24 08 5d c3")  # test eax, eax; cmovg eax, [rsp+8]
    assert {(path.result, path.failed) for path in paths_of(code) or []} == {
        (Value("loaded", 0), frozenset()),
        (Value("result", 0x400), frozenset({0x400})),
    }


def test_a_call_at_the_end_of_a_function_does_not_return() -> None:
    code = body("85 ff", ("0f 84", "stop"), "31 c0 c3", "stop:", ("e8", "work"))
    assert [path.calls for path in paths_of(code) or []] == [()]


@pytest.mark.parametrize(
    "parts",
    [
        ("",),
        ("90",),  # it goes on behind its end
        ("55 c3",),  # the stack pointer is not where it was
        ("48 89 e0 48 89 c4 c3",),  # mov rax, rsp; mov rsp, rax
        ("83 ec 08 83 c4 08 c3",),  # sub esp, 8: half of it
        ("5c c3",),  # pop rsp
        ("ff e0",),
        ("0f 05 c3",),
        (("e9", "work"),),
        ("again:", ("e8", "work"), ("e9", "again")),
    ],
)
def test_a_function_that_is_not_understood_whole_has_no_paths(parts: tuple[Part, ...]) -> None:
    assert paths_of(body(*parts)) is None
