"""python -m agentsight_rx: the same as the program agentsight-rx."""

from .cli import main

main()
