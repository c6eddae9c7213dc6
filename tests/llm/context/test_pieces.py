"""A message, a tool, a block -> its pieces: marks for the cache, calls, results, media, and blocks of unknown kinds."""

from __future__ import annotations

import pytest

from agentsight_rx.llm.context import Piece, anatomy
from agentsight_rx.llm.context.pieces import summed_up_at


def pieces(body: str) -> list[Piece]:
    return anatomy(body.encode()).read()


def test_a_mark_for_the_cache_changes_no_piece() -> None:
    plain = '{"tools":[{"name":"a"}],"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"x"}]}'
    marked = plain.replace('"text":"s"', '"text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}')
    marked = marked.replace('{"name":"a"', '{"name":"a","cache_control":{"type":"ephemeral"}')
    assert [each.digest for each in pieces(plain)] == [each.digest for each in pieces(marked)]
    assert [each.mark for each in pieces(marked)] == ["5m", "1h", ""]
    converse = '{"messages":[{"role":"user","content":[{"text":"x"},{"cachePoint":{"type":"default"}},{"text":"y"}]}]}'
    assert [each.mark for each in pieces(converse)] == ["5m", ""]


def test_a_result_names_its_call_and_a_reminder_in_it_is_none() -> None:
    body = (
        '{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{"path":"a"}}]},'
        '{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"out"},'
        '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"'
        'iVBORw0KGgoAAAANSUhEUgAAAAMAAAAFCAYAAACXU8ZrAAAAAElFTkSuQmCCiVBORw0KGgo"}}]}]}]}'
    )
    call, said, image = pieces(body)
    assert (call.origin, call.name, call.ref) == ("answer", "Read", "t1")
    assert (said.origin, said.ref, image.origin, image.ref) == ("result", "t1", "media", "t1")
    assert image.pixels == (3, 5)


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        ('{"type":"thinking","thinking":"t","signature":"s"}', [("reasoning", "")]),
        ('{"type":"redacted_thinking","data":"x"}', [("reasoning", "")]),
        ('{"type":"server_tool_use","id":"a","name":"web_search","input":{}}', [("answer", "web_search")]),
        (
            '{"type":"web_search_tool_result","tool_use_id":"a","content":[{"type":"web_search_result","title":"T"}]}',
            [("result", "")],
        ),
        ('{"type":"compaction","content":"c"}', [("summary", "compaction")]),
        ('{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"x"}]}', [("result", "")]),
        ('{"type":"input_image","image_url":"https://example.com/a.png"}', [("media", "")]),
        ('{"type":"item_of_next_year","payload":"x"}', [("prompt", "")]),
        ('{"text":"x","thought":true}', [("reasoning", "")]),
        ('{"functionCall":{"name":"ls","args":{"path":"a"}}}', [("answer", "ls")]),
        ('{"functionResponse":{"name":"ls","response":{"entries":["a"]}}}', [("result", "ls")]),
        ('{"toolResult":{"toolUseId":"t","content":[{"json":{"a":1}},{"text":"b"}]}}', [("result", ""), ("result", "")]),
        ('{"inlineData":{"mimeType":"image/png","data":"AAAA"}}', [("media", "")]),
        ('{"reasoningContent":{"reasoningText":{"text":"t"}}}', [("reasoning", "")]),
        ('{"type":"text","text":""}', []),
    ],
)
def test_each_kind_of_block(block: str, wanted: list[tuple[str, str]]) -> None:
    found = pieces(f'{{"messages":[{{"role":"user","content":[{block}]}}]}}')
    assert [(each.origin, each.name) for each in found] == wanted


def test_a_call_is_known_by_the_id_that_its_result_names() -> None:
    call = '{"type":"function_call","id":"fc_1","call_id":"call_1","name":"ls","arguments":"{}"}'
    result = '{"type":"function_call_output","call_id":"call_1","output":"a"}'
    assert [each.ref for each in pieces(f'{{"input":[{call},{result}]}}')] == ["call_1", "call_1"]


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ('{"name":"Read"}', ["Read"]),
        ('{"type":"function","function":{"name":"ls"}}', ["ls"]),
        ('{"functionDeclarations":[{"name":"a"},{"name":"b"}]}', ["a", "b"]),
        ('{"googleSearch":{}}', ["googleSearch"]),
        ('{"type":"mcp","server_label":"docs"}', ["docs"]),
        ('{"type":"web_search"}', ["web_search"]),
        ('{"toolSpec":{"name":"ls","inputSchema":{}}}', ["ls"]),
    ],
)
def test_each_kind_of_tool(tool: str, names: list[str]) -> None:
    assert [(each.origin, each.name) for each in pieces(f'{{"tools":[{tool}]}}')] == [("tools", name) for name in names]


def test_media_within_a_result_and_the_size_of_a_piece() -> None:
    block = '{"type":"tool_result","tool_use_id":"a","content":[{"image":{"format":"png"}},{"document":{"name":"d"}}]}'
    found = pieces(f'{{"messages":[{{"role":"user","content":[{block}]}}]}}')
    assert [each.origin for each in found] == ["media", "result"]
    assert found[0].size == len('{"format":"png"}')


def test_where_the_model_begins_to_read() -> None:
    text, block = '{"type":"text","text":"x"}', '{"type":"compaction","content":"c"}'
    body = f'{{"messages":[{{"role":"assistant","content":[{text},{block},{text}]}}]}}'
    found = anatomy(body.encode()).fields[0].parts[0].pieces
    assert summed_up_at(found) == 1
    assert summed_up_at(found[:1]) is None
