"""The snapshot of a recording: one JSON object with its newest rows of each kind (schema version 1)."""
