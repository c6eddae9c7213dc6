"""docs/compat.md says of every flag and every field of the original what it is here: both tables are compared with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from msgspec.structs import replace

from agentsight_rx.cli import app
from agentsight_rx.cli.program.reference import reference
from agentsight_rx.events.envelope import encode_envelope
from agentsight_rx.view import AnyRow
from tests.samples import OUTPUTS

PAGE = Path(__file__).parents[1] / "docs" / "compat.md"


def table(title: str) -> list[list[str]]:
    """The rows of the first table below a title, without its head."""
    text = PAGE.read_text().partition(f"## {title}\n")[2]
    rows = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


# -- flags -------------------------------------------------------------------------------------------------------------

PROGRAM: Any = typer.main.get_command(app)
FLAGS: dict[str, Any] = {
    name: parameter for parameter in PROGRAM.commands["trace"].params for name in (*parameter.opts, *parameter.secondary_opts)
}
ALL_FLAGS = set(re.findall(r"--(?:\[no-\])?[a-z-]+", reference()))
# The configuration of the original
OPTIONS = (
    *("ssl", "process", "stdio", "system", "ssl_uid", "ssl_filter", "ssl_handshake", "ssl_http", "ssl_raw_data"),
    *("http_filter", "disable_auth_removal", "binary_path", "comm", "pid", "session_id", "process_seeds", "duration", "mode"),
    *("stdio_uid", "stdio_all_fds", "stdio_max_bytes", "stdio_comm", "system_interval", "otel", "otel_endpoint"),
    *("otel_capture_content", "db", "quiet", "server", "server_port", "listen"),
)


def shown(default: object) -> str:
    if default is None:
        return "none"
    return ("on" if default else "off") if isinstance(default, bool) else str(default)


def test_every_option_of_the_original_has_a_row() -> None:
    assert list(OPTIONS) == [row[0].strip("`") for row in table("Its configuration") if row[0] != "–"]


@pytest.mark.parametrize("row", table("Its configuration"), ids=lambda row: row[0])
def test_a_row_has_flags_that_exist_and_their_default(row: list[str]) -> None:
    _, here, _, default, _, by = row
    flags = re.findall(r"--[a-z-]+", here)
    assert not [flag for flag in flags if flag not in FLAGS and flag not in ALL_FLAGS]
    if default:
        assert shown(FLAGS[flags[0]].default) == default
    for place in re.findall(r"`(tests/[^`]+)`", by):
        assert (PAGE.parents[1] / place).exists(), place


# -- fields ------------------------------------------------------------------------------------------------------------


def of(**names: str) -> dict[str, str]:
    """Field -> its type, from the names of the fields by type."""
    return {name: kind for kind, given in names.items() for name in given.split()}


COMMON = of(number="timestamp pid", string="comm")
# What the original emits: its field, its type there, by our kind of event
ORIGINAL: dict[str, dict[str, str]] = {
    "tls_chunk": of(
        number="timestamp_ns pid tid uid len buf_size connection_id latency_ms bytes_lost",
        string="function comm data data_hex",
        boolean="is_handshake truncated",
    ),
    "process_exec": COMMON | of(number="ppid ns_pid", string="event filename full_command container_id"),
    "process_exit": COMMON | of(number="ppid exit_code duration_ms vm_hwm_kb", string="event rate_limit_warning"),
    "file": COMMON | of(number="count flags", string="event filepath reason", boolean="window_expired"),
    "readline": COMMON | of(string="event command"),
    "stdio_chunk": of(number="timestamp_ns pid fd len", string="comm direction fd_role fd_target data", boolean="truncated"),
    "system_sample": COMMON
    | of(
        number="cpu.cores memory.rss_kb memory.rss_mb memory.vsz_kb memory.vsz_mb process.threads process.children",
        string="type cpu.percent",
        boolean="alert",
    ),
    "system_wide": COMMON
    | of(
        number="cpu.cores cpu.load_avg_1min cpu.load_avg_5min cpu.load_avg_15min memory.total_kb memory.total_mb "
        "memory.used_kb memory.used_mb memory.free_kb memory.available_kb",
        string="type memory.used_percent",
    ),
    "http_request": of(
        number="tid total_size",
        string="message_type first_line method path protocol body original_source raw_data",
        boolean="has_body is_chunked",
        object="headers",
    ),
    "http_response": of(
        number="tid status_code total_size",
        string="message_type first_line status_text protocol body original_source raw_data",
        boolean="has_body is_chunked",
        object="headers",
    ),
    "sse_message": of(
        number="start_time end_time duration_ns tid total_size event_count",
        string="connection_id message_id original_source function json_content text_content sse_events.raw_data",
        boolean="has_message_start",
        list="sse_events",
        object="sse_events.parsed_data",
    ),
}
# How the table names our kinds
SHOWN_AS = {
    "tls_chunk": "`ssl`",
    "process_exec": "`process` EXEC",
    "process_exit": "`process` EXIT",
    "file": "`process` FILE_OPEN",
    "readline": "`process` BASH_READLINE",
    "stdio_chunk": "`stdio`",
    "system_sample": "`system`",
    "system_wide": "`system` wide",
    "http_request": "`http_parser`",
    "http_response": "`http_parser`",
    "sse_message": "`sse_processor`",
}
_TYPES: dict[Any, str] = {
    bool: "boolean",
    str: "string",
    int: "number",
    float: "number",
    dict: "object",
    list: "list",
    tuple: "list",
}


def events(kind: str) -> list[dict[str, Any]]:
    """The data of an event of this kind, with text and with bytes that are not."""
    (event,) = (
        each for each in OUTPUTS if not isinstance(each, AnyRow) and encode_envelope(each)["data"]["event_type"] == kind
    )
    names = {"data", "body"} & set(event.__struct_fields__)
    texts = [replace(event, **dict.fromkeys(names, data)) for data in (b"text", b"\xff")] if names else [event]
    return [encode_envelope(each)["data"] for each in texts]


def type_here(kind: str, field: str) -> str:
    """The first type that is not null; absent where no event of the kind has the field."""
    found = [_TYPES.get(type(value), "null") for data in events(kind) for value in values(data, field.split("."))]
    return next((each for each in found if each != "null"), "null" if found else "absent")


def values(data: Any, path: list[str]) -> list[Any]:
    """What stands at a path, of lists in each element."""
    if not path:
        return [data]
    if isinstance(data, list):
        return [value for each in cast("list[Any]", data) for value in values(each, path)]  # type: ignore[redundant-cast]
    return values(data[path[0]], path[1:]) if path[0] in data else []


DIFFERING = {(row[0], row[1].strip("`")): (row[2], row[3]) for row in table("Its events")}


def row_of(kind: str, field: str) -> tuple[str, str] | None:
    return DIFFERING.get((SHOWN_AS[kind], field)) or DIFFERING.get(("all", field))


@pytest.mark.parametrize("kind", ORIGINAL)
def test_a_field_is_as_it_was_or_the_table_says_how_it_differs(kind: str) -> None:
    for field, there in ORIGINAL[kind].items():
        here, row = type_here(kind, field), row_of(kind, field)
        before, now = row or (there, there)
        assert (first_word(before), first_word(now)) == (there, here), field


def test_the_table_has_no_field_that_the_original_has_not() -> None:
    known = {(SHOWN_AS[kind], field) for kind, fields in ORIGINAL.items() for field in fields} | {
        ("all", field) for field in COMMON
    }
    assert set(DIFFERING) - known == set()


def first_word(text: str) -> str:
    return re.split(r"[ ,:]", text)[0]
