"""The service on a machine that systemd runs: installed, killed, stopped, reloaded, removed. Its tests are steps, in order."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.live.capture import until
from tests.systemd.machine import UNIT, Agent, Machine, machine

pytestmark = pytest.mark.live

# Each reload waits until the journal says what became of the one before
_RELOADS = r"""
said() { journalctl --unit agentsight-rx --output cat --no-pager | grep -c 'rules of the guard: '; }
for number in $(seq 100); do
  before=$(said)
  if ((number % 2)); then printf '[rule.mine]\nwhen = "file.path = /%s"\n' "$number"; else echo '[rule.mine]'; fi \
    >/etc/agentsight-rx/guard.toml
  systemctl reload agentsight-rx
  until (($(said) > before)); do sleep 0.1; done
done
"""
_OWN = f"/run/systemd/system/{UNIT}.d"
_BACK_S = 10.0  # a recorder that was killed captures again within


@pytest.fixture(name="its", scope="module")
def _machine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Machine]:
    with machine(tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture(name="users", scope="module")
def _users(its: Machine) -> tuple[list[str], list[str]]:
    """How commands of two users begin."""
    return its.user("ann"), its.user("bob")


@pytest.fixture(name="before", scope="module")
def _before(its: Machine, users: tuple[list[str], list[str]]) -> set[str]:
    """Its files before the service was installed."""
    assert all(users)
    return its.files()


@pytest.fixture(name="agent", scope="module")
def _agent(its: Machine, before: set[str]) -> Agent:
    """An agent that is recorded from its first call on by a service that was installed before."""
    assert before
    its.product("service", "install")
    pid = its.pid()
    agent = its.agent()
    until(lambda: f"recording claude {agent.pid}" in its.journal())
    until(lambda: "watching TLS" in its.journal().rpartition(f"recording claude {agent.pid}")[2])
    agent.asks()
    agent.asks()
    until(lambda: calls(its) == 2)
    assert its.pid() == pid, "it runs since it was installed"
    return agent


def calls(its: Machine) -> int:
    return sum(row["calls"] for row in its.report("sessions"))


def went_on(its: Machine, agent: Agent) -> list[str]:
    """What the recording says of the time in which this agent ran and nothing was recorded."""
    (found,) = its.report("health")
    return [each["what"] for each in found["beginnings"] if each["pid"] == agent.pid and "nothing was recorded" in each["what"]]


def away_s(its: Machine, was: int) -> float:
    """Wait until another process captures; how long none did, by the clock of the journal."""
    until(lambda: its.pid() != was)
    until(lambda: its.moments("capturing;")[-1] > its.moments("Main process exited")[-1])
    return its.moments("capturing;")[-1] - its.moments("Main process exited")[-1]


def restarted(its: Machine, agent: Agent, dropped: str) -> str:
    """What a new recorder says, until it names what was `dropped` or records the agent."""
    before, words = len(its.journal()), [f"recording claude {agent.pid}, which ran already", *filter(None, [dropped])]
    its.run("systemctl", "--no-block", "restart", UNIT)
    until(lambda: any(each in its.journal()[before:] for each in words))
    return its.journal()[before:]


def asks_again(its: Machine, agent: Agent) -> None:
    """Once it is recorded again, the agent asks, and its call is there."""
    known = calls(its)
    until(lambda: "watching TLS" in its.journal().rpartition(f"recording claude {agent.pid}, which ran already")[2])
    agent.asks()
    until(lambda: calls(its) == known + 1)


def test_it_is_installed_and_records_an_agent(its: Machine, agent: Agent) -> None:
    (session,) = its.report("sessions")
    assert ("claude", agent.pid, 2, "view") == tuple(session[name] for name in ("agent", "pid", "calls", "view_source"))
    until(lambda: "1 agent runs; memory " in its.product("service", "status", "--text"))
    assert "nothing is lost" in its.product("service", "status", "--text")
    assert its.report("health")[0]["complete"]
    # A container's systemd may not raise the limit itself
    assert "LimitRTPRIO=1" in its.run("systemctl", "show", "--property", "LimitRTPRIO", UNIT)


def test_a_recorder_that_is_killed_comes_back_and_says_what_it_missed(its: Machine, agent: Agent) -> None:
    was = its.pid()
    its.run("bash", "-c", f"kill -KILL {was}")
    agent.asks()
    assert away_s(its, was) < _BACK_S
    asks_again(its, agent)
    (found,) = its.report("health")
    assert 1 == len(found["unended"])
    (said,) = went_on(its, agent)
    assert said.startswith(f"claude {agent.pid} went on while nothing was recorded, for ")
    assert not found["complete"]


def test_one_that_hangs_is_ended_by_the_watchdog_and_comes_back(its: Machine, agent: Agent) -> None:
    its.run(
        "bash", "-c", f"mkdir -p {_OWN} && printf '[Service]\nWatchdogSec=6\n' >{_OWN}/test.conf && systemctl daemon-reload"
    )
    its.run("systemctl", "restart", UNIT)
    was = its.pid()
    asks_again(its, agent)
    its.run("bash", "-c", f"kill -STOP {was}")
    until(lambda: "Watchdog timeout" in its.journal())
    assert away_s(its, was) < _BACK_S
    asks_again(its, agent)
    assert went_on(its, agent)[0].endswith(", in 3 gaps"), "killed, restarted by systemctl, and hung"
    its.run("bash", "-c", f"rm -r {_OWN} && systemctl daemon-reload")


def test_without_any_one_of_its_capabilities_it_names_it_or_records_all_the_same(its: Machine, agent: Agent) -> None:
    """Of another user's agent alone the kernel asks for some of them."""
    whole = its.shown("CapabilityBoundingSet")["CapabilityBoundingSet"].upper().split()
    assert {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} <= set(whole)
    named = list[str]()
    for dropped in whole:
        others = " ".join(name for name in whole if name != dropped)
        text = f"[Service]\\nCapabilityBoundingSet=\\nCapabilityBoundingSet={others}\\n"
        its.run("bash", "-c", f"mkdir -p {_OWN} && printf '{text}' >{_OWN}/test.conf && systemctl daemon-reload")
        if dropped in restarted(its, agent, dropped):
            named.append(dropped)
        else:
            asks_again(its, agent)
    assert {"CAP_BPF", "CAP_PERFMON"} <= set(named), "without these nothing is captured"
    its.run("bash", "-c", f"rm -r {_OWN} && systemctl daemon-reload")
    restarted(its, agent, "")
    asks_again(its, agent)


def test_a_hundred_reloads_lose_nothing_and_wrong_rules_change_nothing(its: Machine, agent: Agent) -> None:
    """Half of the files are wrong. The agent works all the time, and the service never starts anew."""
    its.run("bash", "-c", "mkdir -p /etc/agentsight-rx && : >/etc/agentsight-rx/guard.toml")
    its.product("service", "install", "--", "--guard")
    was = its.pid()
    asks_again(its, agent)
    before, known = its.loss(), calls(its)
    reloading = its.start("bash", "-c", _RELOADS)
    asked = 0
    while reloading.poll() is None:
        agent.asks()
        asked += 1
    until(lambda: calls(its) == known + asked)
    assert was == its.pid()
    said = its.journal().rpartition("recording claude")[2]
    assert (50, 50) == (said.count("/guard.toml loaded, "), said.count("; the rules from before stay"))
    assert before == its.loss()
    held = its.run("bash", "-c", "journalctl -u agentsight-rx -o cat --no-pager | grep -o 'loaded, .* sha256 .*' | tail -n 1")
    until(lambda: f"; rules {held.split()[-1]}" in its.product("service", "status", "--text"))
    assert "what was loaded before holds, since /etc/agentsight-rx/guard.toml:" in its.product("service", "status", "--text")
    its.run("rm", "-r", "/etc/agentsight-rx")


def test_an_agent_of_a_user_is_shown_to_that_user_alone(its: Machine, agent: Agent, users: tuple[list[str], list[str]]) -> None:
    ann, bob = users
    hers = its.agent("codex", by=ann)
    until(lambda: f"recording codex {hers.pid}" in its.journal())

    def shown() -> bool:
        hers.asks()
        return [session["pid"] for session in its.sessions_of(ann)] == [hers.pid]

    until(shown)
    assert [] == its.sessions_of(bob)
    assert {agent.pid, hers.pid} == {session["pid"] for session in its.report("sessions")}
    hers.ends()
    its.run("sh", "-c", "rm -rf /tmp/ann/.??* /tmp/bob/.??*")


def test_uninstall_leaves_nothing(its: Machine, agent: Agent, before: set[str]) -> None:
    agent.ends()
    its.product("service", "uninstall")
    assert "LoadState=not-found\n" == its.run("systemctl", "show", UNIT, "--property", "LoadState")
    after = its.files()
    assert (set(), set()) == (after - before, before - after)
    assert "" == its.run("sh", "-c", "ls -d /sys/fs/cgroup/system.slice/agentsight* 2>/dev/null", status=None)
