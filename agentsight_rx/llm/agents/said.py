"""
Texts of prompts, requests and results -> which of them agents wrote themselves, and no person. One table of all shapes.

A new shape is one line here; prompts, titles, verdicts and session files read the same tables.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ...core.start import regex

MADE_UP = "#"  # the begin of an id that a session file does not have, and that is made of the place

# -- what stands in a prompt beside the words of a person -------------------------------------------------------------------

# Tags around what a program wrote: Claude Code, Codex, Gemini CLI, opencode, Copilot, cline, Kimi, vibe, gptme, mini-swe-agent
NOTES = (
    r"command-[a-z]+|local-command-[a-z]+|bash-[a-z]+|system-reminder|system_reminder|environment_context|environment_details"
    r"|user_instructions|turn_aborted|session_context|user_shell_command|user-prompt-submit-hook|[a-z-]*hook[a-z_-]*"
    r"|permissions instructions|INSTRUCTIONS|skills_instructions|subagent_notification|task-notification|current_datetime"
    r"|reminder|reminderInstructions|environment_info|workspace_info|context|attachments|editorContext|ide_[a-z_]+"
    r"|available_skills|system_info|project_layout|git_status|vibe_[a-z_]+|system|system_notification|returncode|output"
    r"|memory_metadata|file_content|open_and_recently_viewed_files|rules|explicit_instructions|state_snapshot|compressed_history"
    r"|conversation_summary"
)
# Tags around what a person typed
_WRAPS = r"user_query|user_message|userRequest|user_request|task|feedback|session|answer|user_input|prompt"
_OPEN = regex(rf"^[ \t]*<({NOTES})(?:\s[^<>]*)?>", re.MULTILINE)
_WRAPPED = regex(rf"\s*<({_WRAPS})>(.*)</\1>\s*\Z", re.DOTALL)
# The begin of a whole message that a program wrote
_WRITTEN = regex(
    r"\s*(?:# AGENTS\.md instructions|Caveat: The messages below|\[Request interrupted|This session is being continued from"
    r"|Another language model started to solve this problem|(?:Stop|PreToolUse|PostToolUse|SubagentStop|UserPromptSubmit)"
    r" hook |API Error:|\[SUGGESTION MODE|\[[a-z_]+(?: for '[^']*')?\] Result:|\[ERROR\] You did not use a tool|Observation:"
    r"|No tool calls found in the response|Your last response had no tool call|Please continue\.\s*\Z|System: Please continue"
    r"|The conversation history before this point was compacted|\[Context summary"
    r"|(?:Here is a|The following is a) summary of (?:the|our) (?:conversation|session)"
    r"|The above file content|The user opened the file|\{\"type\": ?\"(?:heartbeat|login|system_alert)\""
    # instructor, pydantic-ai, CrewAI, LlamaIndex, SWE-agent, aider: what was wrong with the answer before
    r"|Validation Error found:\n|Correct your JSON ONLY RESPONSE|Validation feedback:\n|\d+ validation errors?: ?[\[{]"
    r"|I encountered an error while trying to use the tool\.|Error: Could not parse output\. Please follow the thought-action"
    r"|Your output was not formatted correctly\. You must always|The LLM did not conform to the edit format)"
)
# A line near the end of a text that a framework wrote around a task and a wrong answer: CrewAI, smolagents, instructor
_CORRECTS = (
    "### Previous attempt failed validation",
    "Now let's retry: take care not to repeat previous errors!",
    "Recall the function correctly, fix the errors",
)
_NEAR = 4096  # characters
# What an agent writes behind a prompt that it sends again with what came of it
_GROWN = regex(
    r"\s*(?:[#*\[<-]+ ?)?(?:(?:previous|last|tool|validation|parsing|your|the) )*"
    r"(?:error|errors|observation|attempt|thought|action|result|results|output|feedback|traceback|exception|critique)\b"
    r"[^\n:]{0,60}(?::|\n|>|\])",
    re.IGNORECASE,
)
_LONG = 1 << 20  # characters; what is longer is a document


def typed(text: str, /) -> str:
    """What a person typed of the text of a prompt: without the notes of programs and the tags around it; "": nothing."""
    if _corrects(text[-_NEAR:]):
        return ""
    if len(text) > _LONG or ("<" not in text and not _WRITTEN.match(text)):
        return text.strip()
    rest = _without_notes(text).strip()
    while (inner := _WRAPPED.match(rest)) is not None:
        rest = _without_notes(inner[2]).strip()
    return "" if _WRITTEN.match(rest) else rest


def _corrects(end: str) -> bool:
    """Code that a person pastes stands between fences."""
    for shape in _CORRECTS:
        at = end.find(shape)
        if at >= 0 and end[at - 1 : at] in ("", "\n") and end.count("```", 0, at) % 2 == 0:
            return True
    return False


def is_grown(more: str, /) -> bool:
    """Whether an agent wrote what stands behind a prompt that it sends again: an error, a thought, what a tool printed."""
    return _GROWN.match(more) is not None or _corrects(more[-_NEAR:])


def _without_notes(text: str) -> str:
    kept: list[str] = []
    at, open_ones = 0, set[str]()
    for found in _OPEN.finditer(text):
        tag = found[1]
        if found.start() < at or tag in open_ones:
            continue
        end = text.find(f"</{tag}>", found.end())
        if end < 0:  # a person wrote about it
            open_ones.add(tag)
            continue
        kept.append(text[at : found.start()])
        at = end + len(tag) + 3
    return "".join((*kept, text[at:]))


# -- what an agent asks for itself ------------------------------------------------------------------------------------------

# Shapes of the text or the instructions of such a request -> what it is for
ASIDES = {
    "title": (
        r"isnewtopic|indicates a new conversation topic|you are a title generator|generate a title for this conversation"
        r"|generate a concise, sentence-case title|write a 5-10 word title|coding conversation in under \d+ characters"
        r"|generate a short title based on the first message|concise description of this session|description in four words"
        r"|summarize the user's primary intent or goal in this conversation|coming up with a succinct title"
    ),
    "summary": (
        r"your task is to create a detailed summary of the conversation|component that summarizes internal chat history"
        r"|prompt for continuing our conversation above|context checkpoint compaction|anchored context summarization"
        r"|summariz(?:e|ing) (?:the|this|our) (?:conversation|chat|session)[^.\n]{0,60}(?:so far|above|history)"
        r"|compress the (?:conversation|history)|context window is (?:almost )?(?:full|exceeded)"
    ),
    "check": (
        r"process bash commands that an ai coding agent wants to run|command_injection_detected|<policy_spec>"
        r"|extract any file paths that this command reads|unproductive conversational states|next_speaker"
        r"|immediately preceding response|task routing ai|correct the provided old_string|you are judging one planned"
        r"|evaluate (?:whether|if) (?:this|the) (?:command|tool call|action) is safe|is_safe|risk_level"
    ),
    "page": r"\A\s*web page content:|perform a web search for the query",
    "suggestion": r"\[suggestion mode|predict what the user (?:will|would|might) (?:type|say)",
}
_IS_ASIDE = regex("|".join(f"(?P<{kind}>{shape})" for kind, shape in ASIDES.items()), re.IGNORECASE)
# Each shape has one of these, and to look for all of them takes a fiftieth of the time
_WORDS = (
    "title", "topic", "conversation", "description", "summariz", "context", "compress", "bash", "injection", "policy",
    "extract", "speaker", "preceding", "routing", "old_string", "judging", "evaluate", "is_safe", "risk_level", "web ",
    "suggestion", "predict",
)  # fmt: skip
# The same in the instructions of an agent that is not known, where it can use no tool
_GENERIC = regex(
    r"(?P<title>\b(?:generate|write|create|provide|produce|come up with)\b[^.\n]{0,60}"
    r"\b(?:title|(?:session|thread|branch) name)\b)"
    r"|(?P<summary>\b(?:summari[sz]|compact|compress|condens)\w*\b[^.\n]{0,80}\b(?:conversation|history|session|chat|transcript)\b)",
    re.IGNORECASE,
)
_LOOKED, _TEXT_LOOKED = 4096, 1000  # characters of instructions, and of a text
_SHORTEST = 24  # characters: what a person types is often shorter than any shape
_WARM_UPS = frozenset({"quota", "warmup", "foo", "ping"})
_KNOWN_MOST = 64  # instructions whose kind is remembered


def aside_of(instructions: str, text: str, /, *, tools: int) -> str:
    """
    What an agent asks of a model for itself and no person typed: title, summary, check, page, suggestion, warm-up; "": a prompt
    of a person, as far as the request says. `instructions` are the system's, `tools` is how many the model may use.
    """
    if text.strip().lower() in _WARM_UPS:
        return "warm-up"
    kind = _kind(_IS_ASIDE.search(text, 0, _TEXT_LOOKED)) if len(text) >= _SHORTEST and _may_be_aside(text) else ""
    return kind if kind or tools else _instructed(instructions[:_LOOKED])


def _may_be_aside(text: str) -> bool:
    """Letters that are not ASCII may be the same as others: a long s, the sign of Kelvin."""
    begin = text[:_TEXT_LOOKED]
    if not begin.isascii():
        return True
    lower = begin.lower()
    return any(word in lower for word in _WORDS)


@lru_cache(_KNOWN_MOST)
def _instructed(begin: str) -> str:
    """An agent gives the same instructions again and again."""
    return _kind(_IS_ASIDE.search(begin) or _GENERIC.search(begin))


def _kind(found: re.Match[str] | None) -> str:
    return (found.lastgroup or "") if found else ""


# -- results ----------------------------------------------------------------------------------------------------------------

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
_IS_REFUSED = regex(rf"\W*(?:(?:error|output|result|tool_use_error|content|text)\W+)*(?:{'|'.join(_REFUSED)})", re.IGNORECASE)
_REFUSED_MOST = 300  # characters


def says_refused(result: str, /) -> bool:
    """Whether the result of a tool says that it did not run, because a person or a rule refused it."""
    return _IS_REFUSED.match(result, 0, _REFUSED_MOST) is not None
