"""What a command comes down to, which files may have its TLS, and what a file looks like; on directories made for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.sources.tls.discovery import Resolved, describe, resolve, search_path, tls_candidates
from agentsight_rx.sources.tls.libraries import (
    Finder,
    Library,
    file_id,
    inspect,
    looks_like,
    mapped_files,
    open_file,
    system_libraries,
    unreadable,
    users_of,
)

TRUE = Path(os.path.realpath("/bin/true"))


def _program(path: Path, *, behind: bytes = b"") -> str:
    """Machine code for this machine, with some bytes behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TRUE.read_bytes() + behind)
    path.chmod(0o755)
    return str(path)


def _script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A directory that is the whole PATH, with a node and a shell in it."""
    for name in ("node", "sh"):
        _program(tmp_path / "bin" / name)
    return tmp_path / "bin"


def _resolve(command: str, bin: Path) -> Resolved:
    return resolve(command, env={"PATH": str(bin)})


# -- a command -> its program ------------------------------------------------------------------------------------------


def test_a_program_is_found_in_path_or_where_it_is_said_to_be(bin: Path) -> None:
    node = str(bin / "node")
    assert Resolved(node, (node,)) == _resolve("node", bin) == _resolve(node, bin)


def test_links_are_followed_and_remembered(bin: Path) -> None:
    (bin / "nodejs").symlink_to("node")
    found = _resolve("nodejs", bin)
    assert found.path == str(bin / "node")
    assert found.chain == (str(bin / "nodejs"), str(bin / "node"))


@pytest.mark.parametrize(
    "line",
    [
        "#!/usr/bin/env node",
        "#! /usr/bin/env node",
        "#!/usr/bin/env -S node --no-warnings",
        "#!/usr/bin/env -S -i A=b node",
        "#!/usr/bin/env -vS node",
        "#!/usr/bin/env --split-string=node --no-warnings",
        "#!/usr/bin/env -u NODE_OPTIONS node",
        "#!/usr/bin/env A=b C=d node",
        "#!/opt/a-Sb/env node",
        "#!/usr/bin/env -S 'node' \"--title=a b\"",
    ],
)
def test_env_is_seen_through(bin: Path, line: str) -> None:
    script = _script(bin / "agent", line + "\nrun()\n")
    assert Resolved(str(bin / "node"), (script, str(bin / "node"))) == _resolve("agent", bin)


def test_env_may_say_where_to_look(bin: Path, tmp_path: Path) -> None:
    other = _program(tmp_path / "other" / "node")
    _script(bin / "agent", f"#!/usr/bin/env -S PATH={tmp_path}/other node\n")
    assert _resolve("agent", bin).path == other


def test_an_interpreter_may_be_a_script_again(bin: Path) -> None:
    inner = _script(bin / "runner", f"#!{bin}/node --flag\n")
    outer = _script(bin / "agent", f"#!{inner}\n")
    assert _resolve("agent", bin).chain == (outer, inner, str(bin / "node"))


@pytest.mark.parametrize(
    "text",
    [
        'exec node /opt/agent.js "$@"',
        'exec -a agent node /opt/agent.js "$@"\n\n# the end',
        'if true; then\n  exec "$HERE/other"\nfi\n  exec "node" "$@"',
    ],
)
def test_a_shell_script_is_what_it_becomes_last(bin: Path, text: str) -> None:
    script = _script(bin / "agent", f"#!{bin}/sh\n{text}\n")
    assert _resolve("agent", bin).chain == (script, str(bin / "node"))


def test_a_long_path_of_an_interpreter_hides_in_a_shell_script(bin: Path) -> None:
    _script(bin / "agent", f"#!{bin}/sh\n'''exec' \"{bin}/node\" \"$0\" \"$@\"\n' '''\nimport agent\n")
    assert _resolve("agent", bin).path == str(bin / "node")


@pytest.mark.parametrize(
    "text", ["node agent.js", 'exec "$HERE/node"', "exec $(which node)", "exec no-such-program", "exec 3>&1"]
)
def test_what_a_shell_script_may_become_is_not_guessed(bin: Path, text: str) -> None:
    _script(bin / "agent", f"#!{bin}/sh\n{text}\n")
    assert _resolve("agent", bin).path == str(bin / "sh")


def test_scripts_that_run_each_other_end(bin: Path) -> None:
    _script(bin / "one", f"#!{bin}/two\n")
    _script(bin / "two", f"#!{bin}/one\n")
    with pytest.raises(CaptureError, match="cannot be followed"):
        _resolve("one", bin)
    _script(bin / "self", f"#!{bin}/sh\nexec self\n")
    assert _resolve("self", bin).path == str(bin / "sh")


def test_what_is_not_found_is_said(bin: Path) -> None:
    with pytest.raises(UsageError, match=rf"command not found: 'agent' \(it is not in PATH, '{bin}'\)"):
        _resolve("agent", bin)
    with pytest.raises(UsageError, match="no such file that may be run"):
        _resolve(f"{bin}/agent", bin)
    (bin / "agent").mkdir()
    with pytest.raises(UsageError):
        _resolve("agent", bin)


def test_a_file_that_may_not_be_run_is_passed_over(bin: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "node").write_text("")
    assert resolve("node", env={"PATH": f"{first}:{bin}"}).path == str(bin / "node")


def test_what_cannot_be_followed_is_said(bin: Path) -> None:
    _script(bin / "agent", "#!/usr/bin/env deno\n")
    with pytest.raises(CaptureError, match=r"wants 'deno' to run it \(its first line is '#!/usr/bin/env deno'\)"):
        _resolve("agent", bin)
    _script(bin / "text", "hello\n")
    with pytest.raises(CaptureError, match="neither a program for this machine nor a script"):
        _resolve("text", bin)


# -- under sudo --------------------------------------------------------------------------------------------------------


def test_the_newest_version_comes_first_by_number(bin: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for version in ("v9.11.2", "v20.3.0", "v20.11.1", "v8.17.0"):
        _program(home / ".nvm/versions/node" / version / "bin" / "claude")
    found = resolve("claude", env={"PATH": str(bin)}, home=home)
    assert found.path == str(home / ".nvm/versions/node/v20.11.1/bin/claude")


@pytest.mark.parametrize(
    "place",
    [
        ".local/bin",
        "bin",
        ".local/share/fnm/node-versions/v20.1.0/installation/bin",
        ".volta/bin",
        ".local/share/mise/installs/node/22.1/bin",
        ".bun/bin",
    ],
)
def test_programs_of_the_invoking_user_are_found(bin: Path, tmp_path: Path, place: str) -> None:
    program = _program(tmp_path / "home" / place / "agent")
    assert resolve("agent", env={"PATH": str(bin)}, home=tmp_path / "home").path == program
    with pytest.raises(UsageError):
        resolve("agent", env={"PATH": str(bin)})


def test_path_comes_before_what_is_at_home(bin: Path, tmp_path: Path) -> None:
    _program(tmp_path / "home/.local/bin/node")
    assert resolve("node", env={"PATH": str(bin)}, home=tmp_path / "home").path == str(bin / "node")
    assert search_path({"PATH": str(bin)}) == str(bin)


# -- packages of npm ---------------------------------------------------------------------------------------------------

MEGABYTE = b"\0" * (1 << 20)


def _package(modules: Path, name: str, *, optional: str = "{}") -> Path:
    package = modules / name
    package.mkdir(parents=True)
    (package / "package.json").write_text(f'{{"name": "{name}", "optionalDependencies": {optional}}}')
    return package


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_launcher_has_its_program_in_a_package_for_the_platform(bin: Path, tmp_path: Path, nested: bool, named: bool) -> None:
    modules = tmp_path / "lib/node_modules"
    platform = "@acme/agent-native-linux-x64" if named else "@acme/agent-linux-x64"
    package = _package(modules, "@acme/agent", optional=f'{{"{platform}": "1.0"}}' if named else "{}")
    script = _script(package / "bin/agent.js", "#!/usr/bin/env node\n")
    (bin / "agent").symlink_to(script)
    around = package / "node_modules" if nested else modules
    program = _program(around / platform / "vendor/x86_64/agent", behind=MEGABYTE)
    _program(around / platform / "vendor/x86_64/small")
    (around / platform / "data").write_bytes(MEGABYTE * 2)
    found = _resolve("agent", bin)
    assert found.path == str(bin / "node")
    assert found.others == (program,)


def test_a_program_in_the_package_itself_is_found(bin: Path, tmp_path: Path) -> None:
    package = _package(tmp_path / "lib/node_modules", "agent")
    _script(bin / "x", "#!/usr/bin/env node\n")
    (bin / "agent").symlink_to(_script(package / "cli.js", "#!/usr/bin/env node\n"))
    program = _program(package / "vendor/agent", behind=MEGABYTE)
    _program(package / "node_modules/other/agent", behind=MEGABYTE)
    assert _resolve("agent", bin).others == (program,)


@pytest.mark.parametrize("text", ["[", "[]", '{"name": 1}', '{"name": "../..", "optionalDependencies": {"**/linux": "1"}}'])
def test_a_package_file_that_is_none_is_no_harm(bin: Path, tmp_path: Path, text: str) -> None:
    package = _package(tmp_path / "lib/node_modules", "agent")
    (package / "package.json").write_text(text)
    (bin / "agent").symlink_to(_script(package / "cli.js", "#!/usr/bin/env node\n"))
    assert _resolve("agent", bin).others == ()


# -- what to probe -----------------------------------------------------------------------------------------------------


@pytest.fixture
def libssl() -> Path:
    libraries = system_libraries()
    if not libraries:
        pytest.skip("there is no libssl that could be copied")
    return libraries[0]


@pytest.mark.parametrize(
    "place",
    [
        "lib/libssl.so.1.1",
        "lib/python3.12/site-packages/psycopg_binary.libs/libother-6a9b88ec.so.3",
        "lib/python3.12/lib-dynload/_ssl.cpython-312.so",
        "lib/libpython3.12.so.1.0",
    ],
)
def test_what_an_interpreter_brings_is_a_candidate(libssl: Path, tmp_path: Path, place: str) -> None:
    python = _program(tmp_path / "env/bin/python3")
    bundled = tmp_path / "env" / place
    bundled.parent.mkdir(parents=True)
    shutil.copy(libssl, bundled)
    _program(bundled.parent / "libssl-none.so")
    assert [str(bundled), *map(str, system_libraries())] == tls_candidates(python)


def test_a_virtual_environment_and_what_it_was_made_of_are_both_looked_at(libssl: Path, tmp_path: Path) -> None:
    installed = _program(tmp_path / "conda/bin/python3.12")
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


def test_one_line_says_what_was_found(tmp_path: Path) -> None:
    program = _program(tmp_path / "agent")
    resolved = Resolved(program, (program,))
    assert describe(resolved, []) == f"{program}: no TLS of its own; it is read in the libraries that are loaded"
    native = _program(tmp_path / "native", behind=b"/cargo/aws-lc/crypto/fipsmodule/cipher/aead.c")
    launcher = Resolved(program, ("/x/agent.js", program), (native,))
    assert describe(launcher, []) == (
        f"/x/agent.js -> {program}: {native} looks like rustls with aws-lc, whose TLS cannot be read"
    )


# -- what a file looks like --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (b"/build/vendor/boringssl/ssl/ssl_lib.cc\0", "BoringSSL as in Bun"),
        (b"third_party/boringssl/ssl/ssl_lib.cc\0", "BoringSSL"),
        (b"/registry/aws-lc-sys/aws-lc/crypto/fipsmodule/cipher/aead.c\0", "rustls with aws-lc"),
        (b"/rustls-0.23.16/src/crypto/ring/tls13.rs", "rustls with ring"),
        (b"crypto/tls.(*Conn).Write\0", "Go crypto/tls"),
        (b"ssl_write_internal\0ssl/ssl_lib.c\0", "OpenSSL 3 without symbols"),
        (b"ssl/ssl_lib.c\0", "OpenSSL without symbols"),
        (b"gnutls_record_send2\0", "GnuTLS"),
        (b"SSL_ImportFD\0", "NSS"),
        (b"ssl_write_internal\0/rustls-0.23.16/src/crypto/ring/tls13.rs", "rustls with ring and OpenSSL 3 without symbols"),
    ],
)
def test_a_file_without_symbols_is_told_by_what_stands_in_it(tmp_path: Path, mark: bytes, name: str) -> None:
    program = _program(tmp_path / "agent", behind=b"\0" + mark)
    assert inspect(program) is None
    assert looks_like(program) == name
    assert f"(it looks like {name}): its TLS cannot be read" in unreadable(program)


def test_a_file_without_tls_is_told_too(tmp_path: Path) -> None:
    program = _program(tmp_path / "agent")
    assert looks_like(program) == ""
    assert "its TLS may be in a library that it loads; name that library, or watch the process with --pid" in unreadable(
        program
    )


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"\x7fELF" + b"SSL_write\0" * 20, TRUE.read_bytes()[:99] + b"SSL_write"]
)
def test_a_file_that_is_no_program_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CaptureError, match="no program or library that can be probed"):
        inspect(file)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null"), tmp_path / "nothing"):
        with pytest.raises(CaptureError):
            open_file(path)


def test_the_functions_are_found_where_the_linker_sees_them(libssl: Path) -> None:
    library = inspect(libssl)
    assert library is not None
    assert {"SSL_read", "SSL_write", "SSL_read_ex", "SSL_free"} <= library.offsets.keys()
    assert not {"SSL_write_ex", "SSL_write_ex2"} <= library.offsets.keys()
    assert len(set(library.offsets.values())) == len(library.offsets)


# -- which files are in use --------------------------------------------------------------------------------------------


def test_a_file_is_looked_into_once_whatever_its_path(libssl: Path, tmp_path: Path) -> None:
    found: list[Library] = []
    finder = Finder(lambda library, _: found.append(library))
    copy, link = tmp_path / "libssl-1.so", tmp_path / "libssl-2.so"
    shutil.copy(libssl, copy)
    link.hardlink_to(copy)
    assert [finder.attempt(str(path)) for path in (copy, link, copy)] == [True] * 3
    assert [library.path for library in found] == [str(copy)]
    assert finder.attempt(str(TRUE)) is False
    assert finder.attempt(str(tmp_path / "nothing")) is None
    shutil.copy(libssl, tmp_path / "other")
    assert finder.attempt(str(tmp_path / "other"))
    assert len(found) == 2


def test_a_file_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a")
    with path.open("rb") as file:
        before = file_id(file)
    os.utime(path, (1, 1))
    with path.open("rb") as file:
        assert file_id(file) != before


def test_a_refusal_of_the_kernel_is_no_end(libssl: Path) -> None:
    def refuse(_: Library, __: str) -> None:
        raise CaptureError("the kernel refused the probes")

    finder = Finder(refuse)
    assert finder.attempt(str(libssl)) is False
    assert finder.attempt(str(libssl)) is False


def test_this_process_maps_its_own_program() -> None:
    mapped = list(mapped_files((os.getpid(), os.getpid(), 1 << 30)))
    program = os.path.realpath("/proc/self/exe")
    (one,) = [each for each in mapped if each.path == program]
    assert one.name == program
    assert os.path.samefile(one.place, program)
    assert one.inode == os.stat(program).st_ino
    assert len({(each.device, each.inode) for each in mapped}) == len(mapped)
    assert os.getpid() in users_of([program])
    assert users_of([]) == set()
