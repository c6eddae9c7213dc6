"""
A command recorded by the user who starts it, without any right on the kernel: breakpoints set by ptrace(2).

`source` is the Observable. `tracer` is a process of its own that follows the command and all that it starts; it sets
breakpoints in `space`s, at the places that `code` finds in files: functions of TLS (`plaintext`) and system calls (`calls`).
`searches` is a process of its own that finds them.

`code` has the machine code of our page in a traced process too, and `effects` makes events of its system calls.
"""
