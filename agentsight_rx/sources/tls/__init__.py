"""Plaintext of TLS: which files have its functions, and what processes read and wrote through them."""
