"""A recording, or any other graph, as `async for`, beside a server that says how far it is."""

import asyncio
import sys

from agentsight_rx import TraceOptions, replay, sources, stream
from agentsight_rx.view import CallRow


async def main(recorded: str) -> None:
    tokens = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{tokens} tokens so far\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async for row in stream(replay(sources.ReplayOptions((recorded,)), TraceOptions())):
            if isinstance(row, CallRow) and row.status == "complete":
                tokens += row.total_tokens
                reader, writer = await asyncio.open_connection("127.0.0.1", port)  # as another program does
                print((await reader.readline()).decode(), end="")
                writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
