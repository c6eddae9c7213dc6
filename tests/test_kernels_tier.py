"""The tier of other kernels judges what guests wrote: nothing that is missing, cut or wrong passes, and the table says why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.agents.compare import Said
from tests.kernels import progress
from tests.kernels.checks import CHECKS, REFUSED, SMOKE, Check, checks_for
from tests.kernels.recorded import RECORDED, without_framing
from tests.kernels.results import End, Head, Line, Outcome, Run, Verdict, encoded, read_run, run_of
from tests.kernels.sentences import Done, judged
from tests.kernels.table import failures, in_page, kinds_missing, markdown, marks

PAGE = Path(__file__).parents[1] / "docs" / "kernels.md"
HEAD = Head("6.1", "works", {"kernel": "6.1.0", "system": "Debian 12", "uprobe_multi": "no"})
OLD = Head("5.10", "refused", {"kernel": "5.10.262"})


def guest(head: Head = HEAD, verdicts: Mapping[str, Verdict] = MappingProxyType({})) -> list[Line]:
    """All that a guest writes: every check as it must be, but for those that have a verdict here."""
    outcomes = [
        Outcome(check.name, verdicts.get(check.name, check.good[0]), f"said of {check.name}", 1.5)
        for check in checks_for(head.expected)
    ]
    return [head, *outcomes, End(60.0)]


# -- what fails --------------------------------------------------------------------------------------------------------


def test_a_guest_where_all_is_as_it_must_be_has_no_failure() -> None:
    assert [] == failures(run_of("6.1", guest()))
    assert [] == failures(run_of("5.10", guest(OLD)))


def test_a_check_that_fails_is_a_failure_with_what_was_said() -> None:
    assert ["6.1: curl (OpenSSL), HTTP/2: said of record:curl-h2"] == failures(
        run_of("6.1", guest(verdicts={"record:curl-h2": "fails"}))
    )


@pytest.mark.parametrize("check", [check for check in CHECKS if "refused" not in check.good], ids=lambda check: check.name)
def test_a_sentence_is_no_excuse_where_it_must_work(check: Check) -> None:
    assert 1 == len(failures(run_of("6.1", guest(verdicts={check.name: "refused"}))))


def test_a_kernel_that_must_be_refused_and_is_not_is_a_failure() -> None:
    assert 1 == len(failures(run_of("5.10", guest(OLD, {"refused": "works"}))))


@pytest.mark.parametrize("kept", range(len(guest()) - 1))
def test_a_guest_that_was_cut_off_anywhere_fails(kept: int) -> None:
    """Each check that did not run, and the missing end; a guest without a head did not boot."""
    expected = 1 if kept == 0 else len(CHECKS) - (kept - 1) + 1
    assert expected == len(failures(run_of("6.1", guest()[:kept])))


def test_of_chosen_checks_the_others_are_no_failure() -> None:
    head = Head("6.1", "works", {}, ("demo", "record:uv"))
    lines = [line for line in guest(head) if not isinstance(line, Outcome) or line.check in head.chosen]
    assert 4 == len(lines)
    assert [] == failures(run_of("6.1", lines))
    assert 1 == len(failures(run_of("6.1", [line for line in lines if line != lines[1]])))


def test_no_file_is_a_kernel_that_did_not_boot(tmp_path: Path) -> None:
    run = read_run("6.1", tmp_path / "6.1.jsonl")
    assert Run("6.1", None, {}, None) == run
    assert 1 == len(failures(run))
    assert "did not boot" in markdown([run], "2026-11-29")


def test_a_file_cut_at_any_byte_gives_the_lines_before(tmp_path: Path) -> None:
    whole = b"".join(map(encoded, guest()))
    path = tmp_path / "6.1.jsonl"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        run = read_run("6.1", path)
        complete = whole[: size + 1].count(b"\n")  # a line whose newline alone is missing is whole
        assert complete == (run.head is not None) + len(run.outcomes) + (run.end is not None)


def test_what_a_kernel_prints_between_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "6.1.jsonl"
    path.write_bytes(b"[    1.0] BUG: soft lockup\r\n".join(map(encoded, guest())))
    assert [] == failures(read_run("6.1", path))


def test_a_whole_run_has_kernels_of_both_kinds_and_one_that_is_strict() -> None:
    def with_facts(**facts: str) -> Run:
        return run_of("x", guest(Head("x", "works", facts)))

    old = with_facts(uprobe_multi="no", perf_event_paranoid="2")
    new = with_facts(uprobe_multi="yes", perf_event_paranoid="3")
    assert [] == kinds_missing([old, new])
    assert 2 == len(kinds_missing([old]))
    assert 1 == len(kinds_missing([new, Run("did not boot", None, {}, None)]))


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_check_and_a_reason_for_each_failure() -> None:
    newest = Head("newest", "works", {"kernel": "7.3.4", "system": "Debian 13", "uprobe_multi": "yes"})
    first = guest(verdicts={"record:wget": "fails", "programs:multi": "absent"})
    runs = [run_of("6.1", first), run_of("newest", guest(newest)), run_of("5.10", guest(OLD))]
    text = markdown(runs, "2026-11-29")
    assert "|  | 6.1.0 | 7.3.4 | 5.10.262 |" in text
    assert "| uprobe_multi | no | yes | ? |" in text
    assert "| wget (GnuTLS), HTTP/1.1 | **no** (2) | yes |  |" in text
    assert "2. said of record:wget" in text
    assert "| every BPF function loads, for uprobe_multi | – (1) | yes |  |" in text
    assert "| `record --by kernel` refuses by a sentence |  |  | refused (3) |" in text
    assert all(f"| {check.title} |" in text for check in (*CHECKS, *REFUSED))


def test_a_verdict_that_is_no_good_verdict_is_a_no() -> None:
    text = markdown([run_of("5.10", guest(OLD, {"refused": "works"}))], "2026-11-29")
    assert "| `record --by kernel` refuses by a sentence | **no** (1) |" in text


def test_the_same_reason_is_said_once() -> None:
    lines = guest()
    same = [Outcome(line.check, "fails", "no TLS", 1.0) if isinstance(line, Outcome) else line for line in lines]
    assert 1 == markdown([run_of("6.1", same)], "2026-11-29").count("no TLS")


@pytest.mark.parametrize("machine", ["amd64", "arm64"])
def test_the_table_is_put_between_its_marks(machine: str) -> None:
    page = PAGE.read_text()
    again = in_page(page, "| a |", machine)
    first, last = marks(machine)
    assert f"{first}\n\n| a |\n\n{last}" in again
    assert (page.partition(first)[0], page.partition(last)[2]) == (again.partition(first)[0], again.partition(last)[2])
    with pytest.raises(ValueError, match="no place"):
        in_page("nothing", "| a |", machine)


def test_the_smoke_tier_is_a_part_of_the_checks_and_its_table_has_no_other_rows() -> None:
    head = Head("arm64", "works", {"kernel": "6.12.1"}, ("smoke",))
    smoke = [check for check in CHECKS if check.name in SMOKE]
    assert smoke == checks_for("works", ("smoke",))
    assert CHECKS == tuple(checks_for("works", ("all",)))
    run = run_of("arm64", [head, *(Outcome(check.name, "works", "", 1.0) for check in smoke), End(60.0)])
    assert [] == failures(run)
    titles = [check.title for check in CHECKS if f"| {check.title} |" in markdown([run], "2026-12-03")]
    assert [check.title for check in smoke] == titles


def test_the_page_names_every_kernel_that_the_script_boots() -> None:
    script = (PAGE.parents[1] / "scripts" / "kernels.sh").read_text()
    names = re.findall(r'^  "(\S+) (?:amd64|arm64) \d+ (?:works|refused) ', script, re.MULTILINE)
    assert len(names) == 7
    assert names == re.findall(r"^\| `(\S+)` \|", PAGE.read_text(), re.MULTILINE)


def test_every_client_that_is_known_is_a_check() -> None:
    assert set(RECORDED) == {check.name.removeprefix("record:") for check in CHECKS if check.name.startswith("record:")}


def test_a_line_for_a_person_names_what_fails() -> None:
    assert "demo FAILS (2 s): no exit code" == progress.shown(Outcome("demo", "fails", "no exit code", 1.6))


# -- what a command printed --------------------------------------------------------------------------------------------

REMEDY = "Error: cannot capture: rights: user 1 without CAP_BPF. What to do: start it as root"
DOCTOR = """\
ok  system   Linux
··  rights   user 1 without CAP_BPF
             what to do: start it
             as root
ok  BPF"""


@pytest.mark.parametrize(
    ("status", "printed", "verdict"),
    [
        (0, "nothing is missing", "works"),
        (0, "something is missing", "fails"),
        (1, REMEDY, "refused"),
        (1, DOCTOR, "refused"),
        (1, "Error: it did not work", "fails"),
        (1, "", "fails"),
        (1, f"Traceback (most recent call last):\n{REMEDY}", "fails"),
        (0, "Traceback (most recent call last):\nnothing is missing", "fails"),
        (0, "TLS is not read: CAP_BPF is needed, start it as root\n3 files", "fails"),
    ],
)
def test_a_command_works_or_refuses_by_a_sentence_or_fails(status: int, printed: str, verdict: Verdict) -> None:
    assert verdict == judged(Done(status, printed), complete="nothing is missing")[0]


def test_a_sentence_that_asks_for_what_is_there_is_wrong() -> None:
    assert "fails" == judged(Done(1, REMEDY), held=("CAP_BPF", "CAP_PERFMON"))[0]
    assert "refused" == judged(Done(1, REMEDY), held=("CAP_PERFMON",))[0]


def test_a_sentence_names_what_is_missing() -> None:
    assert "refused" == judged(Done(1, REMEDY), wanted=("CAP_BPF", "CAP_SYS_ADMIN"))[0]
    assert "fails" == judged(Done(1, REMEDY), wanted=("perf_event_paranoid",))[0]


def test_a_recording_that_goes_on_without_a_part_says_so() -> None:
    printed = "agentsight-rx: TLS is not read: CAP_SYS_ADMIN is needed\n3 files"
    assert "refused" == judged(Done(0, printed), complete="nothing is missing", wanted=("CAP_SYS_ADMIN",))[0]


def test_of_the_table_of_doctor_the_whole_cell_is_the_sentence() -> None:
    assert "·· rights user 1 without CAP_BPF what to do: start it as root" == judged(Done(1, DOCTOR))[1]


# -- what a stream said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sent", "said"),
    [
        ("text/event-stream; charset=utf-8", b'event: a\ndata: {"x":1}\n\ndata: [DONE]\n\n', b'{"x":1}\n[DONE]'),
        ("text/event-stream", b"data: one\ndata: two\n\n", b"one\ntwo"),
        ("application/x-ndjson", b'{"x":1}\n{"x":2}\n', b'{"x":1}\n{"x":2}'),
        ("application/json", b'{"data: 1":2}\n', b'{"data: 1":2}\n'),
        ("", b"\xff", b"\xff"),
    ],
)
def test_of_a_stream_the_events_are_compared_and_of_the_rest_each_byte(kind: str, sent: bytes, said: bytes) -> None:
    assert Said("GET /", 200, b"", said) == without_framing(Said("GET /", 200, b"", sent), kind)
