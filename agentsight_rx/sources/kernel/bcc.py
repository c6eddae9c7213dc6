"""The Python module of BCC, from Debian's package, in any virtual environment."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from ...errors import CaptureError

__all__ = ["bcc"]

# A virtual environment does not see Debian's packages. This one is plain Python over ctypes, so it runs in any of them.
_DEBIAN = Path("/usr/lib/python3/dist-packages/bcc")

_REMEDY = "install BCC: apt-get install python3-bpfcc"


def bcc() -> ModuleType:
    """
    BCC's module, imported at the first call; it stays `bcc` in `sys.modules`, because its own parts import each other.

    PyPI has another project under the same name (crystal lattices); that one is refused, never returned.
    """
    try:
        module = sys.modules.get("bcc") or _from_debian(_DEBIAN) or import_module("bcc")
    except ImportError as error:
        raise CaptureError(f"BCC is not installed ({error}); {_REMEDY}") from error
    except OSError as error:  # of ctypes, for a missing libbcc
        raise CaptureError(f"BCC does not start ({error}); {_REMEDY}") from error
    if not hasattr(module, "BPF"):
        place = getattr(module, "__file__", None) or "unknown place"
        raise CaptureError(
            f"the module `bcc` from {place} is not BCC but another project of that name; pip uninstall bcc, then {_REMEDY}"
        )
    return module


def _from_debian(package: Path) -> ModuleType | None:
    spec = spec_from_file_location("bcc", package / "__init__.py", submodule_search_locations=[str(package)])
    if spec is None or spec.loader is None or not package.is_dir():
        return None
    module = module_from_spec(spec)
    sys.modules["bcc"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["bcc"]
        raise
    return module
