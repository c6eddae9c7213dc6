"""What a file looks like, and which functions it has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources.tls.libraries import file_id, inspect, looks_like, open_file, unreadable
from tests.sources.tls import TRUE, make_program


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (b"/build/vendor/boringssl/ssl/ssl_lib.cc\0", "BoringSSL"),
        (b"third_party/boringssl/ssl/ssl_lib.cc\0", "BoringSSL"),
        (b"/registry/aws-lc-sys/aws-lc/crypto/fipsmodule/cipher/aead.c\0", "rustls with aws-lc"),
        (b"/rustls-0.23.16/src/crypto/ring/tls13.rs", "rustls with ring"),
        (b"crypto/tls.(*Conn).Write\0", "Go crypto/tls"),
        (b"ssl_write_internal\0ssl/ssl_lib.c\0", "OpenSSL 3 without symbols"),
        (b"ssl/ssl_lib.c\0", "OpenSSL without symbols"),
        (b"gnutls_record_send2\0", "GnuTLS"),
        (b"SSL_ImportFD\0", "NSS"),
        (b"ssl_write_internal\0/rustls-0.23.16/src/crypto/ring/tls13.rs", "rustls with ring and OpenSSL 3 without symbols"),
    ],
)
def test_a_file_without_symbols_is_recognised_by_its_bytes(tmp_path: Path, mark: bytes, name: str) -> None:
    program = make_program(tmp_path / "agent", trailing=b"\0" + mark)
    assert inspect(program) is None
    assert looks_like(program) == name
    assert f"(it looks like {name}): its TLS cannot be read" in unreadable(program)


def test_a_file_without_tls_gets_another_message(tmp_path: Path) -> None:
    program = make_program(tmp_path / "agent")
    assert looks_like(program) == ""
    assert "Its TLS may be in a library that it loads: name that library, or watch the process with --pid" in unreadable(
        program
    )


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"\x7fELF" + b"SSL_write\0" * 20, TRUE.read_bytes()[:99] + b"SSL_write"]
)
def test_a_file_that_is_not_a_program_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CaptureError, match="is not a program or library that can be probed"):
        inspect(file)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null"), tmp_path / "nothing"):
        with pytest.raises(CaptureError):
            open_file(path)


def test_the_functions_are_found_where_the_linker_sees_them(libssl: Path) -> None:
    library = inspect(libssl)
    assert library is not None
    shapes = {hook.shape for hook in library.hooks}
    assert {"SSL_read", "SSL_write", "SSL_read_ex", "SSL_free"} <= shapes
    assert not {"SSL_write_ex", "SSL_write_ex2"} <= shapes
    assert len({hook.offset for hook in library.hooks}) == len(library.hooks) == len(shapes)


def test_a_file_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a")
    with path.open("rb") as file:
        before = file_id(file)
    os.utime(path, (1, 1))
    with path.open("rb") as file:
        assert file_id(file) != before
