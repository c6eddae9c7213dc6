"""Searching only what is new in a conversation finds the secrets that a search of the whole body finds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentsight_rx.policy.redaction.fields import Secret
from agentsight_rx.policy.redaction.find import find_secrets
from agentsight_rx.policy.redaction.resent import Resent

_KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab"
_PIECES = [
    "sk-ant-api03-Q7ZxW5VyJ8KqZxW5VyJ8Kq",
    "AKIAQ7ZXWVYJKQZX7Q5B",
    _KEY,
    "-----BEGIN PRIVATE KEY-----\n",
    "MIIEvQIBADANBgkqhkiG9w0B",
    "\n-----END PRIVATE KEY-----",
    "password",
    "TOKEN=",
    '{"api_key": "',
    '", "tokens": ["',
    '"]}',
    "Q7x5W9v2K4j6",
    "export ",
    "--token ",
    "Authorization: Bearer ",
    "https://user:",
    "@example.com/",
    "?token=",
    "%41%42",
    "\\u0022",
    '\\"secret\\": \\"',
    "c2VjcmV0X2tleT1RN3g1Vzl2Mks0ajY=",
    '},{"role":"user","content":"',
    '}, {"role": "',
    "words of a text ",
    "\\",
    '"',
    "'",
    "\n",
    " ",
    "=",
    ":",
    "{",
    "}",
    "curl -u me:Q7x5W9v2K4j6 ",
]
_TEXTS = st.lists(st.sampled_from(_PIECES), max_size=6).map("".join)
_ROLES = st.sampled_from(["user", "assistant", "password", "api_key"])
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": _ROLES, "content": st.tuples(_TEXTS, st.integers(0, 3)).map(lambda of: of[0] + " a word" * 120 * of[1])}
    ),
    min_size=1,
    max_size=8,
)


def _bodies(messages: Sequence[dict[str, str]], *, compact: bool, raw: bool) -> list[bytes]:
    """The requests of a conversation. `raw`: as no JSON, but with its borders in it."""
    made: list[bytes] = []
    for count in range(1, len(messages) + 1):
        if raw:
            said = '},{"role":"'.join(message["content"] for message in messages[:count])
            made.append(f'{{"messages":[{{"role":"{said}'.encode())
        else:
            separators = (",", ":") if compact else None
            made.append(json.dumps({"messages": messages[:count], "stream": True}, separators=separators).encode())
    return made


def _in_order(found: Sequence[Secret]) -> list[Secret]:
    return sorted(set(found))


_AWS = [
    {"role": "user", "content": "a word " * 500},
    {"role": "user", "content": "AKIAQ7ZXWVYJKQZX7Q5B"},
    {"role": "user", "content": _KEY},
]


@given(_MESSAGES, st.booleans(), st.booleans(), st.integers(0, 3))
@example(_AWS, True, False, 0)
@settings(max_examples=200, deadline=None)
def test_a_conversation_has_the_secrets_of_each_of_its_bodies(
    messages: list[dict[str, str]], compact: bool, raw: bool, changed: int
) -> None:
    resent = Resent(least=0)
    bodies = _bodies(messages, compact=compact, raw=raw)
    if changed and len(messages) > 1:  # an agent drops or rewrites what it said before
        messages = [*messages[: -changed - 1], {"role": "user", "content": "another end "}]
        bodies += _bodies(messages, compact=compact, raw=raw)
    for body in bodies:
        assert _in_order(resent.find(body)) == _in_order(find_secrets(body))
