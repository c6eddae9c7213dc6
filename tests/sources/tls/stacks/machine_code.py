"""Parts of machine code, with labels -> its bytes."""

from __future__ import annotations

__all__ = ["Part", "assembled"]

Part = str | tuple[str, str]  # bytes in hex; a label, as `name:`; a jump or call to a label, with an offset of 32 bits


def assembled(*parts: Part, **labels: int) -> bytes:
    """`labels` are places outside of it."""
    code = b""
    for _ in range(2):
        code = b""
        for part in parts:
            if isinstance(part, tuple):
                operation, label = bytes.fromhex(part[0]), part[1]
                end = len(code) + len(operation) + 4
                code += operation + (labels.get(label, end) - end).to_bytes(4, "little", signed=True)
            elif part.endswith(":"):
                labels[part[:-1]] = len(code)
            else:
                code += bytes.fromhex(part)
    return code
