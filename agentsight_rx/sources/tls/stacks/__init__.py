"""
TLS implementations in ELF files: where their functions are that take and give plaintext.

`exported` finds them by their names, and where a probe of them costs least; `search` by texts that the code refers to, `bounds`
by where functions begin, and `go` by tables of its own.
"""
