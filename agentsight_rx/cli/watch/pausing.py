"""agentsight-rx watch pause, watch resume: a file beside the store that the recorder looks for."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import CaptureError, UnwritableError
from ...core.files import why, written_whole
from ...core.messages import say
from ...runtime.service.unit import NAME
from ...store.state import is_being_written
from ...view.page.machine import Watched
from ..capturing.launch import invoking_user
from ..flags.group import OUT, flag
from ..places.stores import MACHINE, machine_store, recorded
from ..values import seconds_of

# -- only one ------------------------------------------------------------------------------------------------------
# The one recorder of a machine: a lock with its pid and its start, which the kernel gives up with the process.


_MOST = 64  # bytes of the file


def lock_of_machine() -> Path:
    """Where the lock is: in the directory that a service was given, else where root or this user keep such files."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder:
        folder = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    return Path(folder, "agentsight-rx-watch.lock")


@contextmanager
def only_recorder(path: Path) -> Generator[None]:
    """
    Inside, no other process has this lock. Raises CaptureError where one has it, UnwritableError where it cannot be made. The
    file stays: who removes it while another one opens it gives two of them a lock each.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UnwritableError(f"{path}, which keeps a second recorder away, cannot be made: {why(error, path)}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, since = os.pread(fd, _MOST, 0).decode("ascii", "replace").partition(" ")
            raise CaptureError(
                f"process {pid} records this machine already, since {since.strip()}: end it first, or give --cgroup, "
                "--session, --uid or --pid for a part of the machine"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


# ------------------------------------------------------------------------------------------------------------------------


_PAUSING_MOST = 32  # bytes of the file
_FOR_EVER = 0

Store = Annotated[Path | None, flag(OUT, "--db", "The store of the recorder.", "PATH")]


class Pause:
    """
    Until when nothing is recorded into a store: Unix time in ms in a file beside it, 0 for no end. It outlives the recorder, so
    that a restart records nothing either, and time in which the machine is suspended counts.
    """

    def __init__(self, store: Path) -> None:
        self.path = Path(f"{store}-paused")

    def begin(self, until_ms: int) -> None:
        """Raises UnwritableError."""
        try:
            with written_whole(self.path, invoking_user(), replace=True) as file:
                file.write(b"%d\n" % until_ms)
        except OSError as error:
            raise UnwritableError(f"{self.path} cannot be written: {why(error, self.path)}") from error

    def end(self) -> bool:
        """Whether there was one. Raises UnwritableError."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnwritableError(f"{self.path} cannot be removed: {error.strerror}") from error
        return True

    def until_ms(self) -> int | None:
        """None without one. The recorder may be root and the folder another user's, so no link is followed."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return int(os.read(fd, _PAUSING_MOST))
        except (OSError, ValueError):
            return _FOR_EVER  # a person wanted one; what they wrote is not known
        finally:
            os.close(fd)

    def since_ms(self) -> int:
        """When it began; 0 where there is none."""
        try:
            return self.path.stat(follow_symlinks=False).st_mtime_ns // 1_000_000
        except OSError:
            return 0

    def holds(self) -> bool:
        """Whether nothing is to be recorded now. One that is over is removed."""
        until_ms = self.until_ms()
        if until_ms is None:
            return False
        if until_ms == _FOR_EVER or _now_ms() < until_ms:
            return True
        with suppress(UnwritableError):
            self.end()
        return False


def pause(
    *,
    duration: Annotated[
        str | None, typer.Argument(metavar="TIME", help="For so long, such as 1h; without it until resume.")
    ] = None,
    db: Store = None,
) -> None:
    """Record nothing for a while. Agents go on; the recording says that there is a gap."""
    seconds = seconds_of(duration, "TIME")
    until_ms = _FOR_EVER if seconds is None else _now_ms() + int(seconds * 1000)
    store = db or machine_store()
    Pause(store).begin(until_ms)
    say(f"nothing is recorded {until_said(until_ms)}{_recorder(store)}")


def resume(*, db: Store = None) -> None:
    """Record again, also agents that started meanwhile."""
    store = db or machine_store()
    if Pause(store).end():
        say(f"agents are recorded again{_recorder(store)}")
    else:
        say(f"it was not paused{_recorder(store)}")


def until_said(until_ms: int) -> str:
    """The end of a pause, for people: the time, and the day where it is another one."""
    if until_ms == _FOR_EVER:
        return "until `watch resume`"
    local = time.localtime(until_ms / 1000)
    return f"until {time.strftime('%H:%M' if local[:3] == time.localtime()[:3] else '%Y-%m-%d %H:%M', local)}"


def _recorder(store: Path) -> str:
    return "" if is_being_written(store) else f"; no recorder writes {store} now"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


# -- watched -------------------------------------------------------------------------------------------------------
# The lock and the store of the one recorder of this machine -> whether it watches now, for any user who asks.


def watched_now(run: Path = Path("/run")) -> Watched:
    """Root's recorder has its lock in /run, and the service has it in a folder there. Any user can see who holds a lock."""
    own = lock_of_machine()
    is_held = any(map(is_being_written, {own, run / own.name, run / NAME / own.name}))
    store = next((path for path in recorded() if path.name == MACHINE), None)
    if store is None:
        return Watched(is_held)
    pause = Pause(store)
    until_ms = pause.until_ms()
    return Watched(
        is_held,
        store,
        is_written=is_being_written(store),
        bytes=_size(store),
        paused_ms=None if until_ms is None else pause.since_ms(),
        paused_until_ms=until_ms or 0,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
