"""The guard: what agents do, as the rows of a capture know it -> alerts."""
