"""The API of a model server of your own -> its calls, with their words and tokens: a provider is some functions."""

import json
import re

from agentsight_rx import open_recording
from agentsight_rx.events import HttpRequest, HttpResponse, Usage
from agentsight_rx.llm import Provider
from agentsight_rx.llm.canonical import Asked, Message, TextPart
from agentsight_rx.llm.reader import Draft
from agentsight_rx.plugins import register_provider
from agentsight_rx.testing import Scene, recorded


def asks(body: bytes) -> Asked:
    said = json.loads(body)
    return Asked(model=said["model"], messages=(Message("user", (TextPart(said["say"]),)),))


def answers(body: bytes) -> Draft:
    said = json.loads(body)
    draft = Draft(model=said["model"], usage=Usage(said["heard"], said["spoken"]), choices={0: "stop"}, ended=True)
    draft.add("text", said["words"])
    return draft


PATH = re.compile(r"/speak$")
register_provider(Provider("parrot", "parrot", (), PATH, lambda _: False, asks, answers, take=lambda draft, event: None))

# What would be captured of it; `trace` and `replay` know it too, once a package has it as an entry point
scene = Scene()
agent = scene.process("python3", "talk.py")
question, answer = b'{"model": "ara-1", "say": "hello"}', b'{"model": "ara-1", "words": "hello!", "heard": 3, "spoken": 5}'
head = (("host", "127.0.0.1:8080"), ("content-type", "application/json"))
scene.add(HttpRequest(agent.origin(agent.connection), 1, "POST", "/speak", "HTTP/1.1", head, question))
scene.add(HttpResponse(agent.origin(agent.connection), 1, 200, "OK", "HTTP/1.1", head, answer, method="POST", target="/speak"))
with open_recording(recorded(scene.events)) as recording:
    for call in recording.calls():
        print(call.provider, call.model, call.prompt, "->", call.text, call.input_tokens, call.output_tokens)
