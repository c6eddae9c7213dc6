from __future__ import annotations

import pytest

from agentsight_rx.view.transcripts import display_id
from tests.view.transcripts.reading import KINDS, NAMES, Kind, codex, read
from tests.view.transcripts.samples import CLAUDE, SECRET, lines

EVERY = pytest.mark.parametrize(("parser", "content"), KINDS, ids=NAMES)
OF_LINES = pytest.mark.parametrize(
    ("parser", "content"), [KINDS[0], KINDS[1], KINDS[3]], ids=["claude", "codex", "gemini lines"]
)


@EVERY
def test_the_cut_of_a_file_does_not_matter(parser: Kind, content: bytes) -> None:
    whole = read(parser, content)
    assert whole == read(parser, (content[at : at + 1] for at in range(len(content))))
    assert not whole.is_empty


@OF_LINES
def test_a_line_that_is_being_written_is_no_error(parser: Kind, content: bytes) -> None:
    whole, begun = read(parser, content), read(parser, content + b'{"type": "assis')
    assert (whole.calls, whole.tools, 0, True) == (begun.calls, begun.tools, begun.unreadable, begun.unfinished)


@OF_LINES
def test_other_lines_are_counted(parser: Kind, content: bytes) -> None:
    whole, found = read(parser, content), read(parser, b"no JSON\n[1]\n\n" + content + b"\xff\n3\n")
    assert (whole.calls, whole.tools, 4) == (found.calls, found.tools, found.unreadable)


@OF_LINES
def test_a_line_that_is_too_long_is_counted_and_its_neighbours_are_read(parser: Kind, content: bytes) -> None:
    long = [b'{"type": "user", "x": "', *[b"y" * (1 << 20)] * 9, b'"}\n', content]
    whole, found = read(parser, content), read(parser, long)
    assert (whole.calls, whole.tools, 1) == (found.calls, found.tools, found.unreadable)


@EVERY
@pytest.mark.parametrize(
    "content_of_all", [b"", b"\n", b"null", b"[]", b"{}", b"[" * 100_000, b'{"type": 1}\n', b"\xff\xfe\x00"]
)
def test_a_file_without_a_session_is_empty(parser: Kind, content: bytes, content_of_all: bytes) -> None:
    found = read(parser, content_of_all, "name-1")
    assert (True, "name-1") == (found.is_empty, found.session_id)


def test_a_secret_that_a_cut_divides_is_not_shown() -> None:
    """A text is cut at 16,384 characters, here in the middle of a key."""
    output = "x " * 8180 + SECRET + " end"
    content = lines(
        {"type": "response_item", "payload": {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "1"}},
        {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "1", "output": output}},
    )
    (tool,) = read(codex, content).tools
    assert len(output) - len(SECRET) < 16_384 < len(output)
    assert SECRET[:20] not in tool.output
    assert "[redacted:" in tool.output


def test_memory_of_texts_and_entries_is_bounded() -> None:
    def asked(number: int, size: int) -> bytes:
        return lines(
            {
                "type": "response_item",
                "payload": {"type": "function_call", "name": "f", "arguments": "y " * size, "call_id": f"c{number}"},
            }
        )

    found = read(codex, (asked(number, 8192) for number in range(2100)))
    assert (2100, 32 << 20) == (len(found.tools), sum(len(tool.input) for tool in found.tools))
    assert 2100 - 2048 == found.dropped
    many = read(codex, (asked(number, 0) for number in range(20_010)))
    assert (20_000, 10) == (len(many.tools), many.dropped)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/p/1a2b3c4d-5e6f.jsonl", "claude:1a2b3c.-5e6f"),
        ("short.jsonl", "claude:short"),
        ("/x/session-2026-11.json", "claude:sessio.26-11"),
    ],
)
def test_the_id_to_show_is_short(path: str, expected: str) -> None:
    assert expected == display_id("claude", path)


def test_no_secret_of_a_file_is_shown() -> None:
    found = read(KINDS[0][0], CLAUDE)
    assert SECRET in CLAUDE.decode()
    assert SECRET not in repr(found)
    assert 2 == repr(found).count("[redacted:anthropic:")
