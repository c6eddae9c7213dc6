"""aws-lc: the functions that seal and open records, by the errors that they report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.tls.stacks import Maker, called, error, found_in, one, push_error

FILE = b"/registry/aws-lc-sys-0.37.0/aws-lc/crypto/fipsmodule/cipher/aead.c"


def aws_lc(maker: Maker, *, text: bytes = FILE, for_size: bool = False, gather: bool = True) -> Maker:
    report = push_error if for_size else error
    maker.text("file", text)
    maker.raw("report", b"\x31\xc0\xc3")
    functions = {"init": (124, 120), "seal": (117, 103, 115), "scatter": (112, 115), "open": (103, 115, 101)}
    if gather:
        functions["gather"] = (115, 104)
    for name, reasons in functions.items():
        maker.function(name, *(operation for reason in reasons for operation in report(reason)))
    maker.function("main", *map(called, functions))
    return maker


@pytest.mark.parametrize("maker", [Maker(frames=True), Maker()])
def test_all_four_functions_are_found(tmp_path: Path, maker: Maker) -> None:
    finding = one(tmp_path, aws_lc(maker))
    assert [(hook.shape, hook.offset) for hook in finding.hooks] == [
        ("seal", maker.places["seal"]),
        ("open", maker.places["open"]),
        ("seal_scatter", maker.places["scatter"]),
        ("open_gather", maker.places["gather"]),
    ]
    assert (finding.stack, finding.failure) == ("rustls with aws-lc", "")


def test_code_that_was_compiled_for_size_is_read(tmp_path: Path) -> None:
    """Without unwind tables and alignment, with constants through the stack, and open_gather inside of open."""
    maker = Maker(align=1)
    finding = one(tmp_path, aws_lc(maker, for_size=True, gather=False))
    assert [(hook.shape, hook.offset) for hook in finding.hooks] == [
        ("seal", maker.places["seal"]),
        ("open", maker.places["open"]),
        ("seal_scatter", maker.places["scatter"]),
    ]


def test_the_file_of_the_same_name_in_boringssl_is_no_aws_lc(tmp_path: Path) -> None:
    boringssl = aws_lc(Maker(frames=True), text=b"../vendor/boringssl/crypto/fipsmodule/cipher/aead.cc.inc")
    assert found_in(tmp_path, boringssl.made()) == ()


def test_texts_without_code_are_no_implementation(tmp_path: Path) -> None:
    maker = Maker()
    maker.text("file", FILE)
    maker.function("main")
    assert one(tmp_path, maker).failure == "the texts of aws-lc are there, but no code refers to them"
