"""
BASE_URL, API and PROMPT -> one turn of an agent through the SDK of the API: the model asks for a command, it runs, and the end.

API is anthropic, openai, responses, gemini, converse, invoke (both of Bedrock) or ollama. Answers are streamed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

_SCHEMA: dict[str, object] = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
_ABOUT = "Run a command."
_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"  # as Bedrock names it


def main(base_url: str, api: str, prompt: str) -> None:
    print(_APIS[api](base_url, prompt))


def _run(command: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return f"{done.stdout}exit code {done.returncode}"


def _anthropic(base_url: str, prompt: str) -> str:
    client = import_module("anthropic").Anthropic(base_url=base_url, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": prompt}]

    def ask() -> Any:
        tools = [{"name": "bash", "description": _ABOUT, "input_schema": _SCHEMA}]
        with client.messages.stream(model="demo", max_tokens=4096, tools=tools, messages=messages) as stream:
            return stream.get_final_message()

    said = ask()
    call = said.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": _run(call.input["command"])}
    messages += [{"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
    return str(ask().content[0].text)


def _openai(base_url: str, prompt: str) -> str:
    client = import_module("openai").OpenAI(base_url=f"{base_url}/v1", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": prompt}]
    tools = [{"type": "function", "function": {"name": "bash", "description": _ABOUT, "parameters": _SCHEMA}}]

    def ask() -> Any:
        options = {"include_usage": True}
        with client.chat.completions.stream(model="demo", messages=messages, tools=tools, stream_options=options) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion().choices[0].message

    said = ask()
    call = said.tool_calls[0]
    asked = {"role": "assistant", "content": said.content, "tool_calls": [call.to_dict()]}
    output = _run(json.loads(call.function.arguments)["command"])
    messages += [asked, {"role": "tool", "tool_call_id": call.id, "content": output}]
    return str(ask().content)


def _responses(base_url: str, prompt: str) -> str:
    client = import_module("openai").OpenAI(base_url=f"{base_url}/v1", max_retries=0)
    tools = [{"type": "function", "name": "bash", "description": _ABOUT, "parameters": _SCHEMA, "strict": False}]

    def ask(**more: Any) -> Any:
        with client.responses.stream(model="demo", tools=tools, **more) as stream:
            return stream.get_final_response()

    first = ask(input=prompt)
    call = first.output[-1]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": _run(json.loads(call.arguments)["command"])}
    return str(ask(input=[output], previous_response_id=first.id).output_text)


def _gemini(base_url: str, prompt: str) -> str:
    genai, types = import_module("google.genai"), import_module("google.genai.types")
    client = genai.Client(http_options={"base_url": base_url})
    declared = {"name": "bash", "description": _ABOUT, "parameters_json_schema": _SCHEMA}
    config = {"tools": [{"function_declarations": [declared]}], "automatic_function_calling": {"disable": True}}
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=prompt)])]

    def ask() -> list[Any]:
        chunks = client.models.generate_content_stream(model="demo", contents=contents, config=config)
        return [part for chunk in chunks for part in chunk.candidates[0].content.parts]

    parts = ask()
    call = parts[-1].function_call
    answer = types.Part.from_function_response(name="bash", response={"output": _run(call.args["command"])})
    contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=[answer])]
    return "".join(part.text for part in ask())


def _bedrock(base_url: str) -> Any:
    return import_module("boto3").client(
        "bedrock-runtime",
        endpoint_url=base_url,
        region_name="us-east-1",
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",
    )


def _converse(base_url: str, prompt: str) -> str:
    client = _bedrock(base_url)
    spec = {"name": "bash", "description": _ABOUT, "inputSchema": {"json": _SCHEMA}}
    messages: list[Any] = [{"role": "user", "content": [{"text": prompt}]}]

    def ask() -> tuple[str, Any, str]:
        """The text, the tool, the JSON of its input."""
        text, tool, given = "", None, ""
        answer = client.converse_stream(modelId=_MODEL, messages=messages, toolConfig={"tools": [{"toolSpec": spec}]})
        for event in answer["stream"]:
            start: Any = event.get("contentBlockStart", {}).get("start", {})
            delta: Any = event.get("contentBlockDelta", {}).get("delta", {})
            tool = start.get("toolUse", tool)
            text += delta.get("text", "")
            given += delta.get("toolUse", {}).get("input", "")
        return text, tool, given

    text, tool, given = ask()
    use = {"toolUseId": tool["toolUseId"], "name": tool["name"], "input": json.loads(given)}
    result = {"toolUseId": tool["toolUseId"], "content": [{"text": _run(use["input"]["command"])}]}
    messages.append({"role": "assistant", "content": [{"text": text}, {"toolUse": use}]})
    messages.append({"role": "user", "content": [{"toolResult": result}]})
    return ask()[0]


def _invoke(base_url: str, prompt: str) -> str:
    client = _bedrock(base_url)
    messages: list[Any] = [{"role": "user", "content": prompt}]
    tools = [{"name": "bash", "description": _ABOUT, "input_schema": _SCHEMA}]

    def ask() -> tuple[str, Any, str]:
        text, tool, given = "", None, ""
        body: dict[str, Any] = {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 99,
            "messages": messages,
            "tools": tools,
        }
        answer = client.invoke_model_with_response_stream(modelId=_MODEL, body=json.dumps(body))
        for event in answer["body"]:
            said: Any = json.loads(event["chunk"]["bytes"])
            block: Any = said.get("content_block", {})
            tool = block if block.get("type") == "tool_use" else tool
            text += said.get("delta", {}).get("text", "")
            given += said.get("delta", {}).get("partial_json", "")
        return text, tool, given

    text, tool, given = ask()
    use = tool | {"input": json.loads(given)}
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": _run(use["input"]["command"])}
    messages.append({"role": "assistant", "content": [{"type": "text", "text": text}, use]})
    messages.append({"role": "user", "content": [result]})
    return ask()[0]


def _ollama(base_url: str, prompt: str) -> str:
    client = import_module("ollama").Client(host=base_url)
    messages: list[Any] = [{"role": "user", "content": prompt}]
    tools = [{"type": "function", "function": {"name": "bash", "description": _ABOUT, "parameters": _SCHEMA}}]

    def ask() -> tuple[str, list[Any]]:
        chunks = list(client.chat(model="demo", messages=messages, tools=tools, stream=True))
        calls = [call for chunk in chunks for call in chunk.message.tool_calls or ()]
        return "".join(chunk.message.content or "" for chunk in chunks), calls

    text, calls = ask()
    messages.append({"role": "assistant", "content": text, "tool_calls": calls})
    output = _run(calls[0].function.arguments["command"])
    messages.append({"role": "tool", "tool_name": "bash", "content": output})
    return ask()[0]


_APIS: dict[str, Callable[[str, str], str]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "responses": _responses,
    "gemini": _gemini,
    "converse": _converse,
    "invoke": _invoke,
    "ollama": _ollama,
}


if __name__ == "__main__":
    main(*sys.argv[1:])
