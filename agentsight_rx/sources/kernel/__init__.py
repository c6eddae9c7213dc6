"""
Loading BPF programs into the kernel, and reading their records.

A program: `cache` has it, or has it compiled by `compiler`, and `loaded` loads it.
Where it runs: the `tracker` of a target follows its processes, and says which program runs behind which.
Its records: `ring` decodes them, and `reader` is the common part of all readers.
The machine: `features` says what this kernel can do, and `rights` why it refused a call.
"""
