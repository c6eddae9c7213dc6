"""Text of a flag -> its value: lists of names, lists of numbers, durations, sizes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, TypeVar, get_args

from ..core.errors import UsageError

if TYPE_CHECKING:
    from ..sources.tls.stacks.finding import Placement
    from ..store.log.upkeep import Retention


Name = TypeVar("Name", bound=str)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(k|m|g|t)?i?b?", re.IGNORECASE)
_PORT_MOST = 65_535
_LEAST = 1 << 20  # bytes of a store: what is open takes some hundred thousand


def comms_of(text: str | None) -> tuple[str, ...]:
    """A comma list of names. Raises UsageError where it has none."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"--comm {text!r} names no process; give one or more names, separated by commas")
    return names


def one_of(flag: str, name: str, known: Collection[Name], /) -> Name:
    """The name, which has to be one of these."""
    found = next((each for each in known if each == name), None)
    if found is None:
        raise UsageError(f"{flag} {name} is not known; there are {', '.join(known)}")
    return found


def numbers_of(text: str | None, flag: str) -> tuple[int, ...]:
    """A comma list of numbers."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{flag} {text!r}: numbers separated by commas are expected, such as 0,1,2")
    return tuple(int(part) for part in parts)


def seconds_of(text: str | None, flag: str) -> float | None:
    """A duration such as 10s, 1.5m, 500ms, or 10 for seconds."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{flag} {text!r}: a duration is expected, such as 10s, 500ms or 2m")
    return float(found[1]) * _UNITS[found[2] or "s"]


def bytes_of(text: str | None, flag: str) -> int | None:
    """A size such as 2GB, 500M or 1.5GiB; the units are powers of 1024."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    size = 0 if found is None else int(float(found[1]) * 1024 ** " kmgt".index((found[2] or " ").lower()))
    if size < _LEAST:
        raise UsageError(f"{flag} {text!r}: a size of at least 1MB is expected, such as 500MB or 2GB")
    return size


def socket_of(text: str, flag: str, *, remote: bool = False) -> tuple[str, int]:
    """An address and a port, such as 127.0.0.1:9464, or a port alone. Other addresses than loopback only if `remote`."""
    host, _, port = text.strip().rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > _PORT_MOST:
        raise UsageError(f"{flag} {text!r}: an address and a port are expected, such as 127.0.0.1:9464")
    try:
        is_own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(f"{flag} {text!r}: {host!r} is no address; give one such as 127.0.0.1") from None
    if not is_own and not remote:
        raise UsageError(f"{flag} {text!r}: other machines could read it; give --allow-remote too, or an address of loopback")
    return host, int(port)


def placement_of(text: str) -> Placement:
    """What --probe-placement says."""
    from ..sources.tls.stacks.finding import Placement  # with it come all sources, and reports need none

    for each in get_args(Placement):
        if each == text:
            return each  # type: ignore[no-any-return]  # get_args knows no types
    raise UsageError(f"--probe-placement {text!r} is no placement; give {' or '.join(get_args(Placement))}")


# What a person calls a source -> its name in a run
_SOURCES = {
    "ssl": "tls",
    "plain-http": "plain_http",
    "process": "process",
    "readline": "readline",
    "files": "files",
    "net": "net",
    "stdio": "stdio",
    "system": "system",
}


def required_of(given: list[str] | None) -> frozenset[str]:
    """The sources that --require names, which may be given several times, or with commas."""
    names = [name.strip() for text in given or () for name in text.split(",")]
    for name in names:
        if name not in (*_SOURCES, "all"):
            raise UsageError(f"--require {name!r} is no source; give {', '.join(_SOURCES)} or all")
    return frozenset(_SOURCES.values()) if "all" in names else frozenset(_SOURCES[name] for name in names)


def retention_of(keep: str | None, most: str | None, *, stored: bool = True) -> Retention | None:
    """What --keep and --max-size say; None where neither is given."""
    seconds, size = seconds_of(keep, "--keep"), bytes_of(most, "--max-size")
    if seconds is None and size is None:
        return None
    if not stored:
        raise UsageError("--keep and --max-size are limits of a store: give --db too")
    from ..store.log.upkeep import Retention

    return Retention(None if seconds is None else int(seconds * 1000), size)
