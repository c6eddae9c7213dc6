"""OpenSSL without symbols: the functions that its error messages name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.tls.stacks import Maker, found_in, lea, one

USES_R8, SETS_R8 = b"\x4d\x89\xc7", b"\x45\x31\xc0\x4d\x89\xc7"  # mov r15, r8; xor r8d, r8d before it


def openssl(maker: Maker, *, body: bytes, version: bytes = b"") -> Maker:
    maker.text("write", b"ssl_write_internal")
    maker.text("read", b"ssl_read_internal")
    if version:
        maker.text("version", version)
    maker.function("ssl_write_internal", body, lea("write"))
    maker.function("ssl_read_internal", lea("read"))
    return maker


@pytest.mark.parametrize(
    ("body", "version", "shape"),
    [
        (USES_R8, b"", "SSL_write_ex2"),
        (SETS_R8, b"", "SSL_write_ex"),
        (USES_R8, b"OpenSSL 3.5.4 30 Sep 2025", "SSL_write_ex2"),
        (SETS_R8, b"OpenSSL 3.0.13 30 Jan 2024", "SSL_write_ex"),
        (SETS_R8, b"OpenSSL 3.6.0 1 Oct 2025", "SSL_write_ex2"),
    ],
)
def test_the_number_of_arguments_follows_the_version_or_the_code(
    tmp_path: Path, body: bytes, version: bytes, shape: str
) -> None:
    maker = openssl(Maker(frames=True), body=body, version=version)
    finding = one(tmp_path, maker)
    assert {(hook.shape, hook.offset) for hook in finding.hooks} == {
        ("SSL_read_ex", maker.places["ssl_read_internal"]),
        (shape, maker.places["ssl_write_internal"]),
    }
    seen = "by its version text" if version else "by the use of r8"
    assert any(seen in each for each in finding.evidence)


def test_a_text_that_only_begins_like_the_name_does_not_count(tmp_path: Path) -> None:
    maker = Maker(frames=True)
    maker.text("write", b"ssl_write_internal_more")
    maker.function("main", lea("write"))
    assert one(tmp_path, maker).failure == "the texts of OpenSSL 3 are there, but no code refers to them"


def test_an_older_openssl_is_named(tmp_path: Path) -> None:
    maker = Maker()
    maker.text("file", b"ssl/ssl_lib.c")
    maker.function("main", lea("file"))
    (finding,) = found_in(tmp_path, maker.made())
    assert (finding.stack, finding.hooks) == ("OpenSSL without symbols", ())
    assert "before 3.0" in finding.failure
