"""A line of what bytes say is the same, however often the text is escaped; and the words of a command are its words."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.policy.redaction.lines import Lines, words_of

LINES = ("first line", "mysql -uroot -pS3cret", "a 'b' \"c\" d", "x\ty", "", "last $x `y` {z}")
TEXT = "\n".join(LINES)


def escaped(text: str, times: int) -> bytes:
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    return text.encode()


@pytest.mark.parametrize("times", [0, 1, 2, 3])
@pytest.mark.parametrize("line", [line for line in LINES if line])
def test_the_line_around_a_place_has_no_escapes(times: int, line: str) -> None:
    data = escaped(TEXT, times)
    word = line.split()[0].encode()
    found = Lines(data).around(data.index(word))
    assert line.encode() == found.view.data
    assert word == found.view.data[found.view.place(data.index(word)) :][: len(word)]


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_line_that_ends_with_a_backslash_goes_on(times: int) -> None:
    data = escaped("one\nmysql \\\n -pX\nlast", times)
    assert [b"mysql", b"-pX"] == Lines(data).around(data.index(b"-pX")).view.data.split()


def test_the_line_before_is_found_and_the_first_has_none() -> None:
    data = escaped("| user | password |\n| bob | X |", 1)
    lines = Lines(data)
    above = lines.before(lines.around(data.index(b"bob")))
    assert above is not None
    assert above.view.data == b"| user | password |"
    assert lines.before(above) is None


@given(st.text(st.sampled_from("ab \n\\\"'"), max_size=40), st.integers(0, 2))
def test_each_letter_of_a_line_has_a_place_in_the_bytes(text: str, times: int) -> None:
    data = escaped(text, times)
    for at in range(len(data)):
        line = Lines(data).around(at)
        places = [line.view.raw(place) for place in range(len(line.view.data) + 1)]
        assert places == sorted(places)
        assert line.first <= min(places) <= max(places) <= line.last


def test_a_long_line_is_cut_around_the_place() -> None:
    data = b"x" * 5000 + b" mysql -pX " + b"y" * 5000
    line = Lines(data).around(data.index(b"mysql"))
    assert b" mysql -pX " in line.view.data
    assert len(line.view.data) < 2000
    assert not line.is_whole


@pytest.mark.parametrize("command", ["mysql -uroot -p'a b' x", 'echo "a b" | sudo -S id', "a; b && c", "x <<< 'y z'", "a=b c"])
def test_words_are_those_of_a_shell(command: str) -> None:
    words = words_of(command.encode())
    for word in words:
        assert word.start < 0 or command[word.start :].startswith(word.text.decode())
    wanted = [word for word in shlex.split(command.replace(";", " ; ")) if word not in ("|", ";", "&&", "<<<")]
    assert wanted == [word.text.decode().replace("'", "") for word in words if word.start >= 0]


def test_a_quote_without_its_end_opens_a_word() -> None:
    assert [(word.text, word.quoted) for word in words_of(b"mysql -p'S3c")] == [
        (b"mysql", False),
        (b"-p", False),
        (b"S3c", True),
    ]
