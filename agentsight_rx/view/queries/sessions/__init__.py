"""What a session was, how it ended, what is missing of it, and how it compares with another one."""
