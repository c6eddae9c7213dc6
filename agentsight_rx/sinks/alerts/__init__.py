"""
Where alerts go: to a person or a program, by a command, a webhook, the journal, the desktop, a file.

`sink` has a function for each way, behind a bounded queue for each delivery.
"""
