"""Programs that send a request again: variables stand for credentials, and what a shell or Python would read is quoted."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.view.queries.calls.programs import Language, program_lines
from agentsight_rx.view.queries.calls.resend import Resend, Variable

RESEND = Resend(
    "POST", "https", "a.test", ("/v1",), (("x-api-key", (Variable("A_KEY"),)), ("x-note", ("it's",))), b"{}", "HTTP/1.1"
)


def program(resend: Resend, language: Language) -> str:
    return "\n".join(program_lines(resend, language, title="Send it", body="my body.json"))


def test_a_script_for_curl_names_variables_and_the_file_of_the_body() -> None:
    script = program(RESEND, "curl")
    assert script.startswith("#!/bin/sh\n# Send it\n")
    assert """--header 'x-api-key: '"${A_KEY:?}\"""" in script
    assert """--header 'x-note: it'"'"'s'""" in script
    assert "--data-binary '@my body.json'" in script


def test_a_python_program_compiles_and_asks_for_its_variables() -> None:
    text = program(RESEND, "python")
    compile(text, "program", "exec")
    assert "missing = [name for name in ['A_KEY']" in text


def test_another_version_is_said() -> None:
    assert "speaks HTTP/1.1" in program(replace(RESEND, version="HTTP/2"), "python")
    assert "--http2-prior-knowledge" in program(replace(RESEND, scheme="http", version="HTTP/2"), "curl")
