"""The commands of the README without rights, in containers of a new Debian 12 and 13: each records for real."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.agents.install import NPM, install
from tests.live.podman import podman

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".setup" / "rootless"  # made by scripts/rootless.sh
IMAGE = "localhost/agentsight-rx-rootless"
PLACE = "/srv/agentsight-rx"  # any user can go there
RELEASES = ("12", "13")
LONGEST_S = 300  # a first run installs packages of Python

USER = ("--user=1000:1000", "--env=HOME=/home/agent")
CASES = {
    "a user, with the usual seccomp filter": (*USER, "--network=host"),
    "root without capabilities": ("--user=0:0", "--env=HOME=/root", "--cap-drop=all", "--network=host"),
    "a user, without a seccomp filter": (*USER, "--network=host", "--security-opt=seccomp=unconfined"),
    "a user with a home that cannot be written": (*USER, "--network=host", "--read-only", "--tmpfs=/tmp"),
    "a user without a network": (*USER, "--network=none"),
}


def run(release: str, options: tuple[str, ...], *command: str, image: str = "", writable: bool = True) -> str:
    """What it printed."""
    checkout = f"{KEPT / release / 'checkout'}:{PLACE}:{'rw' if writable else 'ro'}"
    words = ["--rm", *options, f"--env-file={KEPT / 'network'}", f"--volume={checkout}", f"--workdir={PLACE}"]
    words.append(f"--volume={NPM / '@anthropic-ai' / 'claude-code-linux-x64'}:/srv/claude:ro")
    done = subprocess.run(
        podman("run", *words, f"{IMAGE}:{release}{image}", *command),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    print(f"== Debian {release}, {' '.join(options)}, status {done.returncode}\n{done.stdout}")
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def claude_code() -> None:
    """Its package, beside the other agents of the tier that runs them."""
    install(["npm"], say=print)


@cache
def set_up(release: str) -> str:
    """The first run of a user who installs nothing but packages of Python, into the checkout."""
    return run(release, (*USER, "--network=host"), "./run.sh", "--version")


@pytest.mark.parametrize("release", RELEASES)
def test_a_user_without_python_is_told_one_line_of_apt(release: str) -> None:
    said = run(release, (*USER, "--network=none"), "./run.sh", image="-bare")
    assert re.findall("sudo apt-get .*", said) == ["sudo apt-get install python3 python3-venv ca-certificates"]


@pytest.mark.parametrize("release", RELEASES)
def test_the_first_run_of_a_user_needs_no_root(release: str) -> None:
    assert "\nagentsight-rx " in f"\n{set_up(release)}"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("release", RELEASES)
def test_the_first_commands_record_for_real(release: str, case: str) -> None:
    set_up(release)
    said = run(release, CASES[case], "bash", "tests/rootless/inside.sh", writable="cannot be written" not in case)
    demo, recorded, report, claude = re.split(r"^== \./run\.sh.*\n", said, flags=re.MULTILINE)[1:]
    assert "== status 0\n" in demo
    assert "seen by breakpoints" in demo
    assert "== status 0\n" in recorded
    assert "the model answered 200" in recorded
    assert "== status 0\n" in claude
    assert "hello from the tool" in claude
    if "cannot be written" in case:
        assert "NOTHING IS STORED" in recorded
        assert "give --db" in report
    else:
        assert "nothing is missing of what breakpoints show" in recorded
        assert "How are you?" in report
        assert "claude-fake" in report
        assert "nothing is missing of what breakpoints show" in claude
