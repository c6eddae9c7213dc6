"""The shapes of functions that take or give plaintext: where bpf/tls.c finds object, bytes, length and result."""

from __future__ import annotations

__all__ = ["NO_RETURN", "SHAPES"]

# The numbers are those of bpf/tls.c. C functions follow the System V ABI for x86-64: arguments in rdi, rsi, rdx, rcx, r8, r9 and
# on the stack, the result in rax.
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
}
NO_RETURN = frozenset({"SSL_free", "go_close"})
