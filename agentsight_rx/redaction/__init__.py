"""What a secret is, and how it becomes a label."""
