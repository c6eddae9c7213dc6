"""A loss -> in words: the lost thing, and why."""

from __future__ import annotations

from ..core.messages import program
from ..events.loss import Entry, Reason, stage_name
from .words import plural, reason_said

HOOKS_MISS = (
    "programs that gain rights (setuid), pipes, HTTP without TLS, bytes of files, and system calls that a program makes "
    "without a C library are not seen"
)
FILE_SAYS = "from the agent's own file: no program, file or connection was seen"
FILE_GONE = "Its file is gone from the agent's folder, and what was read of it stays."
HOOKS_SEE = f"by breakpoints in the processes of this user, not by the kernel: {HOOKS_MISS}"
SEEN_BY = {"view": "by the kernel", "hooked": HOOKS_SEE, "said": FILE_SAYS}  # by the `view_source` of rows

# What a source captures
SOURCES = {
    "tls": "TLS",
    "plain_http": "HTTP without TLS",
    "process": "processes",
    "files": "files",
    "net": "connections",
    "readline": "typed lines",
    "stdio": "pipes and standard streams",
    "system": "processor and memory use",
}

_WHY = {
    Reason.KERNEL_LOST: "the kernel's buffer was full",
    Reason.QUEUE_FULL: "more came than could be handled",
    Reason.SHED: "the recorder took more memory than its soft limit",
    Reason.TRUNCATED: "it is longer than the limit",
    Reason.MALFORMED: "it is not as its protocol has it",
    Reason.EVICTED: "too much was open at once",
    Reason.SINK_FAILED: "it could not be written",
    Reason.UNREADABLE: "its TLS could not be read",
    Reason.NOT_OPENED: "the kernel did not allow it: `agentsight-rx doctor` says why and what to do",
    Reason.UNSEEN: "it ran, and the kernel reported nothing of it: `agentsight-rx doctor` says what is captured here",
    Reason.OPENED_LATE: "the machine was busy when an agent began",
    Reason.OTHER_ABI: "the kernel's tracepoints do not show the system calls of 32-bit programs",
    Reason.UNFOLLOWED: "it gains rights by its file, is debugged, or makes too many system calls: its events say which",
    Reason.LEFT_RUNNING: "the command left processes running: `agentsight-rx record --wait-all` waits for them",
    Reason.LATE: "it came later than the lateness that its operator allows",
    Reason.NOT_RUNNING: "nothing was running between two runs of which one goes on with the other's state",
    Reason.UNFINISHED: "other threads had not brought it when the run ended",
    Reason.BUG: "an error in this program; please report it",
}

_DO = {
    Reason.KERNEL_LOST: "leave out what you do not need, such as --no-files",
    Reason.QUEUE_FULL: "record fewer programs, or leave out what you do not need",
    Reason.SINK_FAILED: "make room on the disk, or limit the store by --max-size",
    Reason.UNREADABLE: "`agentsight-rx doctor` says what it finds in the program",
    Reason.OPENED_LATE: "start the agent under `agentsight-rx record`, or keep another one running",
}

# Why an exchange is not whole, and what to do
_CUT: dict[str, tuple[str, str]] = {
    "gap": ("bytes inside it were not captured", "Look at Health for the place where they were lost."),
    "midway": ("the connection had begun before the capture", "Start the agent under `agentsight-rx record`."),
    "too_large": ("it is longer than the limit", ""),
    "evicted": ("too much was open at once", "Record fewer programs at a time."),
    "timeout": ("the answer stopped, and its end was not seen", ""),
    "no_end_mark": ("it has no end mark, so there may be more", ""),
    "pending": ("the recording ended before it", ""),
    "request_unseen": (
        "it was sent before the capture began, or was not read",
        "Start the agent under `agentsight-rx record`.",
    ),
    "capture_end": ("the capture ended before the answer did", ""),
    "no_answer": ("no answer was seen", ""),
    "not_understood": ("the body of the answer is not as its API has it", ""),
    "closed": ("the connection was closed before the answer ended", ""),
    "process_ended": ("the process ended before the answer did", ""),
}


def why_cut(reason: str, /) -> tuple[str, str]:
    """Of an exchange that is not whole: why, a phrase; and what to do about it, a sentence or ""."""
    said, do = _CUT.get(reason, (reason_said(reason) or "not all of it was seen", ""))
    return said, do.replace("agentsight-rx", program())


def why(reason: Reason, /) -> str:
    """A phrase; "" for an intended loss."""
    return _WHY.get(reason, "").replace("agentsight-rx", program())


def advice_on(reason: Reason, /) -> str:
    """What to do about it, a phrase; "" where `why` says it, or nothing can be done."""
    return _DO.get(reason, "").replace("agentsight-rx", program())


def sentence_why(reason: Reason, /) -> str:
    """The same as a sentence."""
    said = why(reason)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def lost_words(entry: Entry, /) -> str:
    """The lost thing, without why."""
    if entry.reason is Reason.NOT_OPENED:
        return f"not captured: {SOURCES.get(entry.stage, entry.stage)}"
    if entry.reason is Reason.OPENED_LATE:
        return f"not captured at first, {plural(entry.count, 'time')}: {SOURCES.get(entry.stage, entry.stage)}"
    if entry.reason is Reason.UNSEEN:
        return "the recorded command was not seen to run"
    if entry.reason is Reason.UNFOLLOWED:
        return f"{plural(entry.count, 'process', 'processes')} not looked into, or not to the end"
    if entry.reason is Reason.LEFT_RUNNING:
        return f"{plural(entry.count, 'process', 'processes')} left running"
    if entry.reason is Reason.OTHER_ABI:
        return f"{plural(entry.count, '32-bit program')}: files, connections and pipes not seen"
    why = reason_said(entry.reason.value)
    source = stage_name(entry.stage)
    if source in SOURCES:
        return f"{plural(entry.count, 'record')} of {SOURCES[source]} lost ({why})"
    return f"{entry.count:,} lost at {entry.stage} ({why})"
