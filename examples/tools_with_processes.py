"""A recording -> each tool that the model asked for, with the programs that ran for it, and the files that they touched."""

import sys

from agentsight_rx import open_recording


def main() -> None:
    with open_recording(sys.argv[1]) as recording:
        for call in recording.calls():
            if not call.tools:
                continue
            for work in recording.call(call.id).tools:
                print(f"turn {call.turn}: {work.tool.tool_name} {work.tool.status}, matched by {work.tool.link or 'nothing'}")
                for process in work.processes:
                    print(f"  {process.pid} {' '.join(process.argv)} -> exit {process.exit_code}")
                for path, kind in work.fates.items():
                    print(f"  {kind} {path}")


if __name__ == "__main__":
    main()
