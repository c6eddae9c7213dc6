"""The page of doctor, as a person reads it."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from agentsight_rx.cli.doctor import Check, Outcome, can_record, render
from agentsight_rx.plugins import Plugin
from agentsight_rx.store.reasons import SOURCES

FINE = Check("one", True, "seen [one]")
MISSING = Check("two", False, "seen two", "for TLS; without it: slower", "a newer kernel")


def text(machine: list[Check], outcomes: list[Outcome]) -> list[str]:
    out = StringIO()
    Console(file=out, width=120).print(render(machine, outcomes))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def outcomes(**others: Outcome) -> list[Outcome]:
    return [others.get(name, Outcome(name, True, True)) for name in SOURCES]


def test_remedies_stand_only_where_something_is_missing() -> None:
    lines = text([FINE, MISSING], outcomes())
    assert lines[:6] == [
        "This machine",
        "ok  one  seen [one]",
        "··  two  seen two",
        "         for TLS; without it: slower",
        "         what to do: a newer kernel",
        "",
    ]
    assert lines[-1] == "`agentsight-rx record` starts here, and sees everything."


def test_a_source_that_the_kernel_refuses_is_named_with_its_reason() -> None:
    lines = text([FINE], outcomes(files=Outcome("files", False, False, "no tracefs; as root: mount it")))
    assert any(line.startswith("--  files") and line.endswith("NOT captured: no tracefs; as root: mount it") for line in lines)
    assert lines[-1] == "`agentsight-rx record` starts here, without: files."


def test_a_source_that_opens_and_sees_nothing_is_not_called_well() -> None:
    lines = text([FINE], outcomes(tls=Outcome("tls", True, False)))
    assert any(line.startswith("--  TLS") and "nothing of our own program was seen" in line for line in lines)
    assert lines[-1] == "`agentsight-rx record` starts here, without: TLS."


def test_record_does_not_start_where_only_proc_can_be_read() -> None:
    found = [Outcome(name, name == "system", name == "system", "no rights") for name in SOURCES]
    assert not can_record(found)
    assert text([FINE], found)[-1] == "`agentsight-rx record` does not start here."
    assert text([MISSING], [])[-1] == "`agentsight-rx record` does not start here."


def test_parts_of_other_packages_are_listed_and_the_broken_ones_say_why() -> None:
    plugins = [Plugin("sinks", "kinds", "birds", "1.0"), Plugin("operators", "shout", "birds", "1.0", "[not] a function")]
    out = StringIO()
    Console(file=out, width=120).print(render([FINE], outcomes(), plugins))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    place = lines.index("What other packages add")
    listed = lines[place + 1 : place + 3]
    assert ["ok  sinks kinds      birds 1.0", "--  operators shout  birds 1.0 is skipped: [not] a function"] == listed
