"""
BASE_URL, LANES, CALLS, SIZE and a library -> that many threads, in each that many calls, one after the other.

The library is http.client, pycurl, curl_cffi, primp or grpc: TLS by OpenSSL, its copy in a wheel, BoringSSL, rustls, BoringSSL.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

CODINGS = ("gzip", "br", "zstd", "deflate", "none")
CA_FILE = os.environ.get("SSL_CERT_FILE", "")
PATH = os.environ.get("REQUEST_PATH", "/v1/chat/completions")
FAILED: list[BaseException] = []
Ask = Callable[[str, bytes, dict[str, str]], int]  # path, body, headers -> status


def with_http_client(base_url: str) -> Ask:
    url = urlsplit(base_url)
    if url.scheme == "http":
        connection = http.client.HTTPConnection(url.hostname or "", url.port)
    else:
        connection = http.client.HTTPSConnection(
            url.hostname or "", url.port, context=ssl.create_default_context(cafile=CA_FILE)
        )

    def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
        chunked = len(body) % 2 == 1
        connection.request("POST", path, iter([body]) if chunked else body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        response.read()
        return response.status

    return ask


def with_pycurl(base_url: str) -> Ask:
    pycurl: Any = importlib.import_module("pycurl")

    curl = pycurl.Curl()
    curl.setopt(pycurl.CAINFO, CA_FILE)
    curl.setopt(pycurl.WRITEFUNCTION, len)

    def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
        curl.setopt(pycurl.URL, base_url + path)
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.perform()
        return int(curl.getinfo(pycurl.RESPONSE_CODE))

    return ask


def with_curl_cffi(base_url: str) -> Ask:
    requests: Any = importlib.import_module("curl_cffi.requests")

    session = requests.Session(verify=CA_FILE, impersonate="chrome")

    def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
        return int(session.post(base_url + path, data=body, headers=headers).status_code)

    return ask


def with_primp(base_url: str) -> Ask:
    primp: Any = importlib.import_module("primp")

    client = primp.Client(ca_cert_file=CA_FILE)

    def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
        response = client.post(base_url + path, content=body, headers=headers)
        return int(response.status_code) if response.content else 0

    return ask


def with_grpc(base_url: str) -> Ask:
    grpc: Any = importlib.import_module("grpc")

    with open(CA_FILE, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    say = grpc.secure_channel(urlsplit(base_url).netloc, credentials, own_connection).unary_unary("/demo.Echo/Say")

    def ask(path: str, body: bytes, headers: dict[str, str]) -> int:
        return 200 if say(body) == body else 0

    return ask


LIBRARIES: dict[str, Callable[[str], Ask]] = {
    "http.client": with_http_client,
    "pycurl": with_pycurl,
    "curl_cffi": with_curl_cffi,
    "primp": with_primp,
    "grpc": with_grpc,
}


def lane(base_url: str, number: int, calls: int, size: int, library: str) -> None:
    try:
        ask = LIBRARIES[library](base_url)
        for call in range(calls):
            n = number * calls + call
            content = f"lane {number} call {call} é 模 🙂 {('', 'x' * size, f'size={size}')[n % 3]}"
            body: dict[str, Any] = {"model": "demo", "stream": n % 2 == 1, "messages": [{"role": "user", "content": content}]}
            headers = {"content-type": "application/json", "authorization": "Bearer dummy", "x-want-coding": CODINGS[n % 5]}
            headers["accept-encoding"] = "gzip, deflate, br, zstd"
            status = ask(PATH, json.dumps(body, ensure_ascii=False).encode(), headers)
            if status != 200:
                raise RuntimeError(f"status {status}")
    except BaseException as error:
        FAILED.append(error)
        raise


def main(base_url: str, lanes: int, calls: int, size: int, library: str) -> int:
    threads = [threading.Thread(target=lane, args=(base_url, number, calls, size, library)) for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
