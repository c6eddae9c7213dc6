"""What a command comes down to, on directories made for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.sources.tls.commands import Resolved, resolve, search_path
from tests.sources.tls import make_program, make_script


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A directory that is the whole PATH, with a node and a shell in it."""
    for name in ("node", "sh"):
        make_program(tmp_path / "bin" / name)
    return tmp_path / "bin"


def _resolve(command: str, bin: Path) -> Resolved:
    return resolve(command, env={"PATH": str(bin)})


def test_a_program_is_found_in_path_or_at_its_path(bin: Path) -> None:
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
def test_of_env_its_argument_counts(bin: Path, line: str) -> None:
    script = make_script(bin / "agent", line + "\nrun()\n")
    assert Resolved(str(bin / "node"), (script, str(bin / "node"))) == _resolve("agent", bin)


def test_env_may_set_the_path(bin: Path, tmp_path: Path) -> None:
    other = make_program(tmp_path / "other" / "node")
    make_script(bin / "agent", f"#!/usr/bin/env -S PATH={tmp_path}/other node\n")
    assert _resolve("agent", bin).path == other


def test_an_interpreter_may_be_a_script_again(bin: Path) -> None:
    inner = make_script(bin / "runner", f"#!{bin}/node --flag\n")
    outer = make_script(bin / "agent", f"#!{inner}\n")
    assert _resolve("agent", bin).chain == (outer, inner, str(bin / "node"))


@pytest.mark.parametrize(
    "text",
    [
        'exec node /opt/agent.js "$@"',
        'exec -a agent node /opt/agent.js "$@"\n\n# the end',
        'if true; then\n  exec "$HERE/other"\nfi\n  exec "node" "$@"',
    ],
)
def test_a_shell_script_is_the_program_of_its_last_exec(bin: Path, text: str) -> None:
    script = make_script(bin / "agent", f"#!{bin}/sh\n{text}\n")
    assert _resolve("agent", bin).chain == (script, str(bin / "node"))


def test_a_long_interpreter_path_inside_a_shell_script_is_found(bin: Path) -> None:
    make_script(bin / "agent", f"#!{bin}/sh\n'''exec' \"{bin}/node\" \"$0\" \"$@\"\n' '''\nimport agent\n")
    assert _resolve("agent", bin).path == str(bin / "node")


@pytest.mark.parametrize(
    "text", ["node agent.js", 'exec "$HERE/node"', "exec $(which node)", "exec no-such-program", "exec 3>&1"]
)
def test_the_program_of_a_shell_script_is_not_guessed(bin: Path, text: str) -> None:
    make_script(bin / "agent", f"#!{bin}/sh\n{text}\n")
    assert _resolve("agent", bin).path == str(bin / "sh")


def test_scripts_that_run_each_other_end(bin: Path) -> None:
    make_script(bin / "one", f"#!{bin}/two\n")
    make_script(bin / "two", f"#!{bin}/one\n")
    with pytest.raises(CaptureError, match="cannot be followed"):
        _resolve("one", bin)
    make_script(bin / "self", f"#!{bin}/sh\nexec self\n")
    assert _resolve("self", bin).path == str(bin / "sh")


def test_a_missing_command_is_an_error(bin: Path) -> None:
    with pytest.raises(UsageError, match=rf"command not found: 'agent' \(it is not in PATH, '{bin}'\)"):
        _resolve("agent", bin)
    with pytest.raises(UsageError, match="no such file that may be run"):
        _resolve(f"{bin}/agent", bin)
    (bin / "agent").mkdir()
    with pytest.raises(UsageError):
        _resolve("agent", bin)


def test_a_file_without_the_execute_bit_is_skipped(bin: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "node").write_text("")
    assert resolve("node", env={"PATH": f"{first}:{bin}"}).path == str(bin / "node")


def test_a_command_that_cannot_be_followed_is_an_error(bin: Path) -> None:
    make_script(bin / "agent", "#!/usr/bin/env deno\n")
    with pytest.raises(CaptureError, match=r"wants 'deno' to run it \(its first line is '#!/usr/bin/env deno'\)"):
        _resolve("agent", bin)
    make_script(bin / "text", "hello\n")
    with pytest.raises(CaptureError, match="neither a program for this machine nor a script"):
        _resolve("text", bin)


# -- under sudo --------------------------------------------------------------------------------------------------------


def test_the_newest_version_comes_first_by_number(bin: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for version in ("v9.11.2", "v20.3.0", "v20.11.1", "v8.17.0"):
        make_program(home / ".nvm/versions/node" / version / "bin" / "claude")
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
    program = make_program(tmp_path / "home" / place / "agent")
    assert resolve("agent", env={"PATH": str(bin)}, home=tmp_path / "home").path == program
    with pytest.raises(UsageError):
        resolve("agent", env={"PATH": str(bin)})


def test_path_comes_before_what_is_at_home(bin: Path, tmp_path: Path) -> None:
    make_program(tmp_path / "home/.local/bin/node")
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
    script = make_script(package / "bin/agent.js", "#!/usr/bin/env node\n")
    (bin / "agent").symlink_to(script)
    around = package / "node_modules" if nested else modules
    program = make_program(around / platform / "vendor/x86_64/agent", trailing=MEGABYTE)
    make_program(around / platform / "vendor/x86_64/small")
    (around / platform / "data").write_bytes(MEGABYTE * 2)
    found = _resolve("agent", bin)
    assert found.path == str(bin / "node")
    assert found.others == (program,)


def test_a_program_in_the_package_itself_is_found(bin: Path, tmp_path: Path) -> None:
    package = _package(tmp_path / "lib/node_modules", "agent")
    make_script(bin / "x", "#!/usr/bin/env node\n")
    (bin / "agent").symlink_to(make_script(package / "cli.js", "#!/usr/bin/env node\n"))
    program = make_program(package / "vendor/agent", trailing=MEGABYTE)
    make_program(package / "node_modules/other/agent", trailing=MEGABYTE)
    assert _resolve("agent", bin).others == (program,)


@pytest.mark.parametrize("text", ["[", "[]", '{"name": 1}', '{"name": "../..", "optionalDependencies": {"**/linux": "1"}}'])
def test_an_invalid_package_file_is_ignored(bin: Path, tmp_path: Path, text: str) -> None:
    package = _package(tmp_path / "lib/node_modules", "agent")
    (package / "package.json").write_text(text)
    (bin / "agent").symlink_to(make_script(package / "cli.js", "#!/usr/bin/env node\n"))
    assert _resolve("agent", bin).others == ()
