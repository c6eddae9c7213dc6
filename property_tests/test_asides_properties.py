"""The fast first check of what an agent asks for itself refuses no text in which a shape is."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.said import ASIDES, aside_of

PLAIN = re.compile("|".join(f"(?P<{kind}>{shape})" for kind, shape in ASIDES.items()), re.IGNORECASE)
NOISE = st.text(st.sampled_from("Tk sſ\u212atwitle.-_<\n"), max_size=40)
SHAPED = st.sampled_from(sorted(ASIDES)).flatmap(lambda kind: st.from_regex(f"(?i:{ASIDES[kind]})"))
SPELLED = st.sampled_from([str.upper, str.lower, str.title, str])


@given(SHAPED | NOISE, NOISE, NOISE, SPELLED)
def test_a_text_is_for_the_agent_itself_if_a_shape_is_in_it(
    shaped: str, before: str, after: str, spelled: Callable[[str], str]
) -> None:
    text = spelled(before + shaped + after)
    assume(len(text) >= 24)
    found = PLAIN.search(text, 0, 1000)
    assert aside_of("", text, tools=1) == (found.lastgroup if found else "")
