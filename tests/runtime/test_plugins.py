"""Parts of other packages in the commands: found, used, listed by doctor, and skipped where they are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.events import Event, Loss, Origin, Readline
from agentsight_rx.events.envelope import encode_envelope
from agentsight_rx.events.loss import Reason
from tests.installed_package import describe, install, install_broken

SECRET = "sk-ant-api03-" + "a1B2" * 20
TIME_NS = 1_800_000_000_000_000_000
EVENTS: list[Event] = [
    Readline(Origin(1, 7, wall_ns=TIME_NS), "make check"),
    Loss(Origin(2, 7, wall_ns=TIME_NS), "readline", Reason.KERNEL_LOST, 5),
    Readline(Origin(3, 7, wall_ns=TIME_NS), f"export API_KEY={SECRET}"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example package is."""
    place = tmp_path_factory.mktemp("installed") / "packages"
    install(place)
    return place


@pytest.fixture(autouse=True)
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.jsonl").write_bytes(b"".join(msgspec.json.encode(encode_envelope(event)) + b"\n" for event in EVENTS))


def ran(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(place, "-m", "agentsight_rx", *words)


def python(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(place), str(Path(__file__).parents[2])])},
        capture_output=True,
        text=True,
        check=False,
    )


def commands(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["data"]["command"] for line in lines if "command" in line["data"]]


def test_an_operator_stands_before_redaction(installed: Path) -> None:
    done = ran(installed, "replay", "run.jsonl", "--json", "--pipe", "shout=make")
    shown = commands(done)
    assert (0, "MAKE CHECK") == (done.returncode, shown[0])
    assert SECRET not in done.stdout
    assert "[redacted:" in shown[1]
    assert '"count":5' in done.stdout.replace(" ", "")


def test_several_operators_stand_behind_one_another_in_the_graph(installed: Path) -> None:
    done = ran(installed, "replay", "run.jsonl", "--pipe", "shout=a", "--pipe", "shout", "--explain")
    assert ["materialize", "remove_auth", "shout", "shout  a"] == [line.strip() for line in done.stdout.splitlines()[:4]]


def test_a_sink_gets_what_every_sink_gets(installed: Path) -> None:
    done = ran(installed, "replay", "run.jsonl", "--json", "--sink", "kinds=counts.txt")
    assert 0 == done.returncode
    counts = dict(line.split() for line in Path("counts.txt").read_text().splitlines())
    assert {"Readline": "2", "Loss": "1"} == {name: counts[name] for name in ("Readline", "Loss")}


def test_a_source_stands_before_redaction_too(installed: Path) -> None:
    done = ran(installed, "trace", "--source", "log=history.txt", "--explain")
    stages = [line.strip() for line in done.stdout.splitlines()]
    assert ["materialize", "remove_auth", "merge", "normalize", "log  history.txt"] == stages


def test_a_provider_and_an_agent_are_known_to_every_command(installed: Path) -> None:
    program = (
        "import sys; sys.argv[1:] = ['--version']\n"
        "from agentsight_rx.plugins import load; load('providers', 'agents')\n"
        "from agentsight_rx.llm.agents import agent_of; from agentsight_rx.llm import find, provider_named\n"
        "print(agent_of('parrot-cli', ('parrot-cli',)), find('x', '/parrot/speak').name, provider_named('parrot').label)"
    )
    done = python(installed, "-c", program)
    assert ("parrot-cli parrot parrot\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("broken_parts:NUMBER", "expected a value of agentsight_rx.llm.Provider, and got 3"),
        ("broken_parts:missing", "AttributeError: "),
        ("not_there:x", "ModuleNotFoundError: No module named 'not_there'"),
        ("agentsight_rx.llm.all_dialects:ANTHROPIC", "the provider 'anthropic' is there already"),
    ],
)
def test_a_broken_part_is_one_line_and_the_command_goes_on(tmp_path: Path, part: str, why: str) -> None:
    install_broken(tmp_path, providers=part)
    done = ran(tmp_path, "replay", "run.jsonl", "--json")
    assert (0, 2) == (done.returncode, len(commands(done)))
    (line,) = [line for line in done.stderr.splitlines() if "skipped" in line]
    assert "agentsight-broken 0.1 is skipped" in line
    assert why in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("group", "why"),
    [
        (
            "agentsight_rx.operator",
            "its group 'agentsight_rx.operator' is none of ours: did you mean 'agentsight_rx.operators'?",
        ),
        ("agentsight-rx.sinks", "its group 'agentsight-rx.sinks' is none of ours: did you mean 'agentsight_rx.sinks'?"),
        ("agentsight_rx.xyz", "its group 'agentsight_rx.xyz' is none of ours"),
    ],
)
def test_a_group_whose_name_is_wrong_is_said(tmp_path: Path, group: str, why: str) -> None:
    describe(tmp_path, "agentsight-broken", "0.1", {group: {"it": "broken_parts:function"}})
    done = ran(tmp_path, "replay", "run.jsonl", "--json")
    assert (0, 2) == (done.returncode, len(commands(done)))
    assert f"it of agentsight-broken 0.1 is skipped: {why}" in done.stderr


@pytest.mark.parametrize("wants", ["agentsight-rx>=99", "agentsight_rx <0.1; python_version > '3'"])
def test_a_package_that_wants_another_release_is_skipped(tmp_path: Path, wants: str) -> None:
    install_broken(tmp_path, wants=wants, operators="broken_parts:nothing")
    done = ran(tmp_path, "replay", "run.jsonl", "--json", "--pipe", "it")
    assert 2 == done.returncode
    assert f"it of agentsight-broken 0.1 is skipped: it wants {wants}, and this is " in done.stderr


@pytest.mark.parametrize("wants", ["agentsight-rx>=0.1", "agentsight-rx>=99; extra == 'new'", "msgspec>=99"])
def test_one_that_does_not_is_used(tmp_path: Path, wants: str) -> None:
    install_broken(tmp_path, wants=wants, operators="broken_parts:nothing")
    assert 0 == ran(tmp_path, "replay", "run.jsonl", "--json", "--pipe", "it").returncode


def test_an_operator_that_emits_nothing_is_said(tmp_path: Path) -> None:
    install_broken(tmp_path, operators="broken_parts:nothing")
    done = ran(tmp_path, "replay", "run.jsonl", "--pipe", "it")
    assert "it took 2 events and emitted none." in done.stdout + done.stderr


def test_an_operator_that_fails_is_counted_and_ends_with_status_1(tmp_path: Path) -> None:
    install_broken(tmp_path, operators="broken_parts:bad_rows")
    done = ran(tmp_path, "replay", "run.jsonl", "--pipe", "it")
    assert 1 == done.returncode
    assert "2 lost at " in done.stdout + done.stderr


def test_workers_of_a_cluster_know_the_parts_of_other_packages(installed: Path) -> None:
    program = (
        "from agentsight_rx.runtime.cluster.job import segment\n"
        "from agentsight_rx.llm import provider_named\n"
        "try:\n    segment(None)\nexcept AttributeError:\n    print(provider_named('parrot').label)"
    )
    done = python(installed, "-c", program)
    assert ("parrot\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pipe", "it"], "it of operators made 3, and a Operator was expected"),
        (["--pipe", "it=x"], "it of operators cannot be made of 'it=x': function() takes 0"),
        (["--pipe", "other"], "other is none of the installed operators: it"),
        (["--sink", "other"], "other is none of the installed sinks: no package has a part in agentsight_rx.sinks"),
    ],
)
def test_what_a_flag_cannot_find_or_make_is_an_error_of_one_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    install_broken(tmp_path, operators="broken_parts:function")
    done = ran(tmp_path, "replay", "run.jsonl", *words)
    assert 2 == done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_needs_no_part_looks_for_none(tmp_path: Path) -> None:
    """Without a package that names one of our groups, importlib.metadata is not even imported."""
    program = "import sys, agentsight_rx.core.start as i; assert not i.any_part(); print('importlib.metadata' in sys.modules)"
    done = python(tmp_path, "-c", program)
    assert ("False\n", "") == (done.stdout, done.stderr)


def test_doctor_lists_each_part_with_its_package(installed: Path) -> None:
    program = (
        "from rich.console import Console; from agentsight_rx.cli.doctor import render\n"
        "from agentsight_rx.plugins import found\n"
        "Console(width=120).print(render([], [], found()))"
    )
    done = python(installed, "-c", program)
    listed = [line.split() for line in done.stdout.splitlines() if "agentsight-parrot" in line]
    names = [("providers", "parrot"), ("agents", "parrot-cli"), ("operators", "shout"), ("sinks", "kinds"), ("sources", "log")]
    assert [["ok", *each, "agentsight-parrot", "1.0"] for each in names] == listed


PARSER = """
from agentsight_rx.llm import Agent
from agentsight_rx.llm.agents.session_files import Parser
from agentsight_rx.llm.agents.session_files.parser import State


BOT = Agent(id="shopbot", title="Shop bot", names=("shopbot",), sessions=(".shopbot",), session_files=("*.jsonl",), capture="x")


class ShopBot(Parser[State]):
    agent = "shopbot"
    state_type = State

    def take(self, value, /):
        yield self.entry("answer", id=str(value["n"]), text=str(value["said"]), model="m")
"""


def test_a_package_reads_the_session_files_of_its_agent(tmp_path: Path) -> None:
    (tmp_path / "shop_bot.py").write_text(PARSER)
    groups = {"agentsight_rx.agents": {"bot": "shop_bot:BOT"}, "agentsight_rx.session_files": {"bot": "shop_bot:ShopBot"}}
    describe(tmp_path, "agentsight-shop", "0.1", groups)
    (tmp_path / "home" / ".shopbot").mkdir(parents=True)
    (tmp_path / "home" / ".shopbot" / "one.jsonl").write_text('{"n": 1, "said": "I look."}\n')
    done = subprocess.run(
        [sys.executable, "-m", "agentsight_rx", "import", "--agent", "shopbot"],
        env={
            **os.environ,
            "HOME": str(tmp_path / "home"),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, True) == (done.returncode, "1 session of agents' own files: Shop bot 1" in done.stderr), done.stderr


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("broken_parts:NUMBER", "expected a class that inherits agentsight_rx.llm.agents.session_files.Parser"),
        ("agentsight_rx.llm.agents.session_files.by_form:Pi", "the session files of 'pi' are read already"),
    ],
)
def test_a_parser_that_is_none_or_there_already_is_skipped(tmp_path: Path, part: str, why: str) -> None:
    install_broken(tmp_path, session_files=part)
    assert why in ran(tmp_path, "replay", "run.jsonl", "--json").stderr
