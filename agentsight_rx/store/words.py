"""Numbers and texts -> the few words that every view has for them. The page has the same ones, in frontend/src/words.ts."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import floor
from signal import Signals

from ..events import ProcessExit
from ..llm.agents.answers import is_answer

CUT = "…"
NO_END = "no end seen"  # of a process
_HTTP = "http_"
_ASIDES = {"retry": "a retry", "other": "a question of the agent itself"}
_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}


def cut(text: str, most: int, /) -> str:
    """The first characters, with a mark where there are more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + CUT


def plural(count: int, name: str, many: str | None = None, /) -> str:
    """`1 call`, `1,204 calls`."""
    return f"{count:,} {name if count == 1 else many or name + 's'}"


def times_said(count: int, /) -> str:
    """`twice`, `three times`, `12 times`."""
    return _TIMES.get(count, f"{count:,} times")


def error_said(kind: str, /) -> str:
    """`HTTP 529` for the error type `http_529`; the name that the provider gives an error stays as it is."""
    return f"HTTP {kind.removeprefix(_HTTP)}" if kind.startswith(_HTTP) else kind


def reason_said(name: str, /) -> str:
    """The name of a reason or of an outcome as a few words: `no end mark` for `no_end_mark`."""
    return name.replace("_", " ")


def ordinal(number: int, /) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`, `22nd`."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"


def count(number: int, /) -> str:
    """With commas: 1,204."""
    return f"{number:,}"


def amount(number: int, /) -> str:
    """Short, as of tokens: 640, 18.2 k, 1.4 M."""
    if abs(number) < 1000:
        return str(number)
    for unit, one, least in (("G", 1e9, 999_950_000), ("M", 1e6, 999_950)):
        if abs(number) >= least:
            return f"{fixed(number / one, 1)} {unit}"
    return f"{fixed(number / 1000, 1)} k"


def money(usd: float | None, /) -> str:
    """US dollars: $0.131, $12.40; small sums have the digits that say something. `unknown` without a price."""
    if usd is None:
        return "unknown"
    digits = 2 if usd >= 0.5 or not usd else 3 if usd >= 0.01 else 5
    return f"${Decimal(fixed(usd, digits)):,f}"


def known_money(usd: float | None, /) -> str:
    """The same, empty without a price."""
    return "" if usd is None else money(usd)


def data_size(number: int, /) -> str:
    """Bytes: 412 B, 1.2 kB, 3.4 MB."""
    if abs(number) < 1000:
        return f"{number} B"
    for unit, least in (("GB", 999_950_000), ("MB", 999_950), ("kB", 0)):
        if abs(number) >= least:
            return f"{fixed(number / {'GB': 1e9, 'MB': 1e6, 'kB': 1e3}[unit], 1)} {unit}"
    return str(number)


def took(ms: int | None, /) -> str:
    """A duration: 340 ms, 6.2 s, 3 m 29 s, 2 h 05 m. Empty where it is unknown."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 59_950:
        return f"{fixed(ms / 1000, 1)} s"
    minutes, seconds = divmod(floor(ms / 1000 + 0.5), 60)
    return f"{minutes} m {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


def end_said(exit_code: int | None, signal: int | None, /) -> str:
    """How a process ended: `exit 1`, `signal 9`. Empty where no end was seen."""
    return f"signal {signal}" if signal else "" if exit_code is None else f"exit {exit_code}"


def signal_name(number: int, /) -> str:
    """`SIGKILL`; of a signal without a name `signal 64`."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_failed(event: ProcessExit, /) -> bool:
    """It was killed, or ended with a code that is no answer, as the 1 of a `grep` that finds nothing is one."""
    return bool(event.signal or (event.exit_code and not is_answer((event.origin.comm,), event.exit_code)))


def lasted_ms(start_ms: int, end_ms: int | None, /) -> int | None:
    """From its begin to its end, Unix time; None where no end was seen."""
    return None if end_ms is None else max(0, end_ms - start_ms)


def percent(part: float, /) -> str:
    """Of a share, 0 to 1: `49 %`."""
    return f"{floor(part * 100 + 0.5)} %"


def fixed(number: float, digits: int, /) -> str:
    """With so many digits behind the point; of two that are equally near the larger one, as the page has it."""
    return f"{Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def aside_said(kind: str, /) -> str:
    """What a request is that no person typed: `a title, for the agent itself`."""
    return _ASIDES.get(kind, f"a {kind}, for the agent itself")


def written_said(text: str, /) -> str:
    """What is new in a request where no person typed: `words of the agent itself: “Continue with the plan.”`."""
    return f"words of the agent itself: “{text}”"


def tokens_said(asked: int, cached: int, out: int, /) -> str:
    """`879.0 k in (85 % cached) · 9.8 k out`: `in` is all that was sent, and `cached` was read from a cache."""
    share = f" ({percent(cached / asked)} cached)" if asked else ""
    return f"{amount(asked)} in{share} · {amount(out)} out"
