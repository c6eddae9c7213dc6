"""Why the kernel refused a call, by our rights."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.sources.kernel.rights import NEEDED, Call, Rights, missing_rights, own_rights, refusal
from tests.live.users import PROGRAM_THERE, as_user, home_of_nobody

ROOT = Rights(
    uid=0,
    capabilities=frozenset({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}),
    paranoid=2,
)
SERVICE = Rights(
    uid=990,
    capabilities=frozenset({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}),
    paranoid=2,
)


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def changed(rights: Rights, **fields: object) -> Rights:
    return Rights(**({name: getattr(rights, name) for name in rights.__struct_fields__} | fields))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("call", "number", "rights", "said"),
    [
        (
            "program",
            errno.EPERM,
            changed(SERVICE, capabilities=frozenset({"CAP_PERFMON"})),
            "Operation not permitted, errno 1; CAP_BPF is missing: start it as root, or a container with --privileged, "
            "or with CAP_BPF",
        ),
        (
            "tracepoint",
            errno.EACCES,
            changed(SERVICE, paranoid=3),
            "Permission denied, errno 13; kernel.perf_event_paranoid is 3: as root: sysctl kernel.perf_event_paranoid=2, "
            "or start it with CAP_SYS_ADMIN too",
        ),
        (
            "perf uprobe",
            errno.EACCES,
            SERVICE,
            "Permission denied, errno 13; CAP_SYS_ADMIN is missing: only kernels with uprobe_multi links (Linux 6.6 and newer) "
            "take probes with less; start it as root, or a container with --privileged",
        ),
        (
            "tracepoint",
            errno.EPERM,
            changed(SERVICE, filtered=True),
            "Operation not permitted, errno 1; a seccomp filter refuses perf_event_open(2): start the container with "
            "--privileged or --security-opt seccomp=unconfined",
        ),
        (
            "program",
            errno.EPERM,
            changed(ROOT, in_user_namespace=True),
            "Operation not permitted, errno 1; we are in a user namespace, whose root has no rights on the kernel: start it "
            "outside, or in a container that root started with --privileged",
        ),
        (
            "program",
            errno.EPERM,
            changed(ROOT, lockdown="confidentiality"),
            "Operation not permitted, errno 1; kernel lockdown (confidentiality) lets no program read the kernel: boot with "
            "lockdown=integrity, or without",
        ),
    ],
)
def test_the_reason_is_named_with_what_to_do(call: Call, number: int, rights: Rights, said: str) -> None:
    assert refusal(call, error(number), rights) == said


def test_a_capability_is_named_only_where_it_is_missing() -> None:
    admin = changed(SERVICE, capabilities=frozenset({"CAP_SYS_ADMIN"}))  # it implies CAP_BPF and CAP_PERFMON
    for call in get_args(Call):
        assert admin.lacking(call) == []
        assert "CAP_" not in refusal(call, error(errno.EPERM), admin)


def test_the_words_of_the_verifier_stay() -> None:
    words = OSError(errno.EACCES, "Permission denied, errno 13: R2 min value is negative")
    assert refusal("program", words, ROOT).startswith("Permission denied, errno 13: R2 min value is negative; ")


@given(
    call=st.sampled_from(get_args(Call)),
    number=st.sampled_from(sorted(errno.errorcode)),
    rights=st.builds(
        Rights,
        uid=st.integers(0, 65535),
        capabilities=st.frozensets(st.sampled_from(["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"])),
        paranoid=st.integers(-1, 4),
        filtered=st.booleans(),
        in_user_namespace=st.booleans(),
        lockdown=st.sampled_from(["none", "integrity", "confidentiality"]),
    ),
)
def test_every_refusal_says_why_and_what_to_do(call: Call, number: int, rights: Rights) -> None:
    why, mark, remedy = refusal(call, error(number), rights).partition("; ")
    assert why == f"{os.strerror(number)}, errno {number}"
    assert mark
    assert remedy
    for name in NEEDED[call]:
        assert f"{name} is missing" not in remedy or name in rights.lacking(call)


def test_our_own_rights_are_those_of_the_kernel() -> None:
    rights = own_rights()
    assert rights.uid == os.geteuid()
    assert (os.geteuid() != 0) or "CAP_DAC_READ_SEARCH" in rights.capabilities
    assert f"user {os.geteuid()} with " in rights.summary


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (ROOT, None),
        (SERVICE, None),
        (changed(SERVICE, capabilities=frozenset({"CAP_SYS_ADMIN"})), None),  # it implies both
        (changed(SERVICE, capabilities=frozenset[str](), in_user_namespace=True), None),  # the kernel's refusal says more
        (changed(SERVICE, capabilities=frozenset[str]()), "CAP_BPF and CAP_PERFMON are missing: start it as root"),
        (changed(SERVICE, capabilities=frozenset({"CAP_BPF"})), "CAP_PERFMON is missing: start it as root"),
    ],
)
def test_without_rights_on_any_program_all_that_is_needed_is_named(rights: Rights, said: str | None) -> None:
    found = missing_rights(rights)
    if said is None:
        assert found is None
    else:
        assert found is not None
        needed = "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"
        assert found.startswith(f"capturing needs root or these capabilities: {needed}; {said}")


GRAPHS = """
from agentsight_rx import run, sources
from agentsight_rx.errors import Unavailable

target = sources.Target(pid=1)
for name, options in {
    "tls": sources.TlsOptions,
    "plain_http": sources.PlainHttpOptions,
    "process": sources.ProcessOptions,
    "files": sources.FileOptions,
    "net": sources.NetOptions,
    "readline": sources.ReadlineOptions,
    "stdio": sources.StdioOptions,
}.items():
    try:
        run(getattr(sources, name)(options(target)))
    except Unavailable as error:
        print(error)
"""


def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
    """The checkout may be in a folder that this user cannot enter, so it is mounted elsewhere."""
    with home_of_nobody() as home:
        return as_user(["env", "COLUMNS=500", PROGRAM_THERE[0], *words], (), home)


def says_what_is_needed(line: str) -> bool:
    what, which, missing = line.partition(": CAP_BPF, CAP_PERFMON, ")
    words = missing.partition("; ")[2]
    return (
        what.endswith("capturing needs root or these capabilities")
        and bool(which)
        and words.startswith("CAP_BPF and CAP_PERFMON are missing: start it as root")
        and not any(word in line for word in ("BCC", "bpf map", "errno"))
    )


@pytest.mark.needs("root")
def test_a_graph_of_a_user_without_rights_says_what_is_needed_and_nothing_of_a_compiler() -> None:
    done = as_nobody("-c", GRAPHS)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 7
    assert all(says_what_is_needed(line) for line in lines), done.stdout


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    "words",
    [["trace", "--ssl", "-c", "x"], ["record", "--by", "kernel", "--", "/bin/echo", "ran"], ["record", "-p", "1"], ["watch"]],
    ids=lambda words: " ".join(words),
)
def test_the_first_line_of_a_command_says_what_is_needed(words: list[str]) -> None:
    done = as_nobody("-m", "agentsight_rx", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert says_what_is_needed(done.stderr.splitlines()[0]), done.stderr


@pytest.mark.needs("root")
@pytest.mark.parametrize("words", [["record", "--", "/bin/echo", "ran"], ["demo"]], ids=lambda words: " ".join(words))
def test_a_user_without_rights_sees_a_command_by_breakpoints(words: list[str]) -> None:
    done = as_nobody("-m", "agentsight_rx", *words)
    assert done.returncode == 0, done.stderr
    first = "seen by breakpoints in the processes of this user: for the kernel CAP_BPF and CAP_PERFMON are missing"
    assert first in done.stderr
