"""A recording -> tokens a minute by model."""

import sys
from collections import Counter
from datetime import UTC, datetime

from agentsight_rx import open_recording


def main() -> None:
    tokens: Counter[tuple[str, str]] = Counter()
    with open_recording(sys.argv[1]) as recording:
        for call in recording.calls():
            began = datetime.fromtimestamp(call.start_timestamp_ms / 1000, UTC)
            tokens[f"{began:%H:%M}", call.model or "unknown"] += call.total_tokens
    for (minute, model), count in sorted(tokens.items()):
        print(f"{minute}  {model:<18} {count:>7,}")


if __name__ == "__main__":
    main()
