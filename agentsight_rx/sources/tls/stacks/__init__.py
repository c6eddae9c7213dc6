"""TLS implementations in ELF files, one file each: where their functions are that take and give plaintext."""
