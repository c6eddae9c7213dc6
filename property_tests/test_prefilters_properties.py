"""The fast first checks of redaction say what the plain ones say, on texts that are full of what almost is a secret."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.policy.redaction.apart import looked_at
from agentsight_rx.policy.redaction.find import SMALL, hinted, is_frame
from agentsight_rx.policy.redaction.kinds import AHEAD_MOST
from agentsight_rx.policy.redaction.patterns import MARKUP, MEMBER, NAME_ENDINGS, VARIABLE, matches_around
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.policy.redaction.scan import HYPHEN, UNDERSCORE, may_hold_base64, may_hold_key

KEY = b"k" * 32
ALL = (MARKUP, MEMBER, VARIABLE, HYPHEN, UNDERSCORE)
NETRC = re.compile(r"(?:machine|default)[ \t\r\n\\].*password[ \t\r\n\\]", re.DOTALL)
KNOWN = re.compile(r"eyJ|AKIA|ASIA|AIza|rization|RIZATION|Bearer|Basic|-----BEGIN|ya29\.|ecretAccessKey|PRIVATE KEY")

# A value in a command or a table may have no name that a check can find: only how it looks
MIXED = re.compile(r"[0-9][A-Za-z]|[A-Za-z][0-9]|[a-z!#$%^&*+?~][A-Z]|[!#$%^&*+?~][0-9]")

names = st.sampled_from([each for ending in NAME_ENDINGS for each in (ending, ending.upper(), ending.title(), ending[1:])])
near = st.sampled_from(
    ["content", "role", "type", "ials", "ils", "nens", "_", "gh", "ghp_", "hf_", "npm_", "pat_", "github_pat_", "access_",
     "ACCESS_", "secret_", "sk", "-", "sk-", "xoxb-", "glpat", "--", "-u ", "-b'", ":", '"', "'", '":', "':", "' :", '" :',
     '\\":', "\\\\\\'", "\\u0022:", "\\u002", "u0027:", "\\u00", "okie:", "Okie:", ">", "<pwd>",
     "machine ", "machine h password x", "8Q~", "PRIVATE KEY", "=",
     " =", '" =', "?", "&", "&key=", "?a=",
     "@", "://", "%", "%4", "%41", "command", "V", "9", "ya29.", "K", "eyJ", "I", "AKI", "z", "Bearer", "riz", "ation", "2",
     "7", "vault login ", "echo ", " | sudo -S ls", "aB3dE5gH7kk", ":5432", ":*", "x" * 12,
     "QmVhcmVyIGFiY2RlZmdo", " ", "\n", "é"]
)  # fmt: skip
texts = st.lists(names | near, max_size=10).map("".join)
frames = st.lists(names | near, max_size=6).map(lambda parts: f'{{"type":"delta","{"".join(parts)}":"')
fillers = st.integers(0, 70_000).map(lambda size: "lorem ipsum dolor "[: size % 18] + "x" * size)


def _members(text: str) -> list[int]:
    """Each colon that may follow the name of a secret, one after the other."""
    return [at for at, letter in enumerate(text) if letter == ":" and _is_member(text[:at])]


def _is_member(before: str) -> bool:
    name = before.removesuffix(" ") if before[-2:-1] in ('"', "'") else before
    quoted = name[-1:] in ('"', "'")
    if name is before and quoted and before[-2:-1] == "\\":
        name = before[:-1]
    return (
        (name[:-1] if quoted else before).lower().endswith(NAME_ENDINGS)
        or before.endswith(("\\\\\\'", '\\\\\\"', "\\u0022", "\\u0027"))
        or re.search(r":(?:[56]4[0-9][0-9]|\*)\Z", before) is not None
    )


@settings(max_examples=500, deadline=None)
@given(texts)
def test_each_colon_behind_a_name_is_found(text: str) -> None:
    found = [hit.start() for hit in re.finditer(MEMBER, text)]
    assert _members(text) == found


@settings(max_examples=100, deadline=None)
@given(st.lists(texts | fillers, max_size=8).map("".join), st.sampled_from([MEMBER, VARIABLE, UNDERSCORE]))
def test_a_search_in_stretches_finds_what_one_search_finds(text: str, pattern: str) -> None:
    data, plain = text.encode(), re.compile(pattern.encode())
    whole = [hit.span(hit.lastindex or 0) for hit in plain.finditer(data)]
    assert whole == [
        hit.span(hit.lastindex or 0) for hit in matches_around(data, pattern[:1].encode(), plain, ahead=AHEAD_MOST)
    ]


@settings(max_examples=300, deadline=None)
@given(frames, texts)
def test_the_first_check_says_what_each_search_says_at_every_cut(frame: str, rest: str) -> None:
    whole = frame + rest
    for end in range(len(whole) + 1):
        text = whole[:end]
        some = any(re.search(each, text) for each in ALL) or "\\u00" in text or may_hold_base64(text)
        some = some or may_hold_key(text) or NETRC.search(text) is not None or "Q~" in text
        some = some or ("@" in text and "://" in text) or KNOWN.search(text) is not None
        assert hinted(text) or not some
        assert some or not hinted(text) or "?" in text or "%" in text or MIXED.search(text) is not None


@settings(max_examples=300, deadline=None)
@given(frames, texts, texts)
def test_behind_a_frame_the_check_passes_no_secret_at_any_cut(frame: str, first: str, rest: str) -> None:
    if hinted(frame + first) or not is_frame(frame):
        return
    for end in range(len(rest) + 1):
        text, is_hinted = frame + rest[:end], hinted(frame + rest[:end], rest[:end])
        assert hinted(text) or not is_hinted
        assert is_hinted or not hinted(text) or Redactor(KEY).text(text) == text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), texts), max_size=12), st.lists(frames, min_size=2, max_size=2))
def test_what_was_seen_before_changes_no_text(deltas: list[tuple[int, str]], begins: list[str]) -> None:
    redactor = Redactor(KEY)
    for which, rest in deltas:
        text = f'{begins[which]}{rest}"}}\n\n'
        assert len(text) < SMALL
        assert Redactor(KEY).text(text) == redactor.text(text)


EACH_LETTER = re.compile(rb"(?=[A-Za-z!-.?@^_~]*[0-9]|[a-z!-.?@^_~]*[A-Z][A-Z!-.?@^_~]*[a-z])[A-Za-z0-9+/_!#$%*.?@^~-]{8,64}")


WORDS = [b"ab", b"AB", b"1", b"/", b"_", b"+", b" ", b'"', b"(", b"aB1" * 30, b"word", b"."]


@given(st.lists(st.sampled_from(WORDS), max_size=40))
@settings(max_examples=1000)
def test_words_are_those_that_a_search_at_each_letter_finds(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert looked_at(data, []) == [hit.span() for hit in EACH_LETTER.finditer(data)]
