"""The result of a tool -> whether it says that the tool did not run. One table of the shapes of all agents."""

from __future__ import annotations

import re

__all__ = ["says_refused"]

# The begin of a result that says that a tool did not run: a person, a rule or a hook refused it
_REFUSED = (
    # Claude Code
    r"the user doesn't want to (?:proceed with this tool use|take this action)",
    r"permission to use \S+ (?:with|has been denied)",
    r"claude requested permissions? (?:to|for) ",
    r"this command requires approval",
    r"request interrupted by user for tool use",
    r"(?:hook )?pretooluse:\S+ (?:hook error|hook blocked|denied)",
    r"\w+ operation blocked by hook",
    # Codex
    r"(?:exec command |command |patch )?rejected by user",
    r"approval denied",
    # Gemini CLI, Qwen Code
    r"operation cancelled",
    r"tool execution (?:denied|not permitted|for \S+ denied)",
    r"user did not allow tool call",
    # opencode, Kilo Code
    r"the user rejected permission to use this",
    r"the user has specified a rule which prevents",
    # Copilot, cline, goose, mini-swe-agent, letta, vibe, Kimi
    r"the tool call required approval from the user, but",
    r"permission denied and could not request permission",
    r"the user (?:has )?(?:denied|declined|rejected)\b",
    r"command not executed\. the user rejected",
    r"request to call tool denied",
    r"(?:the )?tool call (?:is|was) rejected by the user",
    r"user_cancellation",
)
# In front of it may stand JSON, a tag or a word: `{"error": "…"}`, `<tool_use_error>…`, `Error: …`
_IS_REFUSED = re.compile(
    rf"\W*(?:(?:error|output|result|tool_use_error|content|text)\W+)*(?:{'|'.join(_REFUSED)})", re.IGNORECASE
)
_REFUSED_MOST = 300  # characters


def says_refused(result: str, /) -> bool:
    """Whether the result of a tool says that it did not run, because somebody or something refused it."""
    return _IS_REFUSED.match(result, 0, _REFUSED_MOST) is not None
