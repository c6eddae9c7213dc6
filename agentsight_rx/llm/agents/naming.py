"""The head of a request, the arguments of a process -> the name of the program that made it, and its version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .programs import LAUNCHER, base_name, script_of

__all__ = ["Product", "product_of", "program_name"]

_LONGEST = 64  # characters
_KNOWN_MOST = 256  # values of User-Agent: a client sends the same one with each request
_PRODUCT = re.compile(r"[A-Za-z][\w.@+ -]{0,63}")
# Products that are libraries or runtimes, which say nothing of the program: SDKs of providers, clients of HTTP
_LIBRARIES = re.compile(
    r"(?:(?:async|azure|sync)?(?:openai|anthropic)(?:[ -/].*)?|(?:async)?anthropic(?:bedrock|vertex)?|groq|mistral-client.*"
    r"|cohere.*|ollama.*|google-(?:genai|api|cloud|auth).*|gl-.*|genai.*|boto.*|aws-.*|ai|ai-sdk.*|litellm.*|langchain.*"
    r"|lang(?:graph|smith).*|llama.?index.*|runtime|node|nodejs|node-fetch.*|undici|axios.*|got|ky|superagent|bun|deno|python.*|aiohttp|httpx.*|requests"
    r"|urllib.*|reqwest|hyper.*|ureq|go-http-client|go|fasthttp|okhttp.*|java.*|jetty.*|apache.*|curl|wget|libcurl|mozilla|chrome"
    r"|safari|electron|dart|rust|ruby|php|perl|lwp.*|libwww.*|stainless.*|connect-.*|grpc.*|client|test|agent|sdk|js|typescript)\Z",
    re.IGNORECASE,
)
# How SDKs name their language in the place of the version; a bundler may have made another name of the class before it
_SDK = re.compile(r"(?:JS|TypeScript|Python|Go|Java|Kotlin|Ruby|PHP|C#|Rust) v?\d")
_VERSION = re.compile(r"v?(\d[\w.+-]{0,31})(?=[\s/(;,]|\Z)")
_VERSIONS = ("x-client-version", "x-app-version")  # of a program whose User-Agent names a library
_TITLES = ("x-title", "x-openrouter-title")  # of a program, in requests to a gateway
_INTERPRETED = re.compile(r"(?:MainThread|node|nodejs|python[\d.]*|pypy[\d.]*|bun|deno|tsx|ruby|perl|php|java|uv|npx)\Z")
_PACKAGE = re.compile(r".*/(?:node_modules|site-packages|dist-packages)/((?:@[^/]+/)?[^/]+)")
_USUAL = frozenset({"index", "main", "__main__", "cli", "app", "start", "run", "server", "bin", "entry", "bundle"})
_FOLDERS = frozenset({"dist", "src", "bin", "lib", "build", "out", "app", ".", ""})


class Product(NamedTuple):
    """A program as the head of a request names it; "" where it does not."""

    name: str
    version: str = ""


_NONE = Product("")


def product_of(headers: Iterable[tuple[str, str]], /) -> Product:
    """The program that the head of a request names, and its version: of a library there is none."""
    agent = title = version = ""
    for name, value in headers:
        if name == "user-agent":
            agent = agent or value
        elif name in _TITLES:
            title = title or value
        elif name in _VERSIONS:
            version = version or value
    found = _of_agent(agent)
    if found.name or not _PRODUCT.fullmatch(title.strip()):
        return found
    return Product(title.strip()[:_LONGEST], _version(version.strip()))


@lru_cache(_KNOWN_MOST)
def _of_agent(agent: str) -> Product:
    """`my-bot`, `1.2` of `my-bot/1.2 (linux; x64)` (RFC 9110, 10.1.5)."""
    product, slash, rest = agent.partition("/")
    name = product.strip()
    if not slash or not _PRODUCT.fullmatch(name) or _LIBRARIES.match(name) or _SDK.match(rest):
        return _NONE
    return Product(name[:_LONGEST], _version(rest))


def _version(text: str) -> str:
    found = _VERSION.match(text)
    return found[1] if found else ""


def program_name(comm: str | None, argv: Sequence[str], /) -> str:
    """The package, the module or the script that an interpreter runs; "" where the name of the process says what it is."""
    program = base_name(argv[0]) if argv else ""
    if not (_INTERPRETED.match(program or comm or "") or LAUNCHER.match(program)):
        return ""
    script = script_of(argv)
    if not script:
        return ""
    if (package := _PACKAGE.match(script)) is not None and package[1] != ".bin":
        return package[1][:_LONGEST]
    *folders, name = script.split("/")
    if name.rpartition(".")[0] in _USUAL or name in _USUAL:
        name = next((folder for folder in reversed(folders) if folder not in _FOLDERS), name)
    return name[:_LONGEST]
