"""The index of texts: it finds what a comparison of all texts finds, also once texts changed or went away."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.runtime.recording.search_base import Base, Indexed
from agentsight_rx.runtime.recording.search_words import has_all, words_of
from agentsight_rx.view.page.searched import KINDS, Entry

texts = st.text(alphabet="abc dÉé_", min_size=1, max_size=12)
entries = st.builds(
    Entry, st.sampled_from(KINDS), st.sampled_from("xyz"), st.just("s"), st.integers(0, 9), st.integers(0, 1 << 41),
    row=st.just("r"), text=texts,
)  # fmt: skip


def found(base: Base, typed: str) -> list[tuple[str, str]]:
    return [(hit.kind, hit.text.replace("\x02", "").replace("\x03", "")) for hit in base.find(words_of(typed), {"a"}, limit=99)]


@given(st.lists(st.lists(entries, max_size=6), min_size=1, max_size=3), texts)
def test_it_finds_what_the_newest_texts_have(rounds: list[list[Entry]], typed: str) -> None:
    base = Base(None, None)
    here: dict[tuple[str, str], Entry] = {}
    for given_now in rounds:
        here = {(each.kind, each.key): each for each in given_now}
        keep = set[int]()
        base.put("a", list(here.values()), keep)
        base.put("other", list(here.values()), set())
        base.remove_others("a", keep)
    words = words_of(typed)
    wanted = [(each.kind, each.text) for each in here.values() if words and has_all(each.text, words)]
    assert sorted(found(base, typed)) == sorted(wanted)
    base.forget(["a"])
    assert found(base, typed) == []
    base.close()


def test_a_file_keeps_its_texts_and_a_file_of_another_kind_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "index"
    entry = Entry("prompt", "k", "s", 1, 5, row="r", text="find me")
    base = Base(path, None)
    base.put("a", [entry], set())
    base.keep("a", Indexed(1, 2, whole=True))
    base.close()
    again = Base(path, None)
    assert (again.count(), again.indexed()) == (1, {"a": Indexed(1, 2, whole=True)})
    again.close()
    path.write_bytes(b"no database at all" * 100)
    anew = Base(path, None)
    assert (anew.count(), anew.indexed(), path.stat().st_mode & 0o777) == (0, {}, 0o600)
    anew.close()


def test_more_of_a_cut_text_stays_where_the_begin_comes_again() -> None:
    base = Base(None, None)
    cut = Entry("answer", "k", "s", 1, 5, row="r", text="begin", call="llm-1")
    assert base.put("a", [cut], set()) == [cut]
    assert base.put("a", [Entry("answer", "k", "s", 1, 5, row="r", text="begin and end")], set()) == []
    assert base.put("a", [cut], set()) == []
    assert found(base, "end") == [("answer", "begin and end")]
    base.close()
