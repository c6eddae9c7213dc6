"""Loading BPF programs into the kernel, and reading their records."""
