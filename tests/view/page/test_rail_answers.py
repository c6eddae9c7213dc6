"""A recorded session -> what the page gets: sentences with places, turns with what really ran, rows, errors."""

from __future__ import annotations

import datetime
import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import CALLS, HTTP
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import SessionRow
from agentsight_rx.view.page import PageError, Picture, answer
from agentsight_rx.view.page.head import CHANGED, FAILED, PROMPTED
from agentsight_rx.view.queries.reading import rows_of
from tests.view.page.story import SESSION, Story, parcel, stored

TODAY = datetime.date(2026, 11, 27)


def pictured(*, being_written: bool = False) -> Picture:
    return Picture(stored(parcel()), Prices(today=TODAY), being_written=being_written)


PARCEL = pictured()


def asked(path: str, picture: Picture = PARCEL, **given: str) -> Any:
    return json.loads(msgspec.json.encode(answer(picture, "parcel", path, given)))


def here(tab: str = "", picture: Picture = PARCEL, **given: str) -> Any:
    return asked(f"session/{SESSION}" + (f"/{tab}" if tab else ""), picture, **given)


def sentence(head: Any) -> str:
    return "".join(clause["text"] for clause in head["verdict"])


# -- the head ------------------------------------------------------------------------------------------------------------


def test_the_rail_has_one_row_for_the_session_with_its_plan_cost_and_context() -> None:
    (row,) = asked("sessions")
    assert ("Claude Code", "claude-sonnet-4-5", "5 of 6: review", 12) == (row["agent"], row["model"], row["step"], row["turns"])
    assert 0 < row["usd"] < 1
    assert 0.6 < row["left"] < 0.7


def test_the_rail_has_the_newest_500_sessions_of_a_recording() -> None:
    store = MemoryStore()
    store.commit([put(SessionRow(f"s{number:03}", number, agent="x")) for number in range(503)])
    rows = asked("sessions", Picture(store, Prices(today=TODAY)))
    assert ["s502", "s003"] == [rows[0]["id"], rows[-1]["id"]]
    assert 500 == len(rows)


def test_the_verdict_is_one_sentence_and_each_clause_leads_to_its_evidence() -> None:
    head = here()
    assert (
        "Edited 3 files, ran 8 commands, 5 failed. pytest -k rounding -x failed three times in a row, "
        "1 call of the model failed. $0.093 of $0.464 (20 %) could be saved: the cache was lost once (turn 6): 34.6 k paid "
        "again." == sentence(head)
    )
    places = {clause["text"]: (clause.get("tab"), clause.get("turn")) for clause in head["verdict"] if "tab" in clause}
    assert ("files", None) == places["Edited 3 files"]
    assert ("processes", None) == places["ran 8 commands"]
    assert ("conversation", 3) == places["5 failed"]
    assert ("context", None) == next(place for text, place in places.items() if text.startswith("$0.093 of"))


def test_a_session_that_goes_on_is_not_judged_as_if_it_had_ended() -> None:
    story = Story()
    story.ask(ms=900, prompt="Hello", says="Hi")
    head = here("", Picture(stored(story.events), Prices(today=TODAY), being_written=True))
    assert "Working on turn 1, so far answered 1 prompt, changed nothing." == sentence(head)
    assert "so_far" == head["whole"]["state"]


def test_a_session_without_effects_says_so() -> None:
    story = Story()
    story.ask(ms=900, prompt="Hello", says="Hi")
    assert "Answered 1 prompt, changed nothing." == sentence(here("", Picture(stored(story.events), Prices(today=TODAY))))


def test_the_strip_has_a_column_for_each_turn_and_marks_trouble() -> None:
    strip = here()["strip"]
    assert [*range(1, 13)] == strip["n"]
    flags = dict(zip(strip["n"], strip["flags"], strict=True))
    assert (0, 1, 2, 1) == (flags[2], flags[3], flags[9] & ~CHANGED, flags[11])
    assert {len(column) for column in strip.values()} == {12}


def test_the_strip_says_which_turns_changed_files_and_which_began_with_a_prompt() -> None:
    strip = here()["strip"]
    flags = dict(zip(strip["n"], strip["flags"], strict=True))
    assert [4, 9] == [turn for turn, flag in flags.items() if flag & CHANGED]
    assert [1] == [turn for turn, flag in flags.items() if flag & PROMPTED]


def test_equal_failures_are_one_row() -> None:
    groups = here("failures")["groups"]
    assert [("exit 1", "pytest -k rounding -x", [5, 6, 7]), ("exit 1", "pytest -q tests/test_rounding.py", [3])] == [
        (each["outcome"], each["what"], each["turns"]) for each in groups[:2]
    ]
    assert ("HTTP 529", "api.anthropic.com/v1/messages", [""]) == tuple(
        groups[-1][name] for name in ("outcome", "what", "rows")
    )


def test_each_failed_turn_of_the_strip_is_in_a_group_of_failures() -> None:
    strip, groups = here()["strip"], here("failures")["groups"]
    failed = {turn for turn, flag in zip(strip["n"], strip["flags"], strict=True) if flag & FAILED}
    assert failed == {turn for group in groups for turn in group["turns"]}


def test_the_strip_goes_on_where_the_page_has_it() -> None:
    head = here("", PARCEL, **{"from": "10"})
    assert (10, [11, 12], 12) == (head["from_turn"], head["strip"]["n"], head["turns"])


def test_times_of_model_tools_and_idle_make_up_the_whole() -> None:
    head = here()
    numbers = head["numbers"]
    assert head["end_ms"] - head["start_ms"] == numbers["model_ms"] + numbers["tools_ms"] + numbers["idle_ms"]


def test_what_is_worth_a_look_has_its_turns() -> None:
    signals = {each["title"]: each for each in here()["signals"]}
    assert [5, 6, 7] == signals["Same command, same result"]["turns"]
    assert "pytest -k rounding -x" == signals["Same command, same result"]["code"]
    assert [6] == signals["Cache lost"]["turns"]
    assert signals["Cache lost"]["diff"].endswith("-8")


def test_what_is_missing_is_named_in_the_head_and_in_health() -> None:
    whole = here()["whole"]
    assert ("not_whole", "codex 12612 could not be read") == (whole["state"], whole["said"][0])
    missing = asked("health")["missing"]
    assert ["codex 12612 could not be read", "1 call is incomplete", "the recording has no orderly end"] == [
        each["what"] for each in missing
    ]
    assert "doctor --probe /usr/bin/codex" in missing[0]["do"]


def test_health_counts_at_each_place_what_arrived() -> None:
    stages = {each["id"]: each for each in asked("health")["stages"]}
    assert ("kernel", "queue", "protocols", "filters", "store", "connections", "calls") == tuple(stages)
    assert (3, 4, 0.75, 1) == tuple(stages["connections"][name] for name in ("arrived", "before", "kept", "lost"))
    assert (13, 14) == (stages["calls"]["arrived"], stages["calls"]["before"])


# -- turns ---------------------------------------------------------------------------------------------------------------


def cards(**given: str) -> dict[int, Any]:
    return {card["n"]: card for card in here("turns", PARCEL, **given)["cards"]}


def test_a_turn_has_what_was_new_said_and_asked_for() -> None:
    card = cards()[1]
    assert ["your prompt"] == card["new"]
    assert card["prompt"]["text"].startswith("Invoice totals are off by one cent")
    assert 26 == card["words"]
    assert ["TodoWrite", "Task"] == [tool["name"] for tool in card["tools"]]
    assert "6 steps, 0 done" == card["tools"][0]["asked"]


def test_a_tool_has_the_command_that_really_ran_and_how_it_ended() -> None:
    (tool,) = cards()[3]["tools"]
    assert ("failed", "exit 1", 6100) == (tool["state"], tool["how"], tool["ms"])
    (program,) = tool["programs"]
    assert "/bin/bash -c 'pytest -q tests/test_rounding.py'" == program["argv"]
    assert ("exit 1", "/home/ada/code/parcel") == (program["end"], tool["cwd"])
    assert "matched with the tool call by its arguments" == tool["tied"]


def test_a_tool_has_the_files_that_were_written_for_it() -> None:
    (tool,) = cards()[4]["tools"]
    assert [{"sign": "+", "path": "/home/ada/code/parcel/src/billing/invoice.py"}] == tool["files"]


def test_a_sub_agent_is_below_the_tool_that_started_it() -> None:
    (sub,) = cards()[1]["subs"]
    assert ("explore", 2) == (sub["name"], sub["turns"])
    assert cards()[1]["tools"][1]["id"] == sub["tool"]
    assert ["Bash"] == [tool["name"] for tool in sub["cards"][0]["tools"]]


def test_a_sub_agent_has_its_task_and_the_tool_that_asked_for_it() -> None:
    (sub,) = here("turns")["cards"][0]["subs"]
    assert ("Find the rounding code in src and say where totals are made.", "Task", 1) == (
        sub["task"],
        sub["asker"],
        sub["asked_in"],
    )


def test_a_cut_answer_says_what_is_missing_and_what_to_do() -> None:
    gap = cards()[9]["gap"]
    assert ("Part of the answer is missing", "bytes inside it were not captured") == (gap["what"], gap["why"])
    assert gap["do"]


def test_a_failed_call_has_its_reason() -> None:
    assert cards()[11]["error"].startswith("HTTP 529")


def test_turns_come_in_pages() -> None:
    page = here("turns", PARCEL, since="4", count="3")
    assert (4, 12, [5, 6, 7]) == (page["start"], page["total"], [card["n"] for card in page["cards"]])


# -- bodies --------------------------------------------------------------------------------------------------------------


def test_a_call_whole_has_its_messages_parameters_and_answer() -> None:
    call = cards()[3]["call"]
    whole = asked(f"call/{call}")
    assert ["system", "user", "assistant"] == [message["role"] for message in whole["messages"][:3]]
    assert "16384" == whole["parameters"]["max_tokens"]
    assert ["text", "tool_call"] == [part["kind"] for part in whole["answer"]]


def test_a_result_comes_in_parts() -> None:
    tool = cards()[3]["tools"][0]["id"]
    assert "1 failed, 8 passed in 5.9 s" == asked(f"tool/{tool}")["text"]
    part = asked(f"tool/{tool}", offset="9")
    assert (" 8 passed in 5.9 s", 27) == (part["text"], part["total"])


def test_a_difference_folds_what_is_the_same() -> None:
    found = asked("diff", a=cards()[5]["call"], b=cards()[6]["call"])
    assert [("same", 10), ("new", None), ("new", None)] == [(line["change"], line.get("count")) for line in found["lines"]]
    assert 34_600 == found["uncached"]


# -- rows ----------------------------------------------------------------------------------------------------------------


def test_files_come_with_writes_first_and_the_turn_that_wrote_them() -> None:
    table = here("files")
    assert ["written", "written", "written", "written", "removed"] == [row["kind"] for row in table["rows"]]
    assert "/home/ada/code/parcel" == table["folder"]
    turns = {row["path"].rpartition("/")[2]: row.get("turn") for row in table["rows"]}
    assert (4, 9) == (turns["invoice.py"], turns["test_rounding.py"])


@pytest.mark.parametrize(
    ("content", "also", "size"),
    [
        ("é\n" * 613 + "x", "", 1840),  # bytes, as the story writes them, in UTF-8
        ("line\n" * 367 + "four", "", None),  # the tool says it, and another number of bytes was written
        ("line\n" * 368, "sed", None),  # another program wrote it too
    ],
)
def test_the_size_of_a_file_is_known_where_its_content_and_its_last_write_agree(
    content: str, also: str, size: int | None
) -> None:
    path, story = "/home/ada/code/parcel/new.txt", Story()
    story.ask(ms=100, prompt="Write it", tools=[("Write", {"file_path": path, "content": content})])
    story.wait(6).files(12345, "claude", wrote=[path])
    story.ask(ms=100, results=[("toolu_001", "ok", False)], says="Done.")
    if also:
        story.ran(also, "-i", "s/a/b/", path, ms=10, wrote=[path])
    (row,) = here("files", Picture(stored(story.events), Prices(today=TODAY)))["rows"]
    assert (size, "written") == (row.get("size"), row["kind"])


def test_rows_are_filtered_by_words() -> None:
    table = here("files", PARCEL, q="INVOICE")
    assert (1, 1) == (table["total"], len(table["rows"]))


def test_processes_are_a_tree_with_turns() -> None:
    rows = here("processes")["rows"]
    assert (0, "claude --dangerously-skip-permissions") == (rows[0]["depth"], rows[0]["argv"])
    assert {1} == {row["depth"] for row in rows[1:]}
    assert 2 == next(row["turn"] for row in rows if "git log" in row["argv"])


def test_every_exchange_is_in_http() -> None:
    rows = here("http")["rows"]
    assert 14 == len(rows)
    assert [529] == [row["status"] for row in rows if row["status"] >= 400]


def test_an_exchange_has_its_peer_and_a_call_the_proxy_that_passed_it_on() -> None:
    store = stored(parcel())
    call = next(row for row in rows_of(store, CALLS) if row.session_id == SESSION)
    exchange = next(row for row in rows_of(store, HTTP) if row.call_id == call.id)
    passed_on = replace(exchange, id=f"{exchange.id}00", peer="10.0.0.3:443", call_id="llm-9")
    twin = replace(exchange, id=f"{exchange.id}01", twin=exchange.id, server=True, call_id=None)
    changed = (replace(call, through="litellm"), replace(exchange, peer="127.0.0.1:80"), passed_on, twin)
    store.commit([put(row) for row in changed])
    picture = Picture(store, Prices(today=TODAY))
    rows = {row["id"]: row for row in here("http", picture)["rows"]}
    assert 15 == len(rows) == here("", picture)["counts"]["http"]
    assert ("127.0.0.1:80", None) == (rows[exchange.id]["peer"], rows[exchange.id].get("passed_on"))
    assert ("10.0.0.3:443", True) == (rows[passed_on.id]["peer"], rows[passed_on.id]["passed_on"])
    assert "litellm" == next(card for card in here("turns", picture)["cards"] if card["call"] == call.id)["through"]
    assert "litellm" == asked(f"call/{call.id}", picture)["through"]


def test_mcp_requests_have_their_outcome() -> None:
    (row,) = asked("session/-/mcp")["rows"]
    assert ("postgres 1.4", "query", "ok", 31) == (row["server"], row["tool"], row["outcome"], row["ms"])


def test_the_timeline_has_lanes_whose_spans_are_in_its_length() -> None:
    lanes = here("timeline")
    assert ["model", "tools", "agent", "program", "program", "program", "files"] == [lane["kind"] for lane in lanes["lanes"]]
    for lane in lanes["lanes"]:
        assert all(0 <= start <= end <= lanes["length_ms"] for start, end in zip(lane["start"], lane["end"], strict=True))
    assert 193.0 == max(lanes["curve"]["cpu"])


def test_a_span_says_how_it_ended_what_it_used_and_what_its_call_cost() -> None:
    lanes = {lane["name"]: lane for lane in here("timeline", width="4000")["lanes"]}
    bash = next(lane for name, lane in lanes.items() if name.startswith("bash"))
    assert "exit 1, 3.0 s CPU, 181.0 MB" in bash["info"]
    assert lanes["model"]["info"][0].startswith("$0.0")
    assert "exit 1" in lanes["tools"]["info"]


def test_the_timeline_begins_with_the_first_call() -> None:
    story = Story()
    story.wait(8400)
    story.ask(ms=900, prompt="Hello", says="Hi")
    found = asked(f"session/{SESSION}/timeline", Picture(stored(story.events), Prices(today=TODAY)))
    assert 8400 == found["first_ms"]


def test_spans_of_one_pixel_are_one() -> None:
    wide, narrow = here("timeline", PARCEL, width="4000"), here("timeline", PARCEL, width="2")
    assert sum(len(lane["start"]) for lane in narrow["lanes"]) < sum(len(lane["start"]) for lane in wide["lanes"])


# -- the log -------------------------------------------------------------------------------------------------------------


def log(**given: str) -> Any:
    return asked("session/-/events", PARCEL, **given)


def test_the_log_has_every_event_in_pages() -> None:
    first = log(count="50")
    second = log(count="50", since=first["next"])
    numbers = [line["n"] for page in (first, second) for line in page["lines"]]
    assert list(range(first["total"])) == numbers
    assert "next" not in second
    assert log(since="60")["lines"][0]["n"] == 60


def test_a_rule_of_the_filter_language_says_what_is_shown() -> None:
    posts = log(rule="request.method=POST")
    assert 14 == len(posts["lines"])
    assert {"http"} == {line["source"] for line in posts["lines"]}


def test_conditions_on_the_source_come_before_words() -> None:
    found = log(rule="source=file invoice")["lines"]
    assert {"file"} == {line["source"] for line in found}
    assert all("invoice.py" in line["text"] for line in found)


def test_a_rule_that_is_none_says_why() -> None:
    with pytest.raises(PageError, match="source=nothing does not exist: give one of http") as raised:
        log(rule="source=nothing")
    assert 400 == raised.value.status
    with pytest.raises(PageError) as raised:
        log(rule="request.method>3")
    assert 400 == raised.value.status


def test_an_event_is_its_envelope() -> None:
    line = log(rule="source=process")["lines"][1]
    assert "claude" == asked(f"event/{line['at']}")["data"]["argv"][0]


# -- what is not there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "session/other",
        f"session/{SESSION}/other",
        "call/none",
        "tool/none",
        "event/9.9",
        "event/x",
        "nothing",
        "",
        "diff",
        "a/b/c/d",
    ],
)
def test_what_is_not_there_is_an_error_that_says_so(path: str) -> None:
    with pytest.raises(PageError):
        asked(path)


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(PageError, match="since='x' is not a number"):
        here("turns", PARCEL, since="x")


def test_a_tool_says_what_its_programs_used() -> None:
    tool = here("turns", since="4", count="1")["cards"][0]["tools"][0]
    programs = tool["programs"]
    assert {181_000_000} == {each["memory"] for each in programs}
    assert tool["cpu_ms"] == sum(each["cpu_ms"] for each in programs)
    assert 181_000_000 == tool["memory"]


def test_a_recording_without_calls_has_one_row_for_all_of_it() -> None:
    story = Story()
    story.ran("/usr/bin/make", ms=20)
    picture = Picture(stored(story.events), Prices(today=TODAY))
    (row,) = asked("sessions", picture)
    assert ("-", "All processes") == (row["id"], row["agent"])
    assert "2 programs ran, and no call of a model was seen." == sentence(asked("session/-", picture))


@pytest.mark.slow
def test_a_session_of_a_thousand_turns_opens_with_less_than_200_kb() -> None:
    story = Story()
    for _ in range(1000):
        story.ask(ms=900, prompt="Go on with the next step of the plan, please, and say what you did." * 4, says="Done. " * 60)
    picture = Picture(stored(story.events), Prices(today=TODAY))
    moved = [
        answer(picture, "r", path, given)
        for path, given in (("sessions", {}), (f"session/{SESSION}", {}), (f"session/{SESSION}/turns", {"count": "24"}))
    ]
    assert sum(len(msgspec.json.encode(each)) for each in moved) < 200_000


def told(story: Story) -> Picture:
    return Picture(stored(story.events), Prices(today=TODAY))


def test_a_call_whole_says_what_is_new_in_it_and_gives_the_rest_on_demand() -> None:
    story = Story()
    (tool,) = story.ask(ms=900, prompt="Fix the totals", says="I look.", tools=[("Bash", {"command": "ls"})])
    story.ask(ms=900, results=[(tool, "x" * 9000, False)], says="Done.")
    picture = told(story)
    first, second = (card["call"] for card in here("turns", picture)["cards"])
    whole = asked(f"call/{second}", picture)
    assert ["system", "user", "assistant", "user"] == [each["role"] for each in whole["messages"]]
    assert (0, 2, 4) == (whole.get("first", 0), whole["fresh"], whole["total"])
    result = whole["messages"][-1]["parts"][0]
    assert (6000, 9000) == (len(result["text"]), result["total"])
    last = str(whole["total"] - 1)
    one = asked(f"call/{second}", picture, part="request", count="1", **{"from": last})
    assert (int(last), [9000]) == (one["first"], [len(each["parts"][0]["text"]) for each in one["messages"]])
    assert "fresh" not in asked(f"call/{first}", picture)


def test_turns_and_files_name_the_prompt_that_they_work_on() -> None:
    story = Story()
    (tool,) = story.ask(ms=900, prompt="Fix\nthe totals", says="I edit.", tools=[("Bash", {"command": "sed -i s/a/b/ f"})])
    story.ran("/bin/bash", "-c", "sed -i s/a/b/ f", ms=20, wrote=["/home/ada/code/parcel/f"])
    story.ask(ms=900, results=[(tool, "", False)], says="Done.")
    story.ask(ms=900, prompt="Now the changelog", says="Written.")
    picture = told(story)
    named = {"turn": 1, "text": "Fix the totals"}
    assert [None, named, None] == [card.get("asked") for card in here("turns", picture)["cards"]]
    assert [("Fix the totals", 1)] == [(row["prompt"], row["asked"]) for row in here("files", picture)["rows"]]


def test_turns_come_in_the_order_of_cost() -> None:
    story = Story()
    for out in (200, 900, 400):
        story.ask(ms=900, prompt=f"p{out}", says="x", out=out, grew=0)
    costs = [card["cost"] for card in here("turns", told(story), order="cost")["cards"]]
    assert 3 == len(set(costs))
    assert sorted(costs, reverse=True) == costs
