"""python -m agentsight_rx: the program agentsight-rx."""

from .cli import main

main()
