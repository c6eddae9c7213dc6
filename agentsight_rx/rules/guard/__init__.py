"""The rules of a guard: their file, the fields of the filter language that they use, and what they judge."""
