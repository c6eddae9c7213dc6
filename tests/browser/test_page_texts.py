"""What a person reads on the page, in a real browser: answers as they are meant, failed tools, new parts of calls, copies."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from agentsight_rx.events import ProcessExit
from agentsight_rx.runtime.web import StoredPage
from tests.browser.browsing import NARROW, WIDE, Shown, opened, problems
from tests.browser.page_runs import serving
from tests.view.page.story import SESSION, Story, recorded

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

REPORT = "تقرير"
FAMILY, PERSIAN = "👩\u200d💻", "می\u200cخواهم"
ANSWER = f"""# The totals

I changed **two files** and `round()`, see [the rule](https://example.org/rule).

| file | lines |
| :--- | ---: |
| `src/sums.py` | 12 |
| a \\| b | 3 |

1. First
   - with `code`
   - and *more*
2. Second

> It was {FAMILY} {PERSIAN}, not a\u200db.

```python
# not a heading
total = a * b * c
```

---
snake_case_name and 2 * 3 * 4 stay. <b>No tag</b> ![x](y.png)"""
FAILURE = "Traceback (most recent call last):\n" + '  File "x.py", line 1, in <module>\n' * 200 + "No module named 'yaml'"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    """Four turns after a first prompt, one after a second."""
    story = Story()
    (first,) = story.ask(ms=900, prompt="Fix the totals", says="I run the tests.", tools=[("Bash", {"command": "pytest -q"})])
    story.exec(12_999, "/bin/bash", "-c", "pytest -q", ppid=12_345, start=90)
    story.ran("pyenv", "exec", "pytest", ms=20, ppid=12_999)
    story.ran("dirname", "/root/.pyenv/shims/pytest", ms=20, ppid=12_999)
    story.ran("pytest", "-q", ms=300, code=1, ppid=12_999)
    story.events.append(
        ProcessExit(story.origin(12_999, "bash"), 12_345, 90 * 10_000_000, exit_code=1, duration_ns=340_000_000)
    )
    (second,) = story.ask(
        ms=900, results=[(first, FAILURE, True)], says="I edit.", tools=[("Bash", {"command": "sed -i s/a/b/ f"})]
    )
    story.ran("/bin/bash", "-c", "sed -i s/a/b/ f", ms=20, wrote=["/home/ada/code/parcel/src/sums.py"])
    story.ask(ms=900, results=[(second, "", False)], says=ANSWER, out=4000)
    tools = [("Bash", {"command": f"cat '{REPORT}.txt' > '{REPORT}/2026'"})]
    story.ask(ms=900, prompt="Now write the changelog", says="Written.", tools=tools)
    path = recorded(tmp_path_factory.mktemp("texts") / "parcel.lmdb", story.events)
    with serving(lambda: [path]) as page:
        yield page


@pytest.fixture
def page(browser: Browser, served: StoredPage) -> Generator[Shown]:
    with opened(browser, served.url, permissions=["clipboard-read", "clipboard-write"]) as shown:
        shown.page.locator("#turn-1").wait_for()
        yield shown


def test_a_command_with_words_from_right_to_left_keeps_its_order(page: Shown) -> None:
    command = page.page.locator("#turn-4 .tool .cmd")
    assert f"cat '{REPORT}.txt' > '{REPORT}/2026'" == command.inner_text()
    lefts = command.locator("bdi").evaluate_all("all => all.map(each => each.getBoundingClientRect().left)")
    assert len(lefts) == 5
    assert sorted(lefts) == lefts


def test_an_answer_is_shown_as_it_is_meant(page: Shown) -> None:
    said = page.page.locator("#turn-3 .say")
    assert "The totals" == said.locator(".md-1").inner_text()
    assert "two files" == said.locator("strong").inner_text()
    assert ["file", "lines"] == said.locator("th").all_inner_texts()
    assert [["src/sums.py", "12"], ["a | b", "3"]] == [
        row.locator("td").all_inner_texts() for row in said.locator("tbody tr").all()
    ]
    assert ["with code", "and more"] == said.locator("ol ul li").all_inner_texts()
    assert "# not a heading\ntotal = a * b * c" == said.locator("pre").inner_text()
    assert 1 == said.locator("hr").count()
    text = said.inner_text()
    assert "see the rule (https://example.org/rule)." in text
    assert "snake_case_name and 2 * 3 * 4 stay. <b>No tag</b> x (y.png)" in text
    assert 0 == said.locator("a, img, b").count()


def test_what_was_said_looks_like_text_and_no_heading(page: Shown) -> None:
    style = "each => [getComputedStyle(each).fontSize, getComputedStyle(each).fontWeight]"
    body = page.page.locator("body").evaluate(style)
    assert [body] * 2 == [page.page.locator(f"#turn-{turn} .say").first.evaluate(style) for turn in (2, 3)]


def test_joiners_stay_where_they_join_and_are_seen_elsewhere(page: Shown) -> None:
    quote = page.page.locator("#turn-3 blockquote").inner_text()
    assert f"It was {FAMILY} {PERSIAN}, not a\\u200db." == quote


def test_a_failed_tool_shows_the_end_of_its_result_first_then_what_ran_with_helpers_folded(page: Shown) -> None:
    tool = page.page.locator("#turn-1 .tool")
    assert ["result", "asked", "process"] == tool.locator("dt").all_inner_texts()[:3]
    page.see("No module named 'yaml'", within="#turn-1 .tool .res")
    page.has("(box => box.scrollTop + box.clientHeight >= box.scrollHeight - 2)(document.querySelector('#turn-1 .tool .res'))")
    ran = tool.locator("dd > .procs code").all_inner_texts()
    assert ["/bin/bash -c 'pytest -q'", "pytest -q"] == ran
    helpers = tool.locator(".help-p")
    assert "2 helpers: pyenv, dirname" == helpers.locator("summary").inner_text()
    assert not helpers.locator("li").first.is_visible()


def test_turns_and_files_name_their_prompt_and_a_key_goes_to_it(page: Shown) -> None:
    page.see("Fix the totals", within="#turn-3 .new")
    page.page.locator("#turn-3 .no").click()
    page.press("p")
    page.has("location.search === '?turn=1'")
    page.page.locator("#tab-files").click()
    page.see("Fix the totals", within="td .for")


def test_a_call_whole_opens_at_what_is_new_with_its_answer_in_reach(page: Shown) -> None:
    page.page.locator("#turn-3 .no").click()
    page.press("w")
    sent = page.page.locator("dialog .sent")
    assert "4 messages that the request before had too" == sent.locator("summary").inner_text()
    assert not sent.locator(".msg").first.is_visible()
    page.see("message 5", within="#call-new")
    sent.locator("summary").click()
    page.see("message 1", within="dialog .sent")
    page.page.get_by_role("button", name="Answer", exact=True).click()
    page.see("two files", within="dialog strong")
    assert [] == problems(page.page)


def test_what_was_left_out_of_a_message_is_shown_on_demand(page: Shown) -> None:
    page.page.locator("#turn-2 .no").click()
    page.press("w")
    message = page.page.locator("#call-new .msg").last
    message.get_by_text("more characters").wait_for()
    message.get_by_role("button", name="Show the whole message").click()
    message.get_by_text("No module named 'yaml'").wait_for()


def test_texts_commands_paths_and_links_are_copied(page: Shown) -> None:
    def copied(button: str, within: str) -> str:
        page.page.locator(within).get_by_role("button", name=button).first.click()
        page.see("copied", within=within)
        return str(page.page.evaluate("navigator.clipboard.readText()"))

    assert ANSWER == copied("Copy the answer", "#turn-3")
    assert "pytest -q" == copied("Copy the command", "#turn-1 .tool")
    assert copied("Copy a link to turn 4", "#turn-4").endswith(f"/s/parcel/{SESSION}/conversation?turn=4")
    page.page.locator("#tab-files").click()
    assert "/home/ada/code/parcel/src/sums.py" == copied("Copy the path", "tbody")


def test_turns_are_sorted_by_cost_and_open_at_their_place(page: Shown) -> None:
    page.page.get_by_role("button", name="by cost").click()
    page.see("turn 3", within="tbody tr:first-child")
    page.page.locator("tbody tr:first-child a").first.click()
    page.page.locator("#turn-3.sel").wait_for()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_texts_fit_and_are_accessible(browser: Browser, served: StoredPage, viewport: dict[str, int]) -> None:
    with opened(browser, served.url, viewport=viewport) as shown:
        shown.see("The totals", within="#turn-3")
        assert viewport["width"] == shown.page.evaluate("document.documentElement.scrollWidth")
        assert [] == problems(shown.page)
        assert SESSION in shown.page.url
