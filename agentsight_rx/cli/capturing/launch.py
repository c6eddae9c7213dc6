"""argv -> a running command: held at a barrier until it may start, then run as the invoking user, on their terminal."""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import select
import shutil
import signal
import termios
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import NoReturn

from ...core.errors import CaptureError, UsageError

_NEVER_RAN, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127  # the exit statuses of env(1), nohup(1) and timeout(1)
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_CAP_AMBIENT, _CLEAR_ALL = 47, 4  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}  # from its start, whatever the invoker did
_CANNOT_BE_SET = {signal.SIGKILL, signal.SIGSTOP}

# Signal to us -> signal for the command. 0: none, since the terminal has sent it to the whole group already.
_AS_IT_IS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_PASSED_ON: dict[int, int] = {signal.SIGINT: 0, signal.SIGQUIT: 0, **{number: number for number in _AS_IT_IS}}


def invoking_user() -> tuple[int, int]:
    """(uid, gid) of the person who started us; under sudo of the person who ran sudo, not of root."""
    if os.geteuid() != 0 or not {"SUDO_UID", "SUDO_GID"} <= os.environ.keys():
        return os.getuid(), os.getgid()
    uid, gid = os.environ["SUDO_UID"], os.environ["SUDO_GID"]
    if not (uid.isdecimal() and gid.isdecimal()):
        raise UsageError(f"SUDO_UID={uid!r} and SUDO_GID={gid!r} must be numbers, as sudo sets them: unset both")
    return int(uid), int(gid)


def exit_status(wait_status: int) -> int:
    """As in a shell: the exit code, or 128 + the number of the signal that ended it."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


class Launch:
    """
    A command that was forked and waits for `release()`. It is in our process group, so Ctrl-C, Ctrl-Z and pipelines work
    without code. We become the reaper of all processes that it leaves running: use one Launch in the life of a program.
    """

    def __init__(self, pid: int, start: int, barrier: int, errors: int) -> None:
        self.pid = pid
        self.hurry = False  # the run shall end now
        self.asked = False  # a signal that asks for the end came: nothing that only stays is to stay behind the command
        self._pidfd = os.pidfd_open(pid)
        # An eventfd that is only polled: a byte through a pipe would be the first thing that the command is seen to read
        self._start = start
        self._barrier = open(barrier, "wb", buffering=0)  # noqa: SIM115 - closed by release() or abandon(), or by our death
        self._errors = open(errors, "rb")  # noqa: SIM115 - as above
        self._wait_status: int | None = None
        self._woken, self.waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # a byte into `waker` ends `wait()`

    @classmethod
    def fork(cls, argv: Sequence[str], *, env: Mapping[str, str] | None = None, traced: bool = False) -> Launch:
        """
        Fork a child that waits. Call it before any thread exists and before bcc is imported, which makes a fork slower.

        Under sudo the command runs as the invoking user. It is looked up in PATH of `env`, by default our environment. Where
        it shall be `traced`, it lets any process of this user do that.
        """
        command = _command(tuple(argv), os.environ if env is None else env)
        if traced:
            from ...sources.hooks.ptrace import allow_tracers  # with it come all sources, and reports need none

            command = replace(command, first=allow_tracers)
        if ctypes.CDLL(None).prctl(_SUBREAPER, *map(ctypes.c_ulong, (1, 0, 0, 0))):
            raise CaptureError("cannot adopt orphans of the command: the kernel refused prctl(PR_SET_CHILD_SUBREAPER)")
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else the kernel reaps the child and its wait status is lost
        start, (barrier, opener), (errors, reporter) = os.eventfd(0), os.pipe(), os.pipe()
        # All blocked across the fork: none of our handlers may run in the child.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                os.close(opener)  # else the child keeps its own barrier open and does not notice our death
                _run(command, start, barrier=barrier, reporter=reporter)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(barrier)
        os.close(reporter)
        return cls(pid, start, opener, errors)

    def release(self) -> None:
        """
        Let the command start; on return the exec has happened. If it failed: `UsageError` (not found, not executable) or
        `CaptureError`, with the `exit_status` to end with. If a signal killed the command before, `reap()` has its status.
        """
        os.eventfd_write(self._start, 1)
        self._close()
        with self._errors:  # close-on-exec in the child: the exec ends this file
            failure = self._errors.read().decode()
        if failure:
            status, _, sentence = failure.partition(" ")
            error = CaptureError(sentence) if int(status) == _NEVER_RAN else UsageError(sentence)
            error.exit_status = int(status)
            raise error

    def abandon(self) -> None:
        """Give up: a command that was not released never runs, and exits with 125. Our death has the same effect."""
        self._close()
        self._errors.close()

    def _close(self) -> None:
        if not self._barrier.closed:
            self._barrier.close()
            os.close(self._start)

    def fileno(self) -> int:
        """A pidfd: readable once the command has ended."""
        return self._pidfd

    def send(self, number: int) -> bool:
        """Send it a signal, never to a process that reused its pid. False: it is gone, or runs as a user we may not signal."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def reap(self) -> int | None:
        """
        Reap every dead child, also adopted ones; returns the command's wait status once it has ended. Does not block.

        It takes the exit status of every child, so no `subprocess` may run at the same time.
        """
        with suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == self.pid:
                    self._wait_status = dead[1]
        return self._wait_status

    def wait(self, timeout_s: float | None = None) -> int | None:
        """
        Sleep until the command has ended, `forwarding` has handled a signal or the time is up; then `reap()`.

        It polls a wakeup pipe too: a signal just before a blocking call would else be handled only when the call returns.
        """
        poll = select.poll()
        poll.register(self, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        poll.poll(None if timeout_s is None else timeout_s * 1000)
        with suppress(BlockingIOError):
            os.read(self._woken, select.PIPE_BUF)
        return self.reap()


@contextmanager
def forwarding(launch: Launch) -> Generator[None]:
    """
    While the command runs, pass signals to us on to it; afterwards restore the terminal. Main thread only.

    A second SIGTERM or SIGHUP, or any signal once the command is gone, sets `launch.hurry`. What the invoker ignored stays
    ignored.
    """
    asked_to_end = False

    def pass_on(number: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_end
        reached = launch.send(_PASSED_ON[number])
        asks = number in (signal.SIGTERM, signal.SIGHUP)
        launch.hurry = launch.hurry or not reached or (asks and asked_to_end)
        launch.asked = launch.asked or asks or number == signal.SIGINT
        asked_to_end = asked_to_end or asks

    wanted = dict.fromkeys(_PASSED_ON, pass_on) | {signal.SIGTTOU: signal.SIG_IGN}  # writing our last lines must not stop us
    kept = (signal.SIG_IGN, None)  # None: a handler not set by Python, which cannot be restored
    woke_before = signal.set_wakeup_fd(launch.waker, warn_on_full_buffer=False)
    before = {n: signal.signal(n, handler) for n, handler in wanted.items() if signal.getsignal(n) not in kept}
    try:
        with _terminal_restored(launch):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woke_before)


@contextmanager
def _terminal_restored(launch: Launch) -> Generator[None]:
    """A command killed in raw mode leaves the terminal unusable. In the background the terminal is not ours to restore."""
    settings = termios.tcgetattr(0) if os.isatty(0) else None
    try:
        yield
    finally:
        status = launch.reap()
        if settings and status is not None and os.WIFSIGNALED(status):
            with suppress(OSError, termios.error):  # the terminal is gone, or not our controlling terminal
                if os.tcgetpgrp(0) == os.getpgrp():
                    termios.tcsetattr(0, termios.TCSANOW, settings)


@dataclass(frozen=True)
class _Command:
    """All that the child needs, determined before the fork."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    ignored: frozenset[int]  # signals that the invoker ignored, as nohup does
    user: pwd.struct_passwd | None  # run as this user; None: as our own
    gid: int
    first: Callable[[], None] | None = None  # what the child does as our own user


def _command(argv: tuple[str, ...], env: Mapping[str, str]) -> _Command:
    if not argv or not argv[0]:
        raise UsageError("no command to run: give one, with its arguments, after --")
    ignored = frozenset(n for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN) - _IGNORED_BY_PYTHON
    uid, gid = invoking_user()
    if os.geteuid() != 0 or uid == 0:
        return _Command(argv, env, ignored=ignored, user=None, gid=gid)
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        message = f"the command should run as uid {uid}, who has no passwd entry here: unset SUDO_UID to run it as root"
        raise CaptureError(message) from None
    shell = user.pw_shell or "/bin/sh"  # the meaning of an empty field, passwd(5)
    theirs = {"HOME": user.pw_dir, "SHELL": shell, "MAIL": f"/var/mail/{user.pw_name}"}
    theirs |= {"USER": user.pw_name, "LOGNAME": user.pw_name}
    env = {name: value for name, value in env.items() if not name.startswith("SUDO_")} | theirs
    return _Command(argv, env, ignored=ignored, user=user, gid=gid)


def _run(command: _Command, start: int, barrier: int, reporter: int) -> NoReturn:
    """The child, from fork to exec. It never returns into the parent's code."""
    status = _NEVER_RAN
    try:
        for number in signal.valid_signals() - _CANNOT_BE_SET:
            signal.signal(number, signal.SIG_IGN if number in command.ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _drop_ambient_capabilities()
        if command.first:
            command.first()
        if command.user:
            _become(command.user, command.gid)
        if _may_start(start, barrier):
            status, sentence = _exec(command)
            os.write(reporter, f"{status} {sentence}".encode())
    except Exception as error:  # the parent reports it, in one sentence
        user = f" as {command.user.pw_name}" if command.user else ""
        os.write(reporter, f"{status} cannot start {command.argv[0]!r}{user}: {error}".encode())
    finally:
        os._exit(status)


def _drop_ambient_capabilities() -> None:
    """What lets a service user capture (capabilities(7), "ambient") is not for its command."""
    ctypes.CDLL(None).prctl(_CAP_AMBIENT, *map(ctypes.c_ulong, (_CLEAR_ALL, 0, 0, 0)))


def _may_start(start: int, barrier: int) -> bool:
    """Wait until the parent says so; False where it gave up or died. It reads nothing, so nothing of this is captured."""
    poll = select.poll()
    poll.register(start, select.POLLIN)
    poll.register(barrier, 0)  # of a pipe without a writer the kernel always reports the hang-up
    return start in dict(poll.poll())


def _become(user: pwd.struct_passwd, gid: int) -> None:
    """Change from root to this user, irrevocably."""
    os.initgroups(user.pw_name, gid)
    os.setresgid(gid, gid, gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    with suppress(PermissionError):
        os.setuid(0)
        raise RuntimeError("it could become root again")


def _exec(command: _Command) -> tuple[int, str]:
    """Returns only if it failed: the exit status and why."""
    name, path = command.argv[0], command.env.get("PATH", os.defpath)
    try:
        os.execvpe(name, command.argv, command.env)
    except OSError as error:
        number, reason = error.errno, error.strerror
    # EACCES also comes from a directory in PATH that this user may not enter; then nothing was found.
    hidden = number == errno.EACCES and "/" not in name and not shutil.which(name, os.F_OK, path)
    if hidden or number in (errno.ENOENT, errno.ENOTDIR):
        where = "no such file, or no such interpreter in its #! line" if "/" in name else f"it is not in PATH, {path!r}"
        return _NOT_FOUND, f"command not found: {name!r} ({where})"
    hint = ": it has no #! line, or is for another machine" if number == errno.ENOEXEC else ""
    return _NOT_EXECUTABLE, f"cannot execute {name!r}: {reason}{hint}"
