"""Functions with names: OpenSSL, BoringSSL, GnuTLS, NSS."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest

from agentsight_rx.sources.tls.stacks.finding import Finding
from tests.sources.tls.stacks import Maker, found_in


def library(folder: Path, *names: str, undefined: tuple[str, ...] = (), text: bytes = b"") -> tuple[tuple[Finding, ...], Maker]:
    """What is found in a library that exports these names and uses the undefined ones. It has no sections."""
    maker = Maker()
    for name in names:
        maker.function(name)
    maker.made()
    if text:
        maker.text("text", text)
    table, texts = bytes(24), b"\0"
    for name in (*names, *undefined):
        table += pack("<IBBHQQ", len(texts), 0x12, 0, 1 if name in names else 0, maker.places.get(name, 0), 3)
        texts += name.encode() + b"\0"
    symbols = maker.constant(table + texts)
    maker.dynamic = {5: symbols + len(table), 6: symbols, 10: len(texts)}
    return found_in(folder, maker.made()), maker


def hooks_of(finding: Finding) -> list[tuple[str, int]]:
    return [(hook.shape, hook.offset) for hook in finding.hooks]


@pytest.mark.parametrize(
    ("names", "stack", "shapes"),
    [
        (("SSL_read", "SSL_write"), "OpenSSL", {"SSL_read": "SSL_read", "SSL_write": "SSL_write"}),
        (
            ("SSL_read", "SSL_write", "SSL_write_ex", "SSL_write_ex2", "SSL_free"),
            "OpenSSL",
            {"SSL_read": "SSL_read", "SSL_write": "SSL_write", "SSL_write_ex2": "SSL_write_ex2", "SSL_free": "SSL_free"},
        ),
        (
            ("gnutls_record_send", "gnutls_record_send2", "gnutls_record_recv", "gnutls_deinit"),
            "GnuTLS",
            {"gnutls_record_send2": "SSL_write", "gnutls_record_recv": "SSL_read", "gnutls_deinit": "SSL_free"},
        ),
        (
            ("gnutls_record_send", "gnutls_record_recv"),
            "GnuTLS",
            {"gnutls_record_send": "SSL_write", "gnutls_record_recv": "SSL_read"},
        ),
        (("SSL_ImportFD",), "NSS", {"SSL_ImportFD": "NSS_import"}),
        (
            ("PR_Read", "PR_Recv", "PR_Write", "PR_Send", "PR_Close"),
            "NSPR",
            {
                "PR_Read": "NSS_read",
                "PR_Recv": "NSS_read",
                "PR_Write": "NSS_write",
                "PR_Send": "NSS_write",
                "PR_Close": "SSL_free",
            },
        ),
    ],
)
def test_a_library_has_what_it_exports(tmp_path: Path, names: tuple[str, ...], stack: str, shapes: dict[str, str]) -> None:
    (finding,), maker = library(tmp_path, *names)
    assert (finding.stack, finding.method, finding.failure) == (stack, "symbols", "")
    assert sorted(hooks_of(finding)) == sorted((shape, maker.places[name]) for name, shape in shapes.items())


def test_one_direction_is_not_enough(tmp_path: Path) -> None:
    assert library(tmp_path, "SSL_write", undefined=("SSL_read",))[0] == ()


def test_a_user_of_openssl_has_none(tmp_path: Path) -> None:
    assert library(tmp_path, "main", undefined=("SSL_read", "SSL_write"))[0] == ()


@pytest.mark.parametrize(("name", "stack"), [("gnutls_record_send", "GnuTLS"), ("SSL_ImportFD", "NSS")])
def test_a_user_of_another_library_says_so(tmp_path: Path, name: str, stack: str) -> None:
    (finding,), _ = library(tmp_path, "main", undefined=(name,))
    assert (finding.stack, finding.hooks) == (stack, ())
    assert finding.failure == f"it uses the functions of {stack}, which are in a library of their own"


def test_boringssl_has_the_names_of_openssl(tmp_path: Path) -> None:
    (finding,), _ = library(tmp_path, "SSL_read", "SSL_write", text=b"/src/boringssl/ssl/ssl_lib.cc")
    assert (finding.stack, len(finding.hooks)) == ("BoringSSL", 2)


def test_a_symbol_outside_of_the_code_does_not_count(tmp_path: Path) -> None:
    """Nothing that is no instruction is ever probed."""
    _, maker = library(tmp_path, "SSL_read", "SSL_write")
    whole = maker.made().replace(pack("<Q", maker.places["SSL_write"]), pack("<Q", 0x1000))
    assert found_in(tmp_path, whole) == ()
