"""Plaintext of TLS: the files with its functions, and what processes read and wrote through them."""
