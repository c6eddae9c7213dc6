"""python -m agentsight_rx: the program agentsight-rx."""

from .cli import main

if __name__ == "__main__":  # workers of `cluster run` import this file again
    main()
