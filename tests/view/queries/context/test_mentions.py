"""New pieces of requests -> the tools and files that they are of, and when these files were named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.context import Piece
from agentsight_rx.llm.context.held import Held
from agentsight_rx.store.rows.kinds import ToolRow
from agentsight_rx.view.queries.context.mentions import Maker, Mentions


def piece(origin: str, *, name: str = "", ref: str = "") -> Held:
    return Held(Piece(0, 1, origin, f"{origin} {name} {ref}".encode(), name=name, ref=ref), 1)


def test_a_call_names_its_file_or_its_command() -> None:
    mentions = Mentions()
    calls = {
        "a": b'{"type":"tool_use","id":"a","name":"Read","input":{"file_path":"/work/a.py"}}',
        "b": b'{"id":"b","function":{"name":"bash","arguments":"{\\"command\\": \\"ls -l\\"}"}}',
        "c": b'{"name":"Think","input":{}}',
    }
    news = [(piece("answer", name=id.upper(), ref=id), text) for id, text in calls.items()]
    assert list(mentions.add(news, 3)) == []
    assert mentions.makers == {
        "a": Maker("A", "/work/a.py", "", 3),
        "b": Maker("B", "", "ls -l", 3),
        "c": Maker("C", "", "", 3),
    }


def test_a_file_is_mentioned_by_its_name_alone() -> None:
    mentions = Mentions()
    call = piece("answer", name="Read", ref="a")
    result = piece("result", ref="a")
    list(mentions.add([(call, b'{"input":{"path":"/work/src/post.py"}}')], 1))
    list(mentions.add([(result, b"1 def post(): pass")], 1))
    assert mentions.last_named("/work/src/post.py", 8) == 1
    for _ in range(2):  # the same again changes nothing
        assert list(mentions.add([(piece("answer"), b"I change post.py now.")], 7)) == [result.number]
    assert mentions.last_named("/elsewhere/post.py", 8) == 7
    assert mentions.last_named("/elsewhere/post.py", 7) == 1
    assert mentions.last_named("/work/book.py", 8) == 0
    assert list(mentions.add([(piece("prompt"), b"see post.py")], 9)) == []
    assert mentions.last_named("post.py", 10) == 7


@pytest.mark.parametrize(
    "text", ["printf 'a\\n' > b", "echo \"é\" '\\u0041'", "a\n\tb", "cp C:\\new D:\\", "echo 🦊 ✓", "\\\\n", '"']
)
@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_command_is_as_it_was_meant_and_on_one_line(text: str, ascii: bool, nested: bool) -> None:
    given: object = {"command": text}
    if nested:
        given = json.dumps(given, ensure_ascii=ascii)
    call = json.dumps({"id": "a", "name": "bash", "input": given}, ensure_ascii=ascii).encode()
    mentions = Mentions()
    list(mentions.add([(piece("answer", name="bash", ref="a"), call)], 1))
    assert mentions.makers["a"].asked == " ".join(text.split())


@pytest.mark.parametrize("ascii", [True, False])
@given(text=st.text('a\\"\n\té🦊 n', max_size=400))
def test_a_preview_has_no_escapes_wherever_it_is_cut(text: str, ascii: bool) -> None:
    mentions, held = Mentions(), piece("prompt")
    list(mentions.add([(held, json.dumps(text, ensure_ascii=ascii)[1:-1].encode())], 1))
    preview = mentions.previews[held.piece.digest]
    assert text.startswith(preview)
    assert len(preview) >= min(len(text), 24)  # 320 bytes have so many characters, if each takes two escapes


@pytest.mark.parametrize("path", ["/work/a.py", "/work/größe/a b.py", "C:\\new\\a.py", '/work/"a".py'])
@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_file_is_known_by_any_name(path: str, ascii: bool, nested: bool) -> None:
    given: object = {"offset": 1, "file_path": path, "limit": 2}
    call = json.dumps({"input": json.dumps(given, ensure_ascii=ascii) if nested else given}, ensure_ascii=ascii).encode()
    mentions = Mentions()
    list(mentions.add([(piece("answer", name="Read", ref="a"), call)], 1))
    assert mentions.makers["a"].file == path


def test_instructions_have_the_size_of_a_file_and_summaries_their_names() -> None:
    mentions = Mentions()
    rules, cut, summary = piece("instructions", name="a"), piece("instructions", name="b"), piece("summary")
    list(mentions.add([(rules, b'a \\"b\\"\\n'), (cut, b"a\\"), (summary, b"post.py and book.py")], 1))
    assert mentions.sizes == {rules.piece.digest: 6, cut.piece.digest: 2}
    assert mentions.summed_up == {summary.piece.digest: frozenset({"post.py", "and", "book.py"})}


@given(st.lists(st.tuples(st.lists(st.sampled_from(["read", "grep"]), max_size=4), st.booleans()), max_size=5))
def test_results_without_ids_are_of_their_calls_in_order(answers: list[tuple[list[str], bool]]) -> None:
    """As in Gemini, where all results are parts of one message, or as in Ollama, where each is a message of its own."""
    mentions, number, expected = Mentions(), 0, list[tuple[Held, str]]()
    for turn, (tools, together) in enumerate(answers):
        news: list[tuple[Held, bytes]] = []
        for place, tool in enumerate(tools):
            call = Held(Piece(0, 9, "answer", b"c", name=tool), 1, number=(number := number + 1))
            news.append((call, b'{"args":{"path":"/%d/%d"}}' % (turn, place)))
        for place, tool in enumerate(tools):
            start = 100 * place if together else 0
            for part in range(1 + place % 2):  # a result may be two texts
                piece = Piece(start + 30 * part, start + 30 * part + 20, "result", b"r", name=tool, ref=f"#{start}")
                result = Held(piece, 1, number=(number := number + 1))
                news.append((result, b"x"))
                expected.append((result, f"/{turn}/{place}"))
        list(mentions.add(news, turn))
        list(mentions.add(news, turn))  # what is read again changes nothing
    assert [file for _, file in expected] == [(mentions.maker_of(held) or Maker("")).file for held, _ in expected]


def test_an_answer_that_is_not_sent_again_is_known_by_its_tools() -> None:
    mentions, result = Mentions(), piece("result", ref="call_1")
    mentions.know([ToolRow("t", 1, "c", "call_1", "Read", input='{"path": "/a"}')], 3)
    list(mentions.add([(result, b"x")], 3))
    assert Maker("Read", "/a", "", 3) == mentions.maker_of(result)
    assert result.kind == "file"
