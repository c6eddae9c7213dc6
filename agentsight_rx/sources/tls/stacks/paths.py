"""
Machine code of a function -> its paths: which functions it calls on each, with what in registers, and what it returns.

What a register holds is followed through the instructions that x86_code.py knows. Anything else, a jump to where is not known
and a stack pointer that is not known end the attempt: what is said here is right for every call of the function.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .x86_code import Instruction, Memory, Register, is_emulated, read_instruction

__all__ = ["ARGUMENTS", "Call", "Path", "Registers", "Value", "behind_begin", "paths_of"]

ARGUMENTS = (Register.DI, Register.SI, Register.DX, Register.CX, Register.R8)
_STEPS_MOST = 2000  # of one function, over all its paths; SSL_read takes 60
_CALLS_MOST = 8  # on one path
_KEEP_FLAGS = frozenset({"mov", "movsxd", "lea", "push", "pop", "j", "jmp", "nop", "endbr64", "cmov"})
_FAILED_IF = {"le": True, "s": True, "g": False, "ns": False}  # what a condition says of a number that is not above 0
_FLAGS = Register.COUNT  # stands behind the registers: what the last test was of
_R10, _R11 = 10, 11
_CLOBBERED = (Register.AX, *ARGUMENTS, Register.R9, _R10, _R11, _FLAGS)  # by a call


class Value(NamedTuple):
    """
    What a register holds. `kind` says what `number` is. `entry`: the register that held this when the function began; `stack`:
    bytes from where the stack pointer was then; `loaded`: the place on the stack that it was read from, in the same way;
    `number`: itself; `result`: the place of the function that returned it.
    """

    kind: str
    number: int

    @property
    def is_failure(self) -> bool:
        """Whether it is a number, and not above 0."""
        return self.kind == "number" and self.number <= 0


Registers: TypeAlias = tuple[Value | None, ...]
_BEGIN: Registers = (
    *(Value("stack", 0) if number == Register.SP else Value("entry", number) for number in range(Register.COUNT)),
    None,
)


class Call(NamedTuple):
    target: int
    registers: Registers


class Path(NamedTuple):
    """
    From the begin of a function to a return: its calls, what it returns, and the functions among those called whose result is
    known not to be above 0.
    """

    calls: tuple[Call, ...]
    result: Value | None
    failed: frozenset[int]


class _State(NamedTuple):
    at: int
    registers: Registers = _BEGIN
    calls: tuple[Call, ...] = ()
    failed: frozenset[int] = frozenset()


def paths_of(code: bytes) -> list[Path] | None:
    """Every path through a function, None where it does something that is not understood here or leads out of it."""
    paths: list[Path] = []
    work, seen = [_State(0)], set[_State]()
    while work:
        state = work.pop()
        if state in seen:
            continue
        seen.add(state)
        one = read_instruction(code, state.at) if 0 <= state.at < len(code) else None
        if one is None or len(seen) > _STEPS_MOST or len(state.calls) > _CALLS_MOST:
            return None
        if one.name == "ret":
            if state.registers[Register.SP] != Value("stack", 0):
                return None
            paths.append(Path(state.calls, state.registers[Register.AX], state.failed))
            continue
        following = _following(one, state, len(code))
        if following is None:
            return None
        work += following
    return paths


def _following(one: Instruction, state: _State, end: int) -> list[_State] | None:
    """The states that may come behind this instruction; None where the stack pointer is no longer known."""
    behind = state.at + one.size
    if one.name == "call":
        assert one.target is not None
        if behind == end:
            return []  # it does not return: a failure that ends the program
        call = Call(one.target, state.registers)
        registers, failed = _after_call(one.target, state.registers), state.failed - {one.target}
        return [_State(behind, registers, (*state.calls, call), failed)]
    if one.name == "jmp":
        assert one.target is not None
        return [state._replace(at=one.target)]
    after = _after(one, state.registers)
    if after is None:
        return None
    met = state._replace(at=behind if one.target is None else one.target, registers=after, failed=_failed(one, state, met=True))
    if one.condition is None:
        return [met]
    unmet = state._replace(at=behind, failed=_failed(one, state, met=False))
    return [met, unmet if one.to is None else unmet._replace(registers=_kept(one, one.to, state.registers))]


def _kept(one: Instruction, to: int, registers: Registers) -> Registers:
    """The registers behind a move whose condition is not met: one of 32 bits cuts the register all the same."""
    kept = registers[to] if one.wide else _half(registers[to])
    return (*registers[:to], kept, *registers[to + 1 :])


def _failed(one: Instruction, state: _State, *, met: bool) -> frozenset[int]:
    """With what a condition that is met, or is not, says of the result that was tested."""
    tested = state.registers[_FLAGS]
    if one.condition not in _FAILED_IF or tested is None or tested.kind != "result":
        return state.failed
    return state.failed | {tested.number} if _FAILED_IF[one.condition] == met else state.failed


def behind_begin(code: bytes, kept: frozenset[int]) -> int | None:
    """
    The first place from the begin on that every call passes, with these registers as they were, and whose instruction the
    kernel emulates under a probe. That no jump of the function leads to it or skips the begin has to be known besides.
    """
    registers, at = _BEGIN, 0
    while not is_emulated(code[at:]):
        one = read_instruction(code, at)
        if one is None or one.name in ("call", "ret"):
            return None
        after = _after(one, registers)
        if after is None or any(after[each] != _BEGIN[each] for each in kept):
            return None
        registers, at = after, at + one.size
    return at


def _after_call(target: int, registers: Registers) -> Registers:
    known = list(registers)
    for each in _CLOBBERED:
        known[each] = None
    known[Register.AX] = Value("result", target)
    return tuple(known)


def _after(one: Instruction, registers: Registers) -> Registers | None:
    """The registers behind any other instruction; None where the stack pointer is no longer known."""
    known = list(registers)
    stack = registers[Register.SP]
    if stack is None:
        return None
    if one.name in ("push", "pop"):
        known[Register.SP] = Value("stack", stack.number + (8 if one.name == "pop" else -8))
    elif one.name in ("add", "sub") and one.to == Register.SP:
        if one.number is None or not one.wide:
            return None
        known[Register.SP] = Value("stack", stack.number + (one.number if one.name == "add" else -one.number))
    if one.name not in _KEEP_FLAGS:
        known[_FLAGS] = None  # changed
    if one.name == "test" and isinstance(one.first, int) and one.first == one.second and not one.wide:  # an int
        known[_FLAGS] = registers[one.first]
    to = one.to
    if to == Register.SP:
        return tuple(known) if one.name in ("add", "sub") else None
    if to is not None:
        known[to] = _written(one, to, registers)
    return tuple(known)


def _written(one: Instruction, to: int, registers: Registers) -> Value | None:
    match one.name:
        case "mov" if one.number is not None:
            return Value("number", one.number)
        case "mov":
            return _copied(one, registers)
        case "lea" if isinstance(one.second, Memory) and one.wide:
            return _on_stack("stack", one.second, registers)
        case "xor" if one.second == to:
            return Value("number", 0)
        case "or" if one.number == -1:
            return Value("number", -1)
        case "cmov":  # where its condition is met
            return _copied(one, registers)
        case _:
            return None


def _copied(one: Instruction, registers: Registers) -> Value | None:
    if isinstance(one.second, Memory):
        return _on_stack("loaded", one.second, registers)
    source = registers[one.second] if one.second is not None else None
    return source if one.wide else _half(source)


def _half(value: Value | None) -> Value | None:
    """What the lower half of a register holds where the whole holds this."""
    return value if value is not None and value.kind in ("number", "result") else None


def _on_stack(kind: str, memory: Memory, registers: Registers) -> Value | None:
    base = registers[memory.base] if memory.base is not None else None
    return Value(kind, base.number + memory.offset) if base is not None and base.kind == "stack" else None
