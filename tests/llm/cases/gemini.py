from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.google.gemini import GEMINI
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    GEMINI,
    host="generativelanguage.googleapis.com",
    path="/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
    request=b"""{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"list"}]},
        {"role":"model","parts":[{"functionCall":{"name":"ls","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"ls","response":{"output":"a"}}}]}],
        "tools":[{"functionDeclarations":[{"name":"ls"}]}],
        "generationConfig":{"maxOutputTokens":5,"temperature":1,"topP":0.5}}""",
    prompt=Prompt(
        model="gemini-x",  # the path names it
        stream=True,  # the path says so
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na",
        tools=("ls",),
        tool_results=(ToolResult("ls-0", "a"),),
        max_tokens=5,
        temperature=1.0,
        top_p=0.5,
    ),
    response=b"""{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Hi there"},
        {"functionCall":{"name":"ls","args":{"a":1}}}],"role":"model"},"index":0,"finishReason":"STOP"}],
        "modelVersion":"gemini-x-1","responseId":"r","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,
        "thoughtsTokenCount":1,"cachedContentTokenCount":8}}""",
    stream=b"""data: {"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}],"role":"model"},"index":0}],
data: "modelVersion":"gemini-x-1","responseId":"r","usageMetadata":{"promptTokenCount":9}}

data: {"candidates":[{"content":{"parts":[{"text":"Hi "}],"role":"model"},"index":0}],
data: "modelVersion":"gemini-x-1","responseId":"r","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}

data: {"candidates":[{"content":{"parts":[{"text":"there"},{"functionCall":{"name":"ls","args":{"a":1}}}]},"index":0}],
data: "modelVersion":"gemini-x-1","responseId":"r"}

data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0,"finishReason":"STOP"}],
data: "modelVersion":"gemini-x-1","responseId":"r","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,
data: "thoughtsTokenCount":1,"cachedContentTokenCount":8}}

""",
    reply=Reply(
        id="r",
        model="gemini-x-1",
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("ls-0", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=3, cache_read=8, reasoning=1),
        finish_reason="STOP",
    ),
    failed=b'{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}',
    failed_stream=b"""data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"responseId":"r"}

data: {"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}

""",
    error="RESOURCE_EXHAUSTED: Slow down",
    requests=(
        b"""{"contents":[{"role":"user","parts":[{"text":"Hi"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},
            {"fileData":{"mimeType":"application/pdf","fileUri":"gs://a/b.pdf"}}]},
            {"role":"model","parts":[{"functionCall":{"id":"a","name":"ls","args":{}}},
            {"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}]},
            {"role":"user","parts":[{"functionResponse":{"id":"a","name":"ls","response":{"error":"no"}}}]}],
            "system_instruction":{"parts":[{"text":"Be brief."}]},"tools":[{"function_declarations":[{"name":"ls"}]}],
            "generation_config":{"max_output_tokens":5,"thinking_config":{"thinking_budget":7}}}""",
    ),
    responses=(
        b"""{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}},{"codeExecutionResult":{"outcome":2,"output":"no"}},
            {"inlineData":{"mimeType":"image/png","data":"aGk="}}]},"finishReason":1}],"modelVersion":"g",
            "usageMetadata":{"promptTokenCount":"9","candidatesTokenCount":2}}""",
        b"""{"candidates":[{"content":{"parts":[{"function_call":{"name":"ls","args":{"a":1}}}]},"finish_reason":"STOP"}],
            "model_version":"g","response_id":"r","usage_metadata":{"prompt_token_count":9,"candidates_token_count":2}}""",
        b"""{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"No."},"usageMetadata":{"promptTokenCount":9}}""",
    ),
    streams=(
        b"""data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}],"responseId":"r"}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"x"},
data: {"jsonPath":"$.b[0]","numberValue":1}],"willContinue":true}}]}}]}

data: {"candidates":[{"content":{"parts":[{"functionCall":{}}]},"finishReason":"STOP"}]}

""",
    ),
)
