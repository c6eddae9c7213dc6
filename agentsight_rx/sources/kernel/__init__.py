"""How a BPF program gets into the kernel, and its records out."""
