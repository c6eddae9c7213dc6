"""What differs between machines: it is what the kernel's own headers say, and stands in one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel.machine import MACHINES, Machine

HEADERS = Path("/usr/lib/linux/uapi")  # of linux-libc-dev, those of all machines since Debian 13
NAMES = {"x86_64": "x86", "aarch64": "arm64"}
SOURCES = Path(__file__).parents[3] / "agentsight_rx/sources"
# A register, or a number where the code asks which system call it is
REGISTERS = re.compile(
    r"ctx->(?!args)\w|->(?:di|si|ax|bx|cx|dx|bp|ip|r\d+|regs|pc)\b|case \d|number [=!]= \d|call [=!]= \d|>> 4[78]\b"
)
each_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))


def numbers_of(machine: Machine) -> dict[str, int]:
    """Of the header `asm/unistd_64.h` of the machine."""
    header = HEADERS / NAMES[machine.name] / "asm/unistd_64.h"
    if not header.is_file():
        pytest.skip(f"there is no {header}: install linux-libc-dev of Debian 13")
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", header.read_text())}


@each_machine
def test_system_calls_have_the_numbers_of_the_kernel_s_header(machine: Machine) -> None:
    found = numbers_of(machine)
    names = {"sendfile64": "sendfile"}  # as the tracepoint is named: as the header names it
    assert machine.calls == {name: found[names.get(name, name)] for name in machine.calls}
    every = {name for each in MACHINES.values() for name in each.calls}
    missing = {names.get(name, name) for name in every - machine.calls.keys()}
    assert missing.isdisjoint(found), "it has the call, and the table does not"


@each_machine
def test_the_numbers_of_system_calls_fit_their_table(machine: Machine) -> None:
    assert len(set(machine.calls.values())) == len(machine.calls)
    assert max(machine.calls.values()) < 512  # CALLS_MOST of bpf/track.h


def test_all_machines_have_the_same_macros_and_a_number_for_each_call() -> None:
    names = {each.name: re.findall(r"#define ([^ (]+)", each.header) for each in MACHINES.values()}
    assert len({tuple(each) for each in names.values()}) == 1
    for each in MACHINES.values():
        numbers = re.findall(r"#define NR_\w+ (\d+)", each.header)
        assert len(set(numbers)) == len(numbers), "a call that a machine does not have has a number of its own"


def test_no_program_of_the_kernel_names_a_register_or_a_number_of_a_machine() -> None:
    for file in sorted((SOURCES / "bpf").glob("*.[ch]")):
        text = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        assert [] == REGISTERS.findall(text), file.name
