"""docs/adding.md keeps its word: a copy of the project, changed as the page says, passes the tests and the checkers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import Struct

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding.md"
COPIED = ("conftest.py", "agentsight_rx", "tests", "property_tests", "docs", "frontend/src", "README.md", "pyproject.toml")
PLACE = re.compile(r"^# (?P<path>[\w/]+\.py)(?:, (?P<side>below|above): (?P<line>.+))?\n", re.MULTILINE)

# The shared tests of the four parts, and the tests that know every operator, sink, source, provider or kind of event
PART_TESTS = (
    "property_tests/test_operators_properties.py::test_operator[count_models]",
    "property_tests/test_operators_properties.py::test_no_operator_is_missing",
    "tests/sinks/test_every_sink.py::test_sink[kinds]",
    "tests/sinks/test_every_sink.py::test_no_sink_is_missing",
    "tests/sources/test_every_source.py::test_source[log]",
    "tests/sources/test_every_source.py::test_no_source_is_missing",
    "tests/operators/test_remove_auth_every_kind.py::test_a_secret_in_a_text_of_an_event_is_replaced[LogLine]",
    "property_tests/test_envelope_properties.py::test_an_event_comes_back_from_its_line[LogLine]",
    "property_tests/test_envelope_properties.py::test_a_damaged_envelope_is_an_event_of_the_right_types_or_refused[LogLine]",
    "tests/llm/test_every_provider.py::test_provider[parrot]",
    "tests/llm/test_every_provider.py::test_no_other_provider_claims_its_events[parrot]",
    "tests/test_fuzz_targets.py::test_every_target_has_seeds",
    "tests/test_fuzz_targets.py::test_the_seeds_of_a_target_and_their_beginnings_break_nothing[parrot_request]",
    "tests/test_fuzz_targets.py::test_the_seeds_of_a_target_and_their_beginnings_break_nothing[parrot_response]",
    "tests/test_fuzz_targets.py::test_the_seeds_of_a_target_and_their_beginnings_break_nothing[parrot_stream]",
    "tests/test_parts_of_the_page.py::test_models_are_counted",
    "tests/test_parts_of_the_page.py::test_lines_of_a_log_are_counted_by_kind",
    "tests/test_parts_of_the_page.py::test_the_value_of_a_call_is_wherever_its_row_goes",
    "tests/test_parts_of_the_page.py::test_the_flag_reaches_its_source",
    "tests/test_docs.py::test_cli_md_is_what_the_program_says",
    "tests/cli/test_flags.py::test_a_flag_is_one_value_of_its_command[trace stdio_ring_size]",
    "tests/cli/program/test_help.py::test_each_flag_is_one_line[trace]",
    "tests/cli/program/test_help.py::test_each_flag_is_one_line[debug stdio]",
)
HOUSE_TESTS = "tests/test_house.py"
_KNOWN = ".mypy_cache"

# What the parts do, which no shared test knows
PARTS_WORK = """
from pathlib import Path

import msgspec
from msgspec.structs import fields, replace
from typer.testing import CliRunner

from agentsight_rx import Run, op, sinks, sources
from agentsight_rx.cli import app
from agentsight_rx.core.stream import of
from agentsight_rx.events import Origin, Reply, SseMessage
from agentsight_rx.llm.prices import Prices
from agentsight_rx.operators.count_models import ModelCount
from agentsight_rx.view.exports.csv_tables import csv_lines
from agentsight_rx.sinks.otel.chat import fields_of_call
from agentsight_rx.sinks.otel.names import SPANS, attributes_of
from agentsight_rx.testing import Scene, recorded
from agentsight_rx.view.queries import Selection
from agentsight_rx.view.queries.calls.call import read_calls
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.snapshot.snapshot import read_snapshot


def test_models_are_counted() -> None:
    events = [SseMessage(Origin(1, 1), 1, "", Reply(model=model), (), 1) for model in ("a", "b", "a")]
    out: list[ModelCount] = []
    of(events).pipe(op.count_models()).subscribe(out.append)
    assert [ModelCount("a", 2), ModelCount("b", 1)] == out


def test_lines_of_a_log_are_counted_by_kind(tmp_path: Path) -> None:
    log, counts = tmp_path / "log", tmp_path / "counts"
    log.write_text("old")
    with Run(sources.log(sources.LogOptions(str(log))).pipe(op.normalize()), [sinks.kinds(counts)], on_bug="raise_all") as run:
        log.write_text("old" + "x" * 70_000 + "\\nnew\\nlast")
        summary = run.stop()
    assert counts.read_text() == "LogLine 3\\nLoss 1\\n"
    (entry,) = summary.ledger.entries()
    assert (entry.stage, entry.reason, entry.count, entry.size) == ("log", "truncated", 1, 70_000 - 65_536)


def test_the_value_of_a_call_is_wherever_its_row_goes() -> None:
    scene = Scene()
    agent = scene.process("claude")
    request = agent.asks("Hello")
    scene.events[-1] = replace(request, body=request.body[:-1] + b', "service_tier": "auto"}')
    agent.is_answered("Hi")
    store = recorded(scene.events)
    (row,) = read_calls(store, Selection(), Prices())
    assert "auto" == row.service_tier == msgspec.json.decode(msgspec.json.encode(row))["service_tier"]
    names, call = (line.decode().strip().split(",") for line in csv_lines(store, Selection(), Prices(), table="calls"))
    assert "auto" == dict(zip(names, call, strict=True))["service_tier"]
    (shown,) = read_snapshot(store, now_ms=0).llm_calls
    assert "auto" == shown["service_tier"]
    sent = attributes_of(SPANS["chat"], fields_of_call(row), with_content=False)
    assert "auto" == sent["openai.request.service_tier"]
    assert "service_tier" in {field.name for field in fields(PricedCall)}  # the columns of an Arrow table


def test_the_flag_reaches_its_source() -> None:
    for command in (["trace", "--stdio"], ["debug", "stdio"]):
        shown = CliRunner().invoke(app, [*command, "-p", "1", "--stdio-ring-size", "65536", "--explain"]).output
        assert "ring_size=65536" in shown
    for command in (["record"], ["debug", "system"]):
        done = CliRunner().invoke(app, [*command, "-p", "1", "--stdio-ring-size", "65536", "--explain"])
        assert done.exit_code == 2
"""


class Change(Struct, frozen=True):
    """A new file, where `line` is None; else text to insert below or above that line."""

    path: str
    side: str | None
    line: str | None
    text: str


def changes() -> Iterator[Change]:
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        places = list(PLACE.finditer(block))
        assert places, f"the first line of a block names its file: {block[:60]!r}"
        assert places[0].start() == 0, f"the first line of a block names its file: {block[:60]!r}"
        ends = [*(place.start() for place in places[1:]), len(block)]
        for place, end in zip(places, ends, strict=True):
            yield Change(place["path"], place["side"], place["line"], block[place.end() : end])


def apply(change: Change, root: Path) -> None:
    path = root / change.path
    if change.line is None:
        assert not path.exists(), f"{change.path} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(change.text)
        return
    lines = path.read_text().splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.strip() == change.line]
    assert len(found) == 1, f"{change.path} has {len(found)} lines {change.line!r}"
    lines.insert(found[0] + (change.side == "below"), change.text.rstrip("\n") + "\n")
    path.write_text("".join(lines))


def said(root: Path, *words: str) -> tuple[int, str]:
    """How a Python module that is run in the copy ends, and what it prints."""
    ended = subprocess.run([sys.executable, "-m", *words], cwd=root, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def run_tests(root: Path, tests: Sequence[str]) -> None:
    # A place of its own: the others of this user are cleaned by whichever ends
    own = f"--basetemp={root.parent / 'inner'}"
    code, output = said(root, "pytest", "-p", "no:cacheprovider", own, "-vv", *tests)
    assert code == 0, output
    for test in tests:
        assert re.search(rf"^{re.escape(test)}\S* PASSED", output, re.MULTILINE), f"{test} did not run:\n{output}"


def check(root: Path, *words: str) -> None:
    code, output = said(root, *words)
    assert code == 0, output


def write_reference(root: Path) -> None:
    """docs/cli.md as the page says to make it."""
    code, output = said(root, "agentsight_rx.cli.program.reference")
    assert code == 0, output
    (root / "docs" / "cli.md").write_text(output)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)  # with what is compiled: it holds for files of the same size and time
        else:
            shutil.copy2(ROOT / name, root / name)
    if (ROOT / _KNOWN).is_dir():  # of the unchanged files, whose times are copied too, mypy knows all from there
        shutil.copytree(ROOT / _KNOWN, root / _KNOWN)
    return root


def test_each_block_of_the_page_has_its_place(tmp_path: Path) -> None:
    for change in changes():
        copied = tmp_path / change.path
        copied.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / change.path).exists() and not copied.exists():
            shutil.copy2(ROOT / change.path, copied)
        apply(change, tmp_path)
        compile(copied.read_text(), change.path, "exec")


@pytest.mark.slow
@pytest.mark.thorough
def test_the_parts_of_the_page_pass_the_shared_tests_and_the_checkers(copy: Path) -> None:
    made = list(changes())
    for change in made:
        apply(change, copy)
    (copy / "tests" / "test_parts_of_the_page.py").write_text(PARTS_WORK)
    write_reference(copy)
    new = [change.path for change in made if change.line is None]
    changed = sorted({change.path for change in made})
    with ThreadPoolExecutor() as pool:
        mypy = pool.submit(check, copy, "mypy", "--strict", *new)
        run_tests(copy, [*PART_TESTS, HOUSE_TESTS])
        check(copy, "ruff", "check", "--no-cache", *changed)
        check(copy, "ruff", "format", "--no-cache", "--check", *changed)
        mypy.result()
