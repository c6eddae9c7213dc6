"""Events -> a local model is asked about each session that has ended, by the API of OpenAI, which Ollama and vLLM have too."""

import json
import os
import sys
from urllib.request import Request, urlopen

from reactivex import operators as rx

from agentsight_rx import TraceOptions, op, replay, run, sources
from agentsight_rx.view import SessionRow

MODEL_URL = os.environ.get("MODEL_URL", "http://127.0.0.1:11434") + "/v1/chat/completions"


def ended(row: SessionRow) -> bool:
    return row.status == "ended"


def asked(session: SessionRow) -> str:
    """Blocks until the model has answered, in a thread of its own. An `async def` would do, too."""
    question = f"Say in a few words what this was about: {session.title!r}, {session.tools} tools."
    body = {"model": "small", "messages": [{"role": "user", "content": question}]}
    with urlopen(Request(MODEL_URL, json.dumps(body).encode(), {"content-type": "application/json"})) as answer:
        said: str = json.load(answer)["choices"][0]["message"]["content"]
    return f"{session.who}: {said}"


if __name__ == "__main__":
    rows = replay(sources.ReplayOptions((sys.argv[1],)), TraceOptions())
    sessions = rows.pipe(op.only(SessionRow), op.keep(ended))
    summary = run(sessions.pipe(op.map_async(asked, limit=4, timeout=60.0), rx.do_action(print)))
    print("complete" if summary.complete else summary.ledger.unintended())
