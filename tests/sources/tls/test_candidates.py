"""Which files may have the TLS of a command, on directories made for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentsight_rx.sources.tls.candidates import describe, tls_candidates
from agentsight_rx.sources.tls.commands import Resolved
from agentsight_rx.sources.tls.libraries import system_libraries
from tests.sources.tls import make_program


@pytest.mark.parametrize(
    "place",
    [
        "lib/libssl.so.1.1",
        "lib/python3.12/site-packages/psycopg_binary.libs/libother-6a9b88ec.so.3",
        "lib/python3.12/lib-dynload/_ssl.cpython-312.so",
        "lib/libpython3.12.so.1.0",
    ],
)
def test_libraries_below_the_prefix_of_an_interpreter_are_candidates(libssl: Path, tmp_path: Path, place: str) -> None:
    python = make_program(tmp_path / "env/bin/python3")
    bundled = tmp_path / "env" / place
    bundled.parent.mkdir(parents=True)
    shutil.copy(libssl, bundled)
    make_program(bundled.parent / "libssl-none.so")
    assert [str(bundled), *map(str, system_libraries())] == tls_candidates(python)


def test_a_virtual_environment_and_its_installation_are_both_searched(libssl: Path, tmp_path: Path) -> None:
    installed = make_program(tmp_path / "conda/bin/python3.12")
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to("python3")
    (tmp_path / "venv/bin/python3").symlink_to(installed)
    expected = [tmp_path / "venv/lib/python3.12/site-packages/a.libs/liba-1.so", tmp_path / "conda/lib/libssl.so.3"]
    for place in expected:
        place.parent.mkdir(parents=True)
        shutil.copy(libssl, place)
    assert list(map(str, [*expected, *system_libraries()])) == tls_candidates(str(tmp_path / "venv/bin/python"))


def test_a_program_with_functions_of_its_own_comes_first(libssl: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin/agent"
    program.parent.mkdir()
    shutil.copy(libssl, program)
    assert tls_candidates(str(program))[0] == str(program)
    resolved = Resolved(str(program), (str(program),))
    assert describe(resolved, tls_candidates(str(program))) == f"{program}: TLS of its own in {program}"


def test_the_description_is_one_line(tmp_path: Path) -> None:
    program = make_program(tmp_path / "agent")
    resolved = Resolved(program, (program,))
    assert describe(resolved, []) == f"{program}: no TLS of its own; it is read in the libraries that are loaded"
    native = make_program(tmp_path / "native", trailing=b"/cargo/aws-lc/crypto/fipsmodule/cipher/aead.c")
    launcher = Resolved(program, ("/x/agent.js", program), (native,))
    assert describe(launcher, []) == (
        f"/x/agent.js -> {program}: {native} looks like rustls with aws-lc, whose TLS cannot be read"
    )
