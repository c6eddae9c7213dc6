"""The shapes of functions that take or give plaintext: where bpf/tls.c finds object, bytes, length and result."""

from __future__ import annotations

from collections.abc import Iterator

from ..kernel.probes import Site
from .stacks.finding import Finding, Hook

__all__ = ["SHAPES", "needs_layout", "needs_sockets", "sites"]

# The numbers are those of bpf/tls.c. C functions follow the System V ABI for x86-64: arguments in rdi, rsi, rdx, rcx, r8, r9
# and on the stack, the result in rax.
SHAPES = {
    "SSL_read": 1,  # (object, buffer, int size) -> bytes read, <= 0 for none; gnutls_record_recv and PR_Recv are alike
    "SSL_write": 2,  # (object, buffer, int size) -> bytes taken; SSL_write of BoringSSL, gnutls_record_send2, PR_Send
    "SSL_read_ex": 3,  # (object, buffer, size, *read) -> 1; ssl_read_internal
    "SSL_write_ex": 4,  # (object, buffer, size, *written) -> 1; ssl_write_internal of OpenSSL before 3.3
    "SSL_write_ex2": 5,  # (object, buffer, size, flags, *written) -> 1; ssl_write_internal since OpenSSL 3.3
    "SSL_do_handshake": 6,  # (object) -> 1
    "SSL_free": 7,  # (object); gnutls_deinit, PR_Close
    "seal": 8,  # (ctx, out, *out_len, max, nonce, nonce_len, in, in_len, ad, ad_len) -> 1; plaintext at entry
    "open": 9,  # (ctx, out, *out_len, max, nonce, nonce_len, in, in_len, ad, ad_len) -> 1; plaintext in out at return
    "seal_scatter": 10,  # (ctx, out, tag, *tag_len, max, nonce, nonce_len, in, in_len, extra, extra_len, ad, ad_len) -> 1
    "open_gather": 11,  # (ctx, out, nonce, nonce_len, in, in_len, tag, tag_len, ad, ad_len) -> 1; in_len bytes in out
    "go_write": 12,  # Go: object in rax, buffer in rbx, length in rcx; at ret the number of bytes in rax
    "go_read": 13,
    "NSS_import": 14,  # SSL_ImportFD(model, fd) -> fd: from now on this object speaks TLS
    "NSS_read": 15,  # PR_Read, PR_Recv: (object, buffer, size, …) -> bytes; counts only for objects of SSL_ImportFD
    "NSS_write": 16,  # PR_Write, PR_Send
    "go_close": 17,  # (*Conn).Close: object in rax
    "ring_candidate": 18,  # rustls with ring: one of these functions is ring_encrypt, another ring_decrypt
    "ring_encrypt": 19,  # Hook.layout says where the plaintext is at entry
    "ring_decrypt": 20,  # the same in the struct that rax points to at return
}
_NO_RETURN = frozenset({"SSL_free", "go_close"})
_AEAD = frozenset({"seal", "open", "seal_scatter", "open_gather"})
_GO = frozenset({"go_write", "go_read", "go_close"})
_RING = frozenset({"ring_candidate", "ring_encrypt", "ring_decrypt"})


def needs_sockets(finding: Finding) -> bool:
    """Whether the socket calls of its users must be watched: nothing else says which connection it is, or when it ends."""
    shapes = {hook.shape for hook in finding.hooks}
    return bool(shapes or finding.candidates) and not shapes & {"SSL_free", "go_close"}


def needs_layout(finding: Finding) -> bool:
    """Whether only a run shows, or has shown, where its plaintext is."""
    return bool(finding.candidates) or any(hook.shape in _RING for hook in finding.hooks)


def sites(hook: Hook, library: int) -> Iterator[Site]:
    """Where bpf/tls.c is to be run for it. `library` is the number of the finding in its records."""
    cookie = library << 8 | SHAPES[hook.shape]
    if hook.shape in _RING:
        cookie |= hook.offset << 24  # bpf/tls_ring.c knows a function by it
        if hook.shape != "ring_decrypt":
            yield Site("on_ring_begins", hook.offset, cookie)
        if hook.shape != "ring_encrypt":
            yield Site("on_ring_ends", hook.offset, cookie, at_return=True)
        return
    kind = "aead" if hook.shape in _AEAD else "go" if hook.shape in _GO else ""
    begins, ends = (f"on_{kind}_begins", f"on_{kind}_ends") if kind else ("on_enter", "on_leave")
    yield Site(begins, hook.offset, cookie)
    if hook.returns:
        yield from (Site(ends, offset, cookie) for offset in hook.returns)
    elif hook.shape not in _NO_RETURN:
        yield Site(ends, hook.offset, cookie, at_return=True)
