"""
Plaintext of TLS: the files with its functions, and what processes read and wrote through them.

A file answers one question. `stacks` finds the functions of a TLS implementation in a file.
"""
