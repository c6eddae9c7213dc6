"""The language of filter rules alone: how text is parsed and spelled, and which patterns are refused."""

from __future__ import annotations

import pytest

from agentsight_rx.errors import UsageError
from agentsight_rx.operators import filter_tls
from agentsight_rx.policy.rules.compiler import Code, hoisted, joined
from agentsight_rx.policy.rules.patterns import BadPattern, compile_glob, compile_regex
from agentsight_rx.policy.rules.syntax import All, Condition, Not, Nothing, Rule, Some, parse_rule, spell


def bare(rule: Rule) -> Rule:
    """`rule` without the places in its text."""
    match rule:
        case Condition(field, op, value):
            return Condition(field, op, value)
        case Not(part):
            return Not(bare(part))
        case All(parts):
            return All(tuple(map(bare, parts)))
        case Some(parts):
            return Some(tuple(map(bare, parts)))
        case Nothing():
            return rule


A, B, C = (Condition(name, "=", "1") for name in "abc")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Nothing()),
        ("()", Nothing()),
        ("a=1", A),
        (" a = 1 ", A),
        ("a=1|b=1&c=1", Some((A, All((B, C))))),
        ("(a=1|b=1)&c=1", All((Some((A, B)), C))),
        ("a=1|", Some((A, Nothing()))),
        ("!a=1", Not(A)),
        ("! a=1 & b=1", All((Not(A), B))),
        ("!(a=1|b=1)", Not(Some((A, B)))),
        ("!!a=1", Not(Not(A))),
        ("!()", Not(Nothing())),
        ("() | a=1", Some((Nothing(), A))),
        ("a!=1", Condition("a", "!=", "1")),
        ("a=!1", Condition("a", "=", "!1")),
        ("a=b!c", Condition("a", "=", "b!c")),
        ("a>=1", Condition("a", ">=", "1")),
        ("a>1", Condition("a", ">", "1")),
        ("a~b=c", Condition("a", "~", "b=c")),
        ("/path", Condition("/path", "", "/path")),
        ("what ever", Condition("what ever", "", "what ever")),
        (r"a\|b", Condition("a|b", "", "a|b")),
        ('"a=b | c"', Condition("a=b | c", "", "a=b | c")),
        ('a="b | c & (d"', Condition("a", "=", "b | c & (d")),
        ('a = " b "', Condition("a", "=", " b ")),
        (r'a="\x41\x00\"\\\r\n\t"', Condition("a", "=", 'A\0"\\\r\n\t')),
        (r'a="\xc3\xa9\xff"', Condition("a", "=", "é\udcff")),
        (r"a=\x41", Condition("a", "=", r"\x41")),
        (r'a="\d"', Condition("a", "=", r"\d")),
        ('(a="1")&b=1', All((A, B))),
        ("a=~/x|y/", Condition("a", "=~", "x|y")),
        ("a =~ /x/i & b=1", All((Condition("a", "=~", "(?i)x"), B))),
        (r"a=~/\/&(\d+)/", Condition("a", "=~", r"\/&(\d+)")),
        ("a~=x*", Condition("a", "~=", "x*")),
        ('a ~= "x | *"', Condition("a", "~=", "x | *")),
    ],
)
def test_a_rule_is_parsed_and_spelled(text: str, meant: Rule) -> None:
    assert bare(parse_rule(text)) == meant
    assert bare(parse_rule(spell(meant))) == meant


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('a="type":"ping"', '"type":"ping"'),  # JSON: the quote ends before the value does
        ('a="open', '"open'),
        ('a="b" c', '"b" c'),
        ("a=~x", "~x"),
        ("a=~/x", "~/x"),
        ("a=~/x/y", "~/x/y"),
        (r"a=\"b\"", '"b"'),
    ],
)
def test_text_that_the_original_accepts_is_neither_quoted_nor_a_pattern(text: str, value: str) -> None:
    assert bare(parse_rule(text)) == Condition("a", "=", value)


@pytest.mark.parametrize("text", ["a~=", "a~= ", "(a~=)", "a~=|"])
def test_an_empty_value_is_not_a_pattern(text: str) -> None:
    rule = parse_rule(text)
    condition = rule.parts[0] if isinstance(rule, Some) else rule
    assert bare(condition) == Condition("a", "~", "=")


@pytest.mark.parametrize(
    ("text", "marked", "says"),
    [
        ("a=1 | !", "!", "nothing after it"),
        ("!|a=1", "!|a=1", "nothing after it"),
        ("(!)", "!)", "nothing after it"),
        ("(a=1", "(a=1", "nothing closes"),
        ("a=1)", ")", "nothing opened"),
        ("(a=1) b", "b", "write '&' or '|'"),
        ("a=\ud800", "\ud800", "half of a character"),
        ("!" * 99, "!" * 49, "too many"),
    ],
)
def test_an_error_points_at_the_place(text: str, marked: str, says: str) -> None:
    with pytest.raises(UsageError, match="filter: ") as caught:
        parse_rule(text)
    what, shown, caret = str(caught.value).split("\n")
    assert says in what
    assert (shown, shown[caret.index("^") :]) == (f"  {text}", marked)


def test_a_rule_as_deep_as_allowed_still_compiles() -> None:
    for text in ("(pid=1 & (pid=2 | " * 25 + "pid=3" + "))" * 25, "!(pid=1 & " * 25 + "pid=3" + ")" * 25):
        filter_tls(text)
        with pytest.raises(UsageError, match="too many nested parentheses"):
            filter_tls(f"({text})")


# -- patterns --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "a.*b", "^a.*b", "GET|POST", r"(\d{1,3}\.){3}\d{1,3}", r'"model":\s*"claude-[^"]*"', "sk-[A-Za-z0-9]{20,}", "(?i)abc+",
        "", r"^([a-z]*,)+x", "a++b", r"\bfoo\b", "(?P<name>x)", "é", r"[^\x00-\x1f]", "a{3}",
    ],
)  # fmt: skip
def test_patterns_of_bounded_time_are_accepted(pattern: str) -> None:
    assert compile_regex(pattern, raw=True).size > 2000
    assert compile_regex(pattern, raw=False).size > 2000


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a+)+b", "a repeat of what has a repeat"),
        ("(a*)*b", "a repeat of what has a repeat"),
        ("(a|aa)+$", "a repeat of what has a repeat or a choice"),
        ("^([0-9]*)+x", "a repeat of what has a repeat"),
        ("(?:a?){2,}b", "a repeat of what has a repeat"),
        ("((a{0,3}){9}){9}b", "ways to match"),
        (".*.*.*x", "too many repeats"),
        ("x*y[^x]*z", "too many repeats"),
        ("(?m)^a*a*b", "too many repeats"),
        ("a{0,999}a{0,999}b", "too many repeats"),
        (r"(a)\1", "a reference to a group"),
        ("(a)?(?(1)b|c)", "a choice by a group"),
        ("(?=a)b", "look-ahead"),
        ("(?<!a)b", "look-behind"),
        ("a?" * 9, "ways to match"),
        ("a{300}", "300 characters at least"),
        ("a" * 1001, "at most 1000"),
        ("(" * 5000, "at most 1000"),
        ("a**", "multiple repeat"),
        ("[", "unterminated character set"),
    ],
)
def test_patterns_of_unbounded_time_are_refused(pattern: str, says: str) -> None:
    for raw in (True, False):
        with pytest.raises(BadPattern, match=says):
            compile_regex(pattern, raw=raw)


def test_a_pattern_that_may_run_over_its_own_beginning_searches_less() -> None:
    sizes = {"a.*b": 4096, "^a.*b": 65536, "a[^ab]*b": 65536, "(?i)a[^ab]*b": 65536, "aA*b": 65536, "(?i)aA*b": 4096}
    assert {text: compile_regex(text, raw=True).size for text in sizes} == sizes


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("*.json", "a.json", True),
        ("*.json", "a.json5", False),
        ("/v1/*", "/v1/", True),
        ("a*b", "ab", True),
        ("a*b", "abc", False),
        ("a?c", "abc", True),
        ("a[*]c", "a*c", True),
        ("a[*]c", "abc", False),
        ("*", "a\nb", True),
    ],
)
def test_globs_match_the_whole_value(pattern: str, value: str, matches: bool) -> None:
    assert bool(compile_glob(pattern, raw=False).match(value)) is matches
    assert bool(compile_glob(pattern, raw=True).match(value.encode())) is matches


def test_a_glob_of_many_stars_is_fast() -> None:
    assert compile_glob("*a" * 30 + "*b", raw=False).match("a" * 20_000) is None  # trying every combination would never end


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadPattern, match="at most 1000"):
        compile_glob("*" * 1001, raw=False)


# -- code ------------------------------------------------------------------------------------------------------------------


def test_joined_expressions_are_simplified() -> None:
    assert joined("and", ["x", "True"]) == "x"
    assert joined("and", ["x", "False"]) == "False"
    assert joined("or", ["x", "y", "False"]) == "(x or y)"
    assert joined("or", []) == "False"
    assert joined("and", []) == "True"


def test_only_a_path_that_is_read_twice_becomes_a_local() -> None:
    assert hoisted("event.data == _1 or event.data == _2 or event.lost", ("event.data", "event.lost")) == (
        ["event_data = event.data"],
        "event_data == _1 or event_data == _2 or event.lost",
    )


def test_no_word_of_a_rule_is_in_the_source() -> None:
    code = Code()
    name = code.name("'); import os; ('")
    assert code.functions(f"def test(): return {name}")["test"]() == "'); import os; ('"
