"""A key of each vendor is hidden wherever a text has it, whole and cut anywhere."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable

import pytest

from agentsight_rx.policy.redaction.kinds import KINDS
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.policy.redaction.resent import SecretStream
from tests.secrets.kinds import PARTS
from tests.secrets.vendors import RANDOM, VENDORS, fresh_key

REDACTOR = Redactor(bytes(32))
LONG = "words of a text that holds nothing " * 40
RUN = "five Big words of Volume 7 in a Zip " * 40  # with letters that are rare in text and frequent in Base64
TEXTS: dict[str, Callable[[str], str]] = {
    "prose": lambda key: f"I use {key} for it.",
    "a long text": lambda key: f"{LONG}\n{key}\n{LONG}",
    "JSON": lambda key: json.dumps({"content": f"first\n{key}\tnext"}),
    "JSON in JSON": lambda key: json.dumps({"arguments": json.dumps({"text": f"it is '{key}'"})}),
    "a long form": lambda key: f"a=b&note={RUN}{key} end&c=d".replace(" ", "+"),
    "a long path": lambda key: f"/{RUN}{key}/end".replace(" ", "/"),
    "a command": lambda key: json.dumps({"command": f"call --with {key} | less"}),
    "a variable": lambda key: f"export ANYTHING={key}\n",
    "YAML": lambda key: f"anything:\n  - {key}\n",
    "markup": lambda key: f"<p>{key}</p>",
    "a colour": lambda key: f"\x1b[32m{key}\x1b[0m",
    "Base64": lambda key: base64.b64encode(f"it is {key} as you see".encode()).decode(),
    "Base64 twice": lambda key: base64.b64encode(base64.b64encode(f"it is {key} as you see".encode())).decode(),
    "gzip": lambda key: base64.b64encode(gzip.compress(f"it is {key} as you see".encode(), mtime=0)).decode(),
}


# Of these the first part says whose key it is, and not the key: it may be read before the mark comes that shows what it is
FIRST = {"Discord": 31, "Terraform": 23}


@pytest.fixture(autouse=True)
def same_keys() -> None:
    """Whatever tests ran before: one in thousands of keys is not found where nothing names it."""
    RANDOM.seed(os.environ["PYTEST_CURRENT_TEST"])


def shown(key: str, text: str, public: int) -> bool:
    """Is so much of what is random in the text that it is a leak?"""
    return any(key[at : at + PARTS] in text for at in range(public, len(key) - PARTS + 1))


def public_of(key: str) -> int:
    """What every key of this vendor begins with says nothing."""
    return max((len(kind.begin) for kind in KINDS if key.startswith(kind.begin)), default=0)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_key_of_a_vendor_is_hidden_in_each_text(vendor: str) -> None:
    for name, text in TEXTS.items():
        key = fresh_key(vendor)
        whole = text(key)
        made = REDACTOR.text(whole)
        assert made != whole, (name, whole)
        assert not shown(key, made, public_of(key)), (name, whole)
        assert made == REDACTOR.text(made)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_key_of_a_vendor_is_hidden_wherever_a_stream_is_cut(vendor: str) -> None:
    key = fresh_key(vendor)
    data = f"I use {key} for it.".encode()
    for cut in range(1, len(data)):
        stream = SecretStream()
        made = stream.feed(data[:cut]) + stream.feed(data[cut:], last=True)
        assert len(made) == len(data)
        assert not shown(key, made.decode(), FIRST.get(vendor, public_of(key))), cut


def test_the_table_has_more_than_150_kinds() -> None:
    assert len({kind.kind for kind in KINDS}) >= 150
    assert len(VENDORS) >= 150
