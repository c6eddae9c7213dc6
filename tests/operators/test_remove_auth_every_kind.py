"""No text of any kind of event leaves with a secret: a new kind needs its line in remove_auth.py, or is listed here."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from agentsight_rx.events import Event, Headers
from agentsight_rx.operators import remove_auth
from tests.operators import run
from tests.samples import sample

SECRET = "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"
KINDS: tuple[type[Any], ...] = tuple(dict.fromkeys(get_args(Event)))

# Fields that remove_auth does not change: most have a few known values. Paths of libraries may be any text.
PLAIN: dict[str, set[str]] = {
    "TlsOpen": {"local", "peer"},
    "TcpTraffic": {"peer"},
    "UnreadTls": {"path", "looks_like"},
    "TlsUse": {"path", "stack", "method"},
    "BlindSpot": {"peers", "files", "looks_like", "why"},
    "HttpRequest": {"version", "reason", "encoding"},
    "HttpResponse": {"version", "reason", "encoding", "method"},
    "BodyPart": {"reason", "encoding"},
    "WebSocketMessage": {"reason"},
    "SseMessage": {"dialect", "reason", "method"},
    "ProcessExec": {"container_id", "pod"},
    "FileEvent": {"action"},
    "NetEvent": {"action", "family", "protocol", "local", "peer"},
    "RpcMessage": {"kind", "outcome", "reason"},
    "HostsKnown": {"pairs", "homes"},  # from recordings, whose secrets are labels, and from passwd
    "RulesLoaded": {"rules", "sha256"},
    "Witness": {"seen_by"},
    "Loss": {"stage", "note"},
}


def planted(kind: Any) -> Any:
    """A value of the type that contains the secret; of headers their values do."""
    return (("name", SECRET),) if kind == Headers else sample(kind, text=SECRET)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_secret_in_a_text_of_an_event_is_replaced(kind: type[Any]) -> None:
    shown: set[str] = set()
    for field in msgspec.structs.fields(kind):
        if field.name != "origin":
            event = msgspec.structs.replace(sample(kind), **{field.name: planted(field.type)})
            if SECRET in repr(run(remove_auth(key=bytes(32)), [event])):
                shown.add(field.name)
    assert shown == PLAIN.get(kind.__name__, set())
