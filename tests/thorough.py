"""
The tests that repeat what others show, for one more client, width or build -> the parameters that a usual run keeps.

The others run with --all, before a release. A name that is no test, and a parameter that it has not, fail the collection of all
tests (`test_thorough.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

__all__ = ["USUAL", "mark_thorough"]

# File and name of a test -> the parameters that a usual run keeps; none: the test is for --all alone
USUAL: Mapping[str, frozenset[str]] = {
    f"tests/{name}": frozenset(kept)
    for name, kept in {
        "browser/test_page.py::test_every_view_fits_is_accessible_and_has_no_error": ("narrow-light",),
        "browser/test_page.py::test_a_session_in_one_file_shows_every_tab_with_the_network_off": ("narrow",),
        "browser/test_page_alerts.py::test_a_session_of_502_turns_and_200_alerts_fits_each_screen": ("alerts-dark",),
        "browser/test_page_alerts.py::test_this_machine_with_50_sessions_fits_each_screen": ("light",),
        "browser/test_page_context.py::test_at_any_width_nothing_touches_and_nothing_scrolls_sideways": ("502",),
        "browser/test_page_laws.py::test_no_view_breaks_a_rule_of_accessibility": (),
        "browser/test_page_sizes.py::test_a_session_of_502_turns_fits_each_screen": ("390",),
        "browser/test_page_sizes.py::test_a_deep_link_settles_at_its_turn_also_at_that_of_a_sub_agent": ("1280",),
        "browser/test_page_sizes.py::test_all_trouble_is_marked_under_the_bars_and_words_say_where_the_context_fell": (
            "212",
            "502",
        ),
        "browser/test_page_sizes.py::test_at_any_width_each_turn_has_its_part_of_a_bar_that_can_be_seen": ("502",),
        "browser/test_page_texts.py::test_texts_fit_and_are_accessible": ("narrow",),
        "cli/program/test_errors_streams.py::test_no_stream_makes_a_traceback": (
            "--version",
            r"report calls --db {0}/\xfc.lmdb --json",
            r"replay {0}/\xfc.jsonl",
            r"top --db {0}/\xfc.lmdb --once",
        ),
        "golden/test_hostile.py::test_the_graph_stays_small": (
            *("deep JSON", "wide JSON", "wide JSON, tiny items", "wide JSON, compressed"),
            *("gzip bomb, event stream", "gzip bombs, one after another", "gzip bombs, many small ones"),
            *("chunks of one byte, event stream", "endless trailer fields", "header bomb (HPACK)", "tiny SSE events"),
        ),
        "live/test_beginnings.py::test_the_earlier_calls_of_a_running_program_are_missing": ("sources0-kept", "sources1-new"),
        "live/test_ci_page.py::test_the_steps_run_and_the_check_fails": ("github",),
        "live/test_clients.py::test_every_byte_of_every_body_is_seen": ("anthropic", "curl"),
        "live/test_clients.py::test_the_whole_graph_counts_the_calls_and_their_tokens": ("node",),
        "live/test_commands.py::test_the_demo_reports_its_calls_its_hints_work_as_printed_and_it_keeps_one_recording": (
            "True",
        ),
        "live/test_commands.py::test_record_ends_as_the_command_ended": ("exit 7-7", "kill -TERM $$-143"),
        "live/test_commands.py::test_record_sees_the_calls_of_a_node_program": (),
        "live/test_demo_page.py::test_the_page_shows_a_task_of_forty_turns_and_the_tool_that_failed_first": (),
        "live/test_ends.py::test_an_agent_that_acts_at_the_end_mark_keeps_the_tie_to_its_process": (
            "/v1/messages-hangs up",
            "/v1/chat/completions-reads on",
        ),
        "live/test_full_disk.py::test_the_command_runs_in_a_folder_that_is_read_only": ("--db",),
        "live/test_namespaces.py::test_a_command_is_recorded_whole": ("container",),
        "live/test_namespaces.py::test_every_source_passes_its_own_tests_in_a_container": (),
        "live/test_otel.py::test_a_recorded_agent_is_one_connected_trace_and_its_recording_gives_it_again": ("http/protobuf",),
        "live/test_placement.py::test_every_byte_of_a_client": ("node", "curl"),
        "live/test_programs.py::test_the_kernel_takes_every_function": (),
        "live/test_record.py::test_processes_that_outlive_the_recording_are_missing": ("two",),
        "live/test_record.py::test_the_exit_status_is_that_of_the_command_whatever_the_streams_are": (
            ">&- 2>&-",
            ">/dev/full 2>/dev/full",
        ),
        "live/test_runs.py::test_a_source_says_the_same": (
            "files-all",
            "files-first-skipped",
            "net-first-skipped",
            "plain_http-first-skipped",
            "process-first-skipped",
            "stdio-first-skipped",
            "files-last-alone",
        ),
        "live/test_scopes.py::test_a_name_that_no_process_has_is_said_at_the_end": ("--ssl",),
        "live/test_sdks.py::test_the_calls_have_the_tokens_that_the_server_said": ("anthropic",),
        "live/test_sdks.py::test_the_tool_is_tied_to_the_process_that_ran_it_and_to_its_result": ("anthropic",),
        "live/test_sdks.py::test_the_turn_is_one_session": ("anthropic",),
        "live/test_sdks.py::test_the_reports_say_so": ("anthropic",),
        "live/test_secrets.py::test_a_trace_shows_no_secret_in_any_sink": ("('--stdio-raw',)",),
        "live/test_stdio.py::test_a_client_and_a_server_of_the_python_sdk": ("2026-07-28",),
        "live/test_stdio.py::test_of_the_descriptors_trace_shows_the_standard_ones_or_those_asked_for": (
            "[]-['one']",
            "['--stdio-all-fds']-['one', 'two']",
        ),
        "live/test_ties.py::test_the_tool_the_process_and_the_files_are_tied_where_a_reader_is_late": ("tls",),
        "live/test_twins.py::test_a_call_through_a_proxy_of_the_tree_is_one_call": ("tls",),
        "live/test_twins.py::test_calls_of_which_both_ends_are_seen_count_once": (
            "each its own-apart-tls",
            "each its own-within-plain",
            "equal-within-tls",
        ),
        "live/test_wire.py::test_every_byte_of_http_is_seen_decoded": (
            "curl-h2-tls",
            "python-h2-plain",
            "node-h2-tls",
            "openai-plain",
        ),
        "live/test_wire.py::test_every_message_of_a_websocket_is_seen": (
            "socket-deflate-tls",
            "socket-plain-plain",
            "socket-node-plain",
        ),
        "live/test_wire_server.py::test_a_client_waits_for_its_turn_and_succeeds": (),
        "live/test_wire_server.py::test_client_and_server_saw_the_same_bodies": (),
        "live/test_wire_server.py::test_a_client_speaks_its_version_of_http": (),
        "live/test_wire_server.py::test_answers_are_coded_as_the_client_asks_and_takes": (),
        "live/test_wire_server.py::test_streams_interleave": (),
        "live/test_wire_server.py::test_one_stream_ends_with_trailers_and_one_is_reset": (),
        "live/test_wire_server.py::test_mcp_results_come_as_events_and_as_json": (),
        "live/test_wire_server.py::test_client_and_server_saw_the_same_messages": (),
        "live/test_wire_server.py::test_frames_are_deflated_if_that_was_agreed": (),
        "live/test_wire_server.py::test_messages_go_in_fragments_both_ways_with_a_ping_between": (),
        "runtime/demo/test_fake_llm.py::test_a_client_waits_until_it_may_begin": ("node", "curl"),
        "runtime/demo/test_fake_llm.py::test_client_and_server_saw_the_same_bytes": ("anthropic", "curl"),
        "test_benchmarks.py::test_every_group_gives_its_figures": (
            "start",
            "replay",
        ),
        "test_benchmarks.py::test_every_benchmark_without_a_figure_runs": ("guard", "scan"),
        "test_gallery.py::test_a_program_of_the_page_prints_what_it_shows": ("reading",),
    }.items()
}


def mark_thorough(items: Iterable[pytest.Item]) -> None:
    for item in items:
        kept = USUAL.get(_name(item))
        if kept is not None and _parameters(item) not in kept:
            item.add_marker(pytest.mark.thorough)


def _name(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _parameters(item: pytest.Item) -> str:
    return item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""
