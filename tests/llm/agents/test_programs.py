from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.programs import is_client, is_launcher, is_prompt, is_worker, script_of


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("bash agent.sh", "agent.sh"),
        ("bash -x agent.sh", "agent.sh"),
        ("bash -lc x", ""),
        ("python -m gptme", "gptme"),
        ("python -m", ""),
        ("node --no-warnings a.js", "a.js"),
        ("python -c x y", ""),
        ("bash", ""),
        ("python -W ignore x.py", "x.py"),
        ("python3.13 -X dev -W error -m bot", "bot"),
        ("python -Wignore -u x.py -m y", "x.py"),
        ("node --env-file .env bot.js", "bot.js"),
        ("node --env-file=.env --import tsx bot.js", "bot.js"),
        ("node -r ./hook.js bot.js", "bot.js"),
        ("node --brand-new-option 5 bot.js", "bot.js"),
        ("node -e 1 bot.js", ""),
        ("bun run bot.ts", "bot.ts"),
        ("bun --env-file .env run --watch bot.ts", "bot.ts"),
        ("bun bot.ts run", "bot.ts"),
        ("deno run --allow-net --import-map m.json bot.ts", "bot.ts"),
        ("tsx watch bot.ts", "bot.ts"),
        ("uv run --with httpx bot.py", "bot.py"),
        ("uv run python -W ignore bot.py", "python"),
        ("uvx --from my-bot bot", "bot"),
        ("java -cp a:b -jar bot.jar", "bot.jar"),
        ("ruby -I lib bot.rb", "bot.rb"),
        ("php -d x=1 bot.php", "bot.php"),
        ("dotnet exec bot.dll", "bot.dll"),
        ("bash -o pipefail bot.sh", "bot.sh"),
        ("env A=1 python -W ignore bot.py", "bot.py"),
        ("sudo -u me node --env-file .env bot.js", "bot.js"),
        ("python -- -x.py", "-x.py"),
        ("python -W", ""),
    ],
)
def test_the_script_of_an_interpreter_is_its_first_argument(line: str, script: str) -> None:
    assert script == script_of(line.split())


def test_a_shell_that_runs_a_line_is_a_launcher_and_one_that_runs_a_script_is_not() -> None:
    launchers = ["sh -c x", "sudo x", "/usr/bin/env x", "timeout 5 x", "-bash"]
    assert [True] * 5 == [is_launcher(line.split()) for line in launchers]
    assert [False] * 4 == [is_launcher(line.split()) for line in ("bash a.sh", "make x", "python a.py", "")]


def test_a_shell_without_a_script_or_a_line_is_typed_into() -> None:
    assert [True, True, False, False] == [is_prompt(line.split()) for line in ("bash", "-bash -l", "sh -c x", "make")]


def test_a_client_makes_requests_for_others() -> None:
    assert [True, True, False, False] == [is_client(line.split()) for line in ("curl x", "/usr/bin/wget x", "node x", "")]


@pytest.mark.parametrize(
    ("parent", "child", "same"),
    [
        ("python a.py", "python -c from_multiprocessing.spawn_import", True),
        ("python a.py", "python b.py", False),
        ("node a.js", "node a.js", True),
        ("make", "python -c multiprocessing", False),
        ("/opt/cursor", "/opt/cursor --type=utility", True),
        ("sh -c x", "sh -c x", False),
        ("curl x", "curl y", False),
        ("", "python a.py", False),
    ],
)
def test_a_worker_runs_the_program_of_its_parent(parent: str, child: str, same: bool) -> None:
    assert same == is_worker(parent.split(), child.split())


@given(st.lists(st.text(max_size=20), max_size=6), st.lists(st.text(max_size=20), max_size=6))
def test_any_arguments_are_judged(parent: list[str], child: list[str]) -> None:
    assert isinstance(is_worker(parent, child), bool)
    assert not (is_launcher(child) and is_client(child))
