"""docs/guard.md: each built-in rule, each field, and the file of the page are what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from agentsight_rx.policy.rules.guard.deeds import DEEDS
from agentsight_rx.policy.rules.guard.fields import guard_fields
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules

PAGE = (Path(__file__).parents[1] / "docs" / "guard.md").read_text()


def test_each_built_in_rule_is_described_in_its_own_words() -> None:
    for rule in built_in_rules().rules:
        section = PAGE.partition(f"\n### {rule.name}\n")[2].partition("\n###")[0]
        assert f"`{rule.do}`, because {rule.because}. {rule.means}" in section
        assert f"It misses: {rule.misses}" in section
    assert [rule.name for rule in built_in_rules().rules] == re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)


def test_each_field_is_described() -> None:
    table = PAGE.partition("## The words of a rule")[2].partition("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([\w.]+)`", row)]
    assert sorted(guard_fields({})) == sorted(named)
    assert all(word in table for word in DEEDS)


def test_the_file_of_the_page_is_read() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    rules = read_rules(text, "guard.toml")
    assert ("stop", "warn") == tuple(rule.do for rule in rules.rules if rule.name in ("new-host", "production"))
    assert 1 == len(rules.deliver)
