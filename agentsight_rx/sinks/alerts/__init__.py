"""Where alerts go: to a person or a program, by a command, a webhook, the journal, the desktop, a file."""
