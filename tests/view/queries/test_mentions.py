"""New pieces of requests -> the tools and files that they are of, and when these files were named."""

from __future__ import annotations

from agentsight_rx.context import Piece
from agentsight_rx.context.held import Held
from agentsight_rx.view.queries.mentions import Maker, Mentions


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


def test_instructions_have_the_size_of_a_file_and_summaries_their_names() -> None:
    mentions = Mentions()
    rules, cut, summary = piece("instructions", name="a"), piece("instructions", name="b"), piece("summary")
    list(mentions.add([(rules, b'a \\"b\\"\\n'), (cut, b"a\\"), (summary, b"post.py and book.py")], 1))
    assert mentions.sizes == {rules.piece.digest: 6, cut.piece.digest: 2}
    assert mentions.summed_up == {summary.piece.digest: frozenset({"post.py", "and", "book.py"})}
