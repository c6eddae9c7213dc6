"""
TLS implementations in ELF files, one file each: where their functions are that take and give plaintext.

`placement` finds where a probe of them costs least.
"""
