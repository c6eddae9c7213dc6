"""PORT CA -> one question to the fake model that listens there, over TLS."""

from __future__ import annotations

import json
import ssl
import sys
from http.client import HTTPSConnection

if __name__ == "__main__":
    connection = HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=ssl.create_default_context(cafile=sys.argv[2]))
    body = {"model": "claude-fake", "max_tokens": 64, "messages": [{"role": "user", "content": "How are you?"}]}
    connection.request("POST", "/v1/messages", json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    print(f"the model answered {answer.status}, {len(answer.read())} bytes")
