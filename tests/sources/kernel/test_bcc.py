import sys
from pathlib import Path
from types import ModuleType

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources.kernel.bcc import bcc

_PLACE = "agentsight_rx.sources.kernel.bcc._DEBIAN"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory where Debian's package is looked for, in a process that has not imported it yet."""
    monkeypatch.setitem(sys.modules, "bcc", ModuleType("bcc"))  # so that it is put back afterwards
    del sys.modules["bcc"]
    monkeypatch.setattr(_PLACE, tmp_path / "bcc")
    (tmp_path / "bcc").mkdir()
    return tmp_path / "bcc"


def test_it_is_loaded_from_debians_package_with_its_parts(package: Path) -> None:
    (package / "__init__.py").write_text("from .part import BPF\n")
    (package / "part.py").write_text("BPF = 7\n")
    assert bcc().BPF == 7
    assert sys.modules["bcc"] is bcc()


def test_the_project_of_the_same_name_is_refused(package: Path) -> None:
    (package / "__init__.py").write_text("lattice = 1\n")
    with pytest.raises(CaptureError, match=r"bcc/__init__\.py is not BCC .*; pip uninstall bcc, then .* python3-bpfcc"):
        bcc()


def test_a_missing_package_is_reported_with_its_remedy(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_PLACE, package / "nowhere")
    monkeypatch.setitem(sys.modules, "bcc", None)
    with pytest.raises(CaptureError, match=r"not installed .* apt-get install python3-bpfcc"):
        bcc()


def test_a_missing_library_is_reported_and_leaves_no_half_module(package: Path) -> None:
    (package / "__init__.py").write_text("raise OSError('libbcc.so.0: cannot open shared object file')\n")
    with pytest.raises(CaptureError, match=r"does not start \(libbcc\.so\.0: .* apt-get install python3-bpfcc"):
        bcc()
    assert "bcc" not in sys.modules
