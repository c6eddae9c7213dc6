"""The flags that commands share: a file for each group, which makes the options of its own sources and sinks."""
