"""BoringSSL without symbols: SSL_write and SSL_read by the errors that they report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.tls.stacks import Maker, called, error, one

FILE = b"../../vendor/boringssl/ssl/ssl_lib.cc"


def boringssl(maker: Maker, *, absolute: bool = False, text: bytes = FILE) -> Maker:
    maker.text("file", text)
    maker.places["file"] = maker.places["file"] + text.index(FILE)
    maker.raw("report", b"\x31\xc0\xc3")
    maker.function("shutdown", *error(226, absolute=absolute), *error(291, absolute=absolute))
    maker.function("write", *(operation for reason in (66, 226, 215, 111) for operation in error(reason, absolute=absolute)))
    maker.function("impl", *error(226, absolute=absolute), *error(215, absolute=absolute))
    maker.function("other", *error(66, absolute=absolute))
    maker.function("read", *error(66, absolute=absolute), called("impl"))
    maker.function("main", *map(called, ("shutdown", "write", "read", "other", "impl")))
    return maker


@pytest.mark.parametrize(
    ("maker", "absolute", "way"),
    [
        (Maker(frames=True), False, "unwind tables"),
        (Maker(), False, "targets of calls"),
        (Maker(base=0x200000), True, "targets of calls"),
        (Maker(align=1), False, "reading of instructions"),
    ],
)
def test_the_functions_are_found_by_each_way_to_see_their_bounds(
    tmp_path: Path, maker: Maker, absolute: bool, way: str
) -> None:
    finding = one(tmp_path, boringssl(maker, absolute=absolute))
    assert [(hook.shape, hook.offset + maker.base) for hook in finding.hooks] == [
        ("SSL_write", maker.places["write"]),
        ("SSL_read", maker.places["read"]),
    ]
    assert (finding.stack, finding.method, finding.failure) == ("BoringSSL", "error reasons", "")
    assert all(f"(bounds from {way})" in each for each in finding.evidence)


def test_a_text_that_was_put_behind_another_one_is_found(tmp_path: Path) -> None:
    maker = boringssl(Maker(), text=b"keepAlive" + FILE)
    assert len(one(tmp_path, maker).hooks) == 2


def test_ssl_peek_is_not_taken_for_ssl_read(tmp_path: Path) -> None:
    """A browser uses both. SSL_read also calls what gives up the record."""
    maker = Maker(frames=True)
    maker.function("discard")
    boringssl(maker)
    maker.function("read and discard", *error(66), called("impl"), called("discard"))
    maker.function("both", called("read"), called("read and discard"))
    _, read = one(tmp_path, maker).hooks
    assert read.offset == maker.places["read and discard"]


def test_ssl_peek_without_callers_is_not_taken_for_ssl_read(tmp_path: Path) -> None:
    maker = boringssl(Maker(frames=True))
    maker.function("peek", *error(66), called("impl"))
    _, read = one(tmp_path, maker).hooks
    assert read.offset == maker.places["read"]


def test_two_candidates_are_none(tmp_path: Path) -> None:
    maker = boringssl(Maker(frames=True))
    maker.function("again", *(operation for reason in (226, 215, 111) for operation in error(reason)))
    maker.function("start", called("again"))
    finding = one(tmp_path, maker)
    assert finding.hooks == ()
    assert finding.failure == "the texts of BoringSSL are there, but 2 candidates for SSL_write (1 is needed)"


def test_texts_without_code_are_no_implementation(tmp_path: Path) -> None:
    maker = Maker()
    maker.text("file", FILE)
    maker.function("main")
    assert one(tmp_path, maker).failure == "the texts of BoringSSL are there, but no code refers to them"


def test_a_push_behind_endbr64_is_probed_in_its_place(tmp_path: Path) -> None:
    plain = one(tmp_path, boringssl(Maker(frames=True))).hooks
    guarded = boringssl(Maker(frames=True, before=b"\xf3\x0f\x1e\xfa"))
    hooks = one(tmp_path, guarded).hooks
    assert [hook.shape for hook in hooks] == [hook.shape for hook in plain]
    assert [hook.offset for hook in hooks] == [guarded.places["write"] + 4, guarded.places["read"] + 4]
