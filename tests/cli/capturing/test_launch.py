"""cli/launch.py with real processes: each test is a small Python program that launches a command, as `record` does."""

from __future__ import annotations

import json
import os
import pty
import pwd
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agentsight_rx.cli.capturing import launch
from agentsight_rx.cli.capturing.launch import exit_status, invoking_user
from agentsight_rx.errors import UsageError

_CLI = str(Path(launch.__file__).parents[1])
_PACKAGE = str(Path(launch.__file__).parents[2])

_DEADLINE_S = 10  # only a broken launch comes near it

# The packages are bare here: the real ones import every part, which takes longer than the tests.
_PRELUDE = f"""
import fcntl, os, select, signal, sys, termios, types
for name, place in (("agentsight_rx", {_PACKAGE!r}), ("agentsight_rx.cli", {_CLI!r})):
    sys.modules[name] = bare = types.ModuleType(name)
    bare.__path__ = [place]
from agentsight_rx.errors import AgentsightError
from agentsight_rx.cli.capturing.launch import Launch, exit_status, forwarding

def end_of(launch):
    while (status := launch.wait()) is None:
        pass
    return exit_status(status)
"""

# `record` in small: what every caller of cli/launch.py does.
_RECORD = """
launch = Launch.fork(sys.argv[1:])
with forwarding(launch):
    try:
        launch.release()
    except AgentsightError as error:
        print(type(error).__name__, error)
        sys.exit(error.exit_status)
    sys.exit(end_of(launch))
"""


@contextmanager
def _started(program: str, *argv: str, before: str = "", stdin: int = subprocess.PIPE) -> Generator[subprocess.Popen[str]]:
    """`program` with `argv`, in a session of its own; `before` is shell text that runs first."""
    command = shlex.join([sys.executable, "-c", _PRELUDE + program, *argv])
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{before}\nexec {command}"],
        env=plain,
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(_DEADLINE_S, _kill, (process.pid,))
    watchdog.start()
    try:
        with process:
            yield process
    finally:
        watchdog.cancel()
        watchdog.join()


def _kill(pid: int) -> None:
    """A program and its command, also one that a broken launch put into another process group."""
    subprocess.run(["pkill", "-KILL", "-P", str(pid)], check=False)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit status, the rest of its output): the input is closed, then all who hold the output must be gone."""
    assert process.stdout
    if process.stdin:
        process.stdin.close()
    output = process.stdout.read()
    return process.wait(), output


def _run(program: str, *argv: str, before: str = "") -> tuple[int, str]:
    with _started(program, *argv, before=before) as process:
        return _end(process)


def _script(directory: Path, text: str) -> Path:
    path = directory / "script"
    path.write_text(text)
    path.chmod(0o755)
    return path


def _bit(number: int) -> int:
    """The place of a signal in the masks of /proc/PID/status."""
    return 1 << (number - 1)


# Exit statuses


@pytest.mark.parametrize(
    ("text", "expected"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)]
)
def test_the_exit_status_is_the_commands(text: str, expected: int) -> None:
    status, _ = _run(_RECORD, "sh", "-c", text)
    assert expected == status


def test_a_wait_status_becomes_what_a_shell_would_say() -> None:
    assert [exit_status(status) for status in (0, 7 << 8, signal.SIGTERM)] == [0, 7, 143]


@pytest.mark.parametrize("name", ["no-such-command-here", "./no-such-file", "/etc/passwd/no-such-file"])
def test_a_command_that_does_not_exist_ends_with_127(name: str) -> None:
    status, output = _run(_RECORD, name)
    assert status == 127
    assert output.startswith(f"UsageError command not found: {name!r}")


def test_a_script_without_its_interpreter_ends_with_127(tmp_path: Path) -> None:
    status, output = _run(_RECORD, str(_script(tmp_path, "#!/no/such/interpreter\n")))
    assert status == 127
    assert "interpreter" in output


def test_a_file_without_the_x_bit_ends_with_126(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_text("#!/bin/sh\n")
    assert (126, f"UsageError cannot execute {str(path)!r}: Permission denied\n") == _run(_RECORD, str(path))


def test_a_file_without_the_x_bit_in_path_ends_with_126(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    status, _ = _run(_RECORD, "plain", before=f"PATH={shlex.quote(str(tmp_path))}:/usr/bin:/bin")
    assert status == 126


def test_a_script_without_a_first_line_ends_with_126_and_a_hint(tmp_path: Path) -> None:
    status, output = _run(_RECORD, str(_script(tmp_path, "echo hello\n")))
    assert status == 126
    assert "#!" in output


def test_what_cannot_be_passed_to_the_kernel_is_one_sentence() -> None:
    program = """
launch = Launch.fork(["echo", "a\\0b"])
try:
    launch.release()
except AgentsightError as error:
    print(type(error).__name__, error.exit_status, error)
print(end_of(launch))
"""
    assert _run(program) == (0, "CaptureError 125 cannot start 'echo': embedded null byte\n125\n")


def test_no_command_at_all_is_a_usage_error() -> None:
    program = """
for argv in ([], [""]):
    try:
        Launch.fork(argv)
    except AgentsightError as error:
        print(type(error).__name__, error.exit_status)
"""
    assert _run(program) == (0, "UsageError 2\n" * 2)


# The barrier


def test_the_command_runs_only_after_release() -> None:
    program = """
launch = Launch.fork(["echo", "the command"])
state = ""
while state not in ("S", "Z"):  # it sleeps at the barrier, or it ran and is dead
    state = open(f"/proc/{launch.pid}/stat").read().rpartition(")")[2].split()[0]
print(state, flush=True)
launch.release()
end_of(launch)
"""
    assert _run(program) == (0, "S\nthe command\n")


def test_on_return_from_release_the_exec_has_happened() -> None:
    program = """
launch = Launch.fork(["cat"])
launch.release()
print(open(f"/proc/{launch.pid}/comm").read(), end="")
print(end_of(launch))
"""
    assert _run(program) == (0, "cat\n0\n")


def test_an_abandoned_command_never_runs_and_ends_with_125() -> None:
    program = """
launch = Launch.fork(["echo", "the command"])
launch.abandon()
launch.abandon()
print(end_of(launch))
"""
    assert _run(program) == (0, "125\n")


def test_the_command_never_runs_if_the_parent_is_killed() -> None:
    program = """
launch = Launch.fork(["echo", "the command"])
print("held", flush=True)
sys.stdin.read()
"""
    with _started(program) as process:
        assert _said(process) == "held"
        process.kill()
        assert _end(process) == (-signal.SIGKILL, "")  # the end of the output is the end of the child too


def test_a_command_killed_at_the_barrier_is_reported_by_its_signal() -> None:
    program = """
launch = Launch.fork(["echo", "the command"])
with forwarding(launch):
    os.killpg(0, signal.SIGINT)  # what Ctrl-C does
    select.select([launch], [], [])
    launch.release()
    print(end_of(launch), launch.send(0))
"""
    assert _run(program) == (0, "130 False\n")


# What the command inherits


def test_argv_and_directory_and_umask_are_passed_as_they_are(tmp_path: Path) -> None:
    program = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), os.umask(0)]))"
    argv = ["", "a b", "*", "$HOME", "--", "-c", "'\"\\", "é\n", "\udcff"]
    before = f"cd {shlex.quote(str(tmp_path))}; umask 037"
    status, output = _run(_RECORD, sys.executable, "-c", program, *argv, before=before)
    assert (0, [argv, str(tmp_path), 0o37]) == (status, json.loads(output))


def test_env_replaces_the_environment_and_its_path_finds_the_command(tmp_path: Path) -> None:
    _script(tmp_path, '#!/bin/sh\necho "$COLOUR ${HOME-none}"\n')
    program = """
launch = Launch.fork(["script"], env={"PATH": sys.argv[1], "COLOUR": "blue"})
launch.release()
end_of(launch)
"""
    assert _run(program, str(tmp_path)) == (0, "blue none\n")


def test_the_command_is_in_our_process_group_and_session() -> None:
    program = "import os; print(os.getpgid(0), os.getsid(0))"
    with _started(_RECORD, sys.executable, "-c", program) as process:
        assert (0, f"{process.pid} {process.pid}\n") == _end(process)


def test_signals_are_at_their_defaults_though_python_ignores_sigpipe() -> None:
    program = """
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
print(signal.getsignal(signal.SIGPIPE).name, flush=True)
launch = Launch.fork(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])
launch.release()
end_of(launch)
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])) == [signal.SIGUSR2])
"""
    by_python = {signal.SIGPIPE, signal.SIGXFSZ}
    kept = {n for n in signal.valid_signals() - by_python if signal.getsignal(n) is signal.SIG_IGN}  # under nohup
    ignored = f"{sum(map(_bit, kept)):016x}"
    expected = ["SIG_IGN", f"SigBlk:\t{0:016x}", f"SigIgn:\t{ignored}", "True"]
    assert expected == _run(program)[1].splitlines()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_the_invoker_ignored_stays_ignored(number: signal.Signals) -> None:
    before = f"trap '' {number.name.removeprefix('SIG')}"
    status, output = _run(_RECORD, "grep", "^SigIgn", "/proc/self/status", before=before)
    assert (0, _bit(number)) == (status, int(output.split()[1], 16) & _bit(number))


def test_an_ignored_sigchld_stays_ignored_and_does_not_cost_us_the_exit_status() -> None:
    program = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)" + _RECORD
    status, output = _run(program, "grep", "^SigIgn", "/proc/self/status")
    assert (0, _bit(signal.SIGCHLD)) == (status, int(output.split()[1], 16) & _bit(signal.SIGCHLD))


# Signals while it runs

# Says each signal of argv[2:] that it gets, argv[1] times. A Python handler could miss the moment before a blocking call.
_LISTENER = """
import signal, sys
awaited = [signal.Signals[name] for name in sys.argv[2:]]
signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    sys.stdout.write(signal.sigwait(awaited).name + "\\n")  # one write: two processes share this pipe
    sys.stdout.flush()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_to_us_is_forwarded(number: signal.Signals) -> None:
    program = "signal.signal(signal.SIGHUP, signal.SIG_DFL)" + _RECORD  # these tests may run under nohup
    with _started(program, sys.executable, "-c", _LISTENER, "1", number.name) as process:
        assert _said(process) == "ready"
        process.send_signal(number)
        assert (0, f"{number.name}\n") == _end(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_what_asks_for_the_end_is_remembered(number: signal.Signals) -> None:
    program = f"""
signal.signal(signal.SIGHUP, signal.SIG_DFL)
launch = Launch.fork(["sleep", "600"])
with forwarding(launch):
    before = launch.asked
    signal.raise_signal({int(number)})
    launch.release()
    print(before, launch.asked, launch.hurry)
    launch.send(signal.SIGKILL)
    end_of(launch)
"""
    asks = number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    assert _run(program) == (0, f"False {asks} False\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_what_the_terminal_sends_to_the_whole_group_is_not_forwarded(number: signal.Signals) -> None:
    with _started(_RECORD, sys.executable, "-c", _LISTENER, "1", number.name, "SIGUSR1") as process:
        assert _said(process) == "ready"
        process.send_signal(number)  # to us alone
        process.send_signal(signal.SIGUSR1)
        assert _end(process) == (0, "SIGUSR1\n")


def test_a_second_sigterm_asks_us_to_hurry() -> None:
    program = """
launch = Launch.fork(sys.argv[1:])
with forwarding(launch):
    launch.release()
    for _ in range(2):
        launch.wait()
        sys.stdout.write("hurry\\n" if launch.hurry else "no hurry\\n")
        sys.stdout.flush()
    sys.exit(end_of(launch))
"""
    with _started(program, sys.executable, "-c", _LISTENER, "2", "SIGTERM") as process:
        assert _said(process) == "ready"
        process.send_signal(signal.SIGTERM)
        assert {"SIGTERM", "no hurry"} == {_said(process), _said(process)}
        process.send_signal(signal.SIGTERM)
        assert {"SIGTERM", "hurry"} == {_said(process), _said(process)}
        assert _end(process) == (0, "")


def test_wait_returns_when_the_time_is_up_and_at_once_after_the_end() -> None:
    program = """
launch = Launch.fork(["true"])
print(launch.wait(0), launch.wait(0.001))
launch.release()
print(launch.wait(), launch.wait())
"""
    assert _run(program) == (0, "None None\n0 0\n")


def test_a_byte_into_the_waker_ends_one_wait() -> None:
    program = """
launch = Launch.fork(["true"])
os.write(launch.waker, b"!")
print(launch.wait())
launch.release()
print(launch.wait())
"""
    assert _run(program) == (0, "None\n0\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_any_signal_after_the_command_is_gone_asks_us_to_hurry(number: signal.Signals) -> None:
    program = """
launch = Launch.fork(["true"])
with forwarding(launch):
    launch.release()
    end_of(launch)
    print(launch.hurry)
    os.kill(os.getpid(), int(sys.argv[1]))
    print(launch.hurry)
"""
    assert _run(program, str(int(number))) == (0, "False\nTrue\n")


def test_forwarding_puts_back_every_handler_and_leaves_ignored_signals_alone() -> None:
    program = """
numbers = signal.valid_signals()
mine = os.pipe()[1]
os.set_blocking(mine, False)
signal.set_wakeup_fd(mine)
before = {number: signal.getsignal(number) for number in numbers}
launch = Launch.fork(["true"])
with forwarding(launch):
    changed = {number for number in numbers if signal.getsignal(number) != before[number]}
    print(*sorted(number.name for number in changed))
    launch.release()
    end_of(launch)
print(before == {number: signal.getsignal(number) for number in numbers}, mine == signal.set_wakeup_fd(-1))
"""
    expected = (0, "SIGINT SIGQUIT SIGTERM SIGTTOU SIGUSR1 SIGUSR2\nTrue True\n")
    assert expected == _run(program, before="trap '' HUP")


# Processes that the command leaves running


def test_a_daemonised_grandchild_is_reaped_by_us() -> None:
    daemonise = """
import os, sys
middle = os.fork()
if middle:
    os.waitpid(middle, 0)  # so that the daemon is ours before the command ends
    sys.exit(3)
os.setsid()
if os.fork() == 0:
    os.read(int(sys.argv[1]), 1)
os._exit(0)
"""
    program = """
held, go = os.pipe()
os.set_inheritable(held, True)
launch = Launch.fork([sys.executable, "-c", sys.argv[1], str(held)])
launch.release()
print(end_of(launch))
print(os.waitpid(-1, os.WNOHANG))  # someone is left, and lives
os.close(go)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)  # returns when it is dead, does not reap
print(exit_status(launch.reap()))
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nobody")
"""
    assert _run(program, daemonise) == (0, "3\n(0, 0)\n3\nnobody\n")


# Who runs it


def _under_sudo(user: pwd.struct_passwd) -> str:
    """What sudo sets for a command that `user` runs as root."""
    return f"export SUDO_UID={user.pw_uid} SUDO_GID={user.pw_gid} SUDO_USER={user.pw_name} SUDO_COMMAND=record"


@pytest.mark.needs("root")
def test_under_sudo_the_command_runs_as_the_invoking_user() -> None:
    nobody = pwd.getpwnam("nobody")
    text = """
id -G
grep -E "^([UG]id|CapPrm|CapEff)" /proc/self/status
env | grep -E "^(HOME|USER|LOGNAME|MAIL|SHELL|SUDO.*)=" | sort
"""
    expected = [
        " ".join(str(gid) for gid in os.getgrouplist("nobody", nobody.pw_gid)),
        "\t".join(["Uid:", *[str(nobody.pw_uid)] * 4]),
        "\t".join(["Gid:", *[str(nobody.pw_gid)] * 4]),
        f"CapPrm:\t{0:016x}",
        f"CapEff:\t{0:016x}",
        f"HOME={nobody.pw_dir}",
        "LOGNAME=nobody",
        "MAIL=/var/mail/nobody",
        f"SHELL={nobody.pw_shell}",
        "USER=nobody",
    ]
    program = "os.setgroups([0, 1])" + _RECORD  # groups of root's, which must not be handed down
    status, output = _run(program, "sh", "-c", text, before=_under_sudo(nobody))
    assert (0, expected) == (status, output.splitlines())


@pytest.mark.needs("root")
def test_signals_reach_a_command_that_runs_as_another_user() -> None:
    before = _under_sudo(pwd.getpwnam("nobody"))
    with _started(_RECORD, "sh", "-c", "echo ready; exec cat", before=before) as process:
        assert _said(process) == "ready"
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM  # before the end of its input ends it too


@pytest.mark.needs("root")
def test_a_path_directory_that_the_user_may_not_enter_does_not_hide_that_nothing_was_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    before = f"{_under_sudo(pwd.getpwnam('nobody'))}; PATH={shlex.quote(str(tmp_path))}:$PATH"
    status, _ = _run(_RECORD, "no-such-command-here", before=before)
    assert status == 127


@pytest.mark.needs("root")
def test_a_user_without_a_passwd_entry_is_refused() -> None:
    program = """
try:
    Launch.fork(["true"])
except AgentsightError as error:
    print(type(error).__name__, error)
"""
    _, output = _run(program, before="export SUDO_UID=3999999999 SUDO_GID=3999999999")
    assert output.startswith("CaptureError the command should run as uid 3999999999")


@pytest.mark.needs("root")
def test_without_sudo_the_user_stays_the_same() -> None:
    assert (0, f"{os.getuid()}\n") == _run(_RECORD, "id", "-u")


@pytest.mark.parametrize(("effective_uid", "expected"), [(0, (1234, 5678)), (1000, (os.getuid(), os.getgid()))])
def test_sudo_variables_count_only_for_root(
    effective_uid: int, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: effective_uid)
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "5678")
    assert expected == invoking_user()


@pytest.mark.parametrize("wrong", ["", "root", "-1"])
def test_a_sudo_uid_that_is_no_number_is_a_usage_error(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", wrong)
    monkeypatch.setenv("SUDO_GID", "5678")
    with pytest.raises(UsageError, match="must be numbers"):
        invoking_user()


# On a terminal


@contextmanager
def _on_a_terminal(program: str, *argv: str) -> Generator[tuple[subprocess.Popen[str], int]]:
    """The program with a controlling terminal as its input, and the end at which a person types."""
    keyboard, terminal = pty.openpty()
    try:
        with _started(_TAKE_TERMINAL + program, *argv, stdin=terminal) as process:
            yield process, keyboard
    finally:
        os.close(terminal)
        os.close(keyboard)


_TAKE_TERMINAL = """
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""


def test_ctrl_c_ends_the_command_and_we_report_130() -> None:
    with _on_a_terminal(_RECORD, "sh", "-c", "echo ready; exec cat") as (process, keyboard):
        assert _said(process) == "ready"
        os.write(keyboard, b"\x03")
        assert _end(process) == (130, "")  # 130, not killed by SIGINT itself


def test_a_command_may_survive_ctrl_c() -> None:
    with _on_a_terminal(_RECORD, sys.executable, "-c", _LISTENER, "1", "SIGINT") as (process, keyboard):
        assert _said(process) == "ready"
        os.write(keyboard, b"\x03")
        assert _end(process) == (0, "SIGINT\n")


_COMPARE_SETTINGS = """
before = termios.tcgetattr(0)
launch = Launch.fork(sys.argv[1:])
with forwarding(launch):
    launch.release()
    end_of(launch)
print(before == termios.tcgetattr(0))
"""


@pytest.mark.parametrize(("end", "restored"), [("os.kill(os.getpid(), signal.SIGKILL)", "True\n"), ("sys.exit(1)", "False\n")])
def test_the_terminal_is_restored_only_if_a_signal_ended_the_command(end: str, restored: str) -> None:
    raw = f"import os, signal, sys, tty; tty.setraw(0); {end}"
    with _on_a_terminal(_COMPARE_SETTINGS, sys.executable, "-c", raw) as (process, _):
        assert (0, restored) == _end(process)
