"""Events of a capture -> rows: what is kept of each kind, and how a late event changes rows that are out already."""
