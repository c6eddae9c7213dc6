"""
Machine code of a function -> its paths: which functions it calls on each, with what in registers, and what it returns.

What registers and the stack hold is followed through the instructions that x86_code.py knows. Anything else, a jump to where is
not known and a stack pointer that is not known end the attempt: the result is right for every call of the function, as far as
all code keeps to the ABI.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .x86_code import Instruction, Memory, Register, is_emulated, read_instruction

ARGUMENTS = (Register.DI, Register.SI, Register.DX, Register.CX, Register.R8)
_STEPS_MOST = 2000  # of one function, over all its paths; SSL_read takes 60
_CALLS_MOST = 8  # on one path
_KEEP_FLAGS = frozenset({"mov", "movsxd", "lea", "push", "pop", "j", "jmp", "nop", "endbr64", "cmov"})
_FAILED_IF = {"le": True, "s": True, "g": False, "ns": False}  # what a condition says of a number that is not above 0
_UNWRITTEN = frozenset({"cmp", "test", "nop"})
_WORD = 8  # bytes
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
Slots: TypeAlias = frozenset[tuple[int, Value | None]]


class _Known(NamedTuple):
    """
    The knowledge at a place: the contents of registers, and the values that this function stored on its stack, by bytes from
    where the stack pointer was first. `shared`: others may know an address of this stack, and so write to it.
    """

    registers: Registers
    slots: Slots = frozenset()
    shared: bool = False

    def with_register(self, number: int, value: Value | None) -> _Known:
        return self._replace(registers=(*self.registers[:number], value, *self.registers[number + 1 :]))

    def place_of(self, memory: Memory) -> int | None:
        """Where on the stack this is."""
        base = self.registers[memory.base] if memory.base is not None else None
        return base.number + memory.offset if base is not None and base.kind == "stack" else None

    def stored(self, place: int, value: Value | None) -> _Known:
        """With 8 bytes stored there; value None where it is not known, or fewer bytes."""
        others = {(at, None if abs(at - place) < _WORD else held) for at, held in self.slots if at != place}
        shared = self.shared or (value is not None and value.kind == "stack")
        return self._replace(slots=frozenset({*others, (place, value)}), shared=shared)

    def loaded(self, place: int, *, wide: bool) -> Value | None:
        near = {at: held for at, held in self.slots if abs(at - place) < _WORD}
        if not near:
            return Value("loaded", place)
        return near.get(place) if wide and len(near) == 1 else None


_BEGIN = _Known(
    (
        *(Value("stack", 0) if number == Register.SP else Value("entry", number) for number in range(Register.COUNT)),
        None,
    )
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
    known: _Known = _BEGIN
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
            if state.known.registers[Register.SP] != Value("stack", 0):
                return None
            paths.append(Path(state.calls, state.known.registers[Register.AX], state.failed))
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
        call = Call(one.target, state.known.registers)
        known, failed = _after_call(one.target, state.known), state.failed - {one.target}
        return None if known is None else [_State(behind, known, (*state.calls, call), failed)]
    if one.name == "jmp":
        assert one.target is not None
        return [state._replace(at=one.target)]
    after = _after(one, state.known)
    if after is None:
        return None
    met = state._replace(at=behind if one.target is None else one.target, known=after, failed=_failed(one, state, met=True))
    if one.condition is None:
        return [met]
    unmet = state._replace(at=behind, failed=_failed(one, state, met=False))
    if one.to is None or one.wide:
        return [met, unmet]
    kept = _half(state.known.registers[one.to])  # a move of 32 bits cuts the register also where it is not made
    return [met, unmet._replace(known=state.known.with_register(one.to, kept))]


def _failed(one: Instruction, state: _State, *, met: bool) -> frozenset[int]:
    """With what a condition that is met, or is not, says of the result that was tested."""
    tested = state.known.registers[_FLAGS]
    if one.condition not in _FAILED_IF or tested is None or tested.kind != "result":
        return state.failed
    return state.failed | {tested.number} if _FAILED_IF[one.condition] == met else state.failed


def behind_begin(code: bytes, kept: frozenset[int]) -> int | None:
    """
    The first place from the begin on that every call passes, with these registers as they were, and whose instruction the
    kernel emulates under a probe. That no jump of the function leads to it or skips the begin has to be known besides.
    """
    known, at = _BEGIN, 0
    while not is_emulated(code[at:]):
        one = read_instruction(code, at)
        if one is None or one.name in ("call", "ret"):
            return None
        after = _after(one, known)
        if after is None or any(after.registers[each] != _BEGIN.registers[each] for each in kept):
            return None
        known, at = after, at + one.size
    return at


def _after_call(target: int, known: _Known) -> _Known | None:
    stack = known.registers[Register.SP]
    if stack is None:
        return None
    given = (known.registers[each] for each in (*ARGUMENTS, Register.R9))
    shared = known.shared or any(each is not None and each.kind == "stack" for each in given)
    slots: Slots = frozenset() if shared else frozenset(each for each in known.slots if each[0] >= stack.number)
    registers = tuple(None if each in _CLOBBERED else value for each, value in enumerate(known.registers))
    return _Known(registers, slots, shared).with_register(Register.AX, Value("result", target))


def _after(one: Instruction, known: _Known) -> _Known | None:
    """The knowledge behind any other instruction; None where the stack pointer is not."""
    stack = known.registers[Register.SP]
    if stack is None or (one.to == Register.SP and one.name not in ("add", "sub")):
        return None
    after = known if one.name in _KEEP_FLAGS else known.with_register(_FLAGS, _tested(one, known))
    if one.name == "push":
        place = stack.number - _WORD
        value = known.registers[one.first] if isinstance(one.first, int) else None
        return after.stored(place, value).with_register(Register.SP, Value("stack", place))
    if one.name == "pop" and one.to is not None:
        after = after.with_register(one.to, known.loaded(stack.number, wide=True))
        return after.with_register(Register.SP, Value("stack", stack.number + _WORD))
    if one.to == Register.SP:
        if one.number is None or not one.wide:
            return None
        moved = one.number if one.name == "add" else -one.number
        return after.with_register(Register.SP, Value("stack", stack.number + moved))
    if isinstance(one.first, Memory) and one.name not in _UNWRITTEN:
        return _store(one, one.first, after)
    return after if one.to is None else after.with_register(one.to, _written(one, one.to, known))


def _store(one: Instruction, memory: Memory, known: _Known) -> _Known:
    place = known.place_of(memory)
    value = known.registers[one.second] if isinstance(one.second, int) and one.name == "mov" else None
    if place is not None:
        return known.stored(place, value if one.wide else None)
    shared = known.shared or (value is not None and value.kind == "stack")
    return known._replace(slots=frozenset((at, None) for at, _ in known.slots) if shared else known.slots, shared=shared)


def _tested(one: Instruction, known: _Known) -> Value | None:
    """The int that a test compares with 0."""
    itself = one.name == "test" and isinstance(one.first, int) and one.first == one.second and not one.wide
    return known.registers[one.first] if itself and isinstance(one.first, int) else None


def _written(one: Instruction, to: int, known: _Known) -> Value | None:
    match one.name:
        case "mov" if one.number is not None:
            return Value("number", one.number)
        case "mov" | "cmov":  # the latter where its condition is met
            return _copied(one, known)
        case "lea" if isinstance(one.second, Memory) and one.wide:
            place = known.place_of(one.second)
            return None if place is None else Value("stack", place)
        case "xor" if one.second == to:
            return Value("number", 0)
        case "or" if one.number == -1:
            return Value("number", -1)
        case _:
            return None


def _copied(one: Instruction, known: _Known) -> Value | None:
    if isinstance(one.second, Memory):
        place = known.place_of(one.second)
        return None if place is None else known.loaded(place, wide=one.wide)
    source = known.registers[one.second] if one.second is not None else None
    return source if one.wide else _half(source)


def _half(value: Value | None) -> Value | None:
    """What the lower half of a register holds where the whole holds this."""
    return value if value is not None and value.kind in ("number", "result") else None
