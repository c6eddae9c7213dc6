"""What all commands share: help, errors, the version, and how a command is imported when it is used."""
