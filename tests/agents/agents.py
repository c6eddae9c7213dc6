"""The agents and clients of the tier: one entry each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from zipfile import ZipFile

from tests.live.peers import find_node

from .agent import Agent, Place
from .install import GO_BUILDS, INSTALLED, PROGRAMS, PYTHON

__all__ = ["AGENTS", "agent_named"]

PROMPT = "Run one shell command"
LANES, CALLS, SIZE = 12, 3, 20_011  # connections at once, calls on each, bytes of the longer bodies
FEW_LARGE = (2, 3, 3_000_017)  # the same: bodies for many calls of a TLS function
_NPM = INSTALLED / "npm" / "node_modules"
_CODEX = str(_NPM / "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
_CODEX_OLD = str(_NPM / "codex-0.120.0/vendor/x86_64-unknown-linux-musl/codex/codex")
_CLAUDE = str(_NPM / "@anthropic-ai/claude-code-linux-x64/claude")
_CLAUDE_OLD = str(_NPM / "claude-code-2.1.197/claude")
_OPENCODE = str(_NPM / "opencode-linux-x64/bin/opencode")
_GEMINI = str(_NPM / ".bin/gemini")
_BUN = str(_NPM / "@oven/bun-linux-x64/bin/bun")
_DENO = str(_NPM / "@deno/linux-x64-glibc/deno")
_IMPIT = _NPM / "impit-linux-x64-gnu" / "impit-node.linux-x64-gnu.node"
_CODES = ("--coding", "br")  # of answers, where the client takes it and asks for no other


def _version(program: str) -> Callable[[], Sequence[str]]:
    return lambda: (program, "--version")


def _python_version(package: str) -> Callable[[], Sequence[str]]:
    return lambda: (PYTHON, "-c", f"import importlib.metadata as packages; print(packages.version({package!r}))")


def _debian_version(package: str) -> Callable[[], Sequence[str]]:
    return lambda: ("dpkg-query", "--show", "--showformat", "${Version}", package)


# -- agents: a tool call and its answer --------------------------------------------------------------------------------


def _claude(program: str) -> Callable[[Place], list[str]]:
    said = ("-p", PROMPT, "--tools", "Bash", "--output-format", "stream-json", "--verbose", "--allowedTools", "Bash")
    return lambda _: [program, *said]


def _claude_env(place: Place) -> dict[str, str]:
    off = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    return {"ANTHROPIC_BASE_URL": place.url, "ANTHROPIC_API_KEY": "dummy"} | off


def _codex(*settings: str, program: str = _CODEX) -> list[str]:
    flags = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    off = ("analytics.enabled=false", "check_for_update_on_startup=false", "model=gpt-5.5")
    said = [word for setting in (*off, *settings) for word in ("-c", setting)]
    return [program, "exec", *flags, "--disable", "plugins", "--disable", "apps", *said, PROMPT]


def _codex_websocket(place: Place) -> list[str]:
    return _codex(f'openai_base_url="{place.url}/v1"')


def _codex_sse(place: Place, program: str = _CODEX) -> list[str]:
    fake = f'{{name="fake",base_url="{place.url}/v1",env_key="FAKE_API_KEY",wire_api="responses"}}'
    return _codex("model_provider=fake", f"model_providers.fake={fake}", program=program)


def _codex_env(place: Place) -> dict[str, str]:
    return {"CODEX_API_KEY": "dummy", "FAKE_API_KEY": "dummy", "CODEX_CA_CERTIFICATE": str(place.peer.ca_file)}


def _gemini(_: Place) -> list[str]:
    return [find_node(), _GEMINI, "-m", "gemini-2.5-flash", "--yolo", "-o", "stream-json", "-p", PROMPT]


def _gemini_env(place: Place) -> dict[str, str]:
    return {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}


def _gemini_settings(place: Place) -> None:
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
    _write(place.home / ".gemini" / "settings.json", settings)


def _opencode(_: Place) -> list[str]:
    return [_OPENCODE, "run", "--format", "json", PROMPT]


def _opencode_env(_: Place) -> dict[str, str]:
    off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    return {f"OPENCODE_DISABLE_{name}": "1" for name in off}


def _opencode_settings(place: Place) -> None:
    options = {"baseURL": f"{place.url}/v1", "apiKey": "dummy"}
    models = {"demo": {"name": "demo", "tool_call": True}}
    fake = {"npm": "@ai-sdk/openai-compatible", "name": "Fake", "options": options, "models": models}
    chosen = {"model": "fake/demo", "small_model": "fake/demo", "permission": "allow", "provider": {"fake": fake}}
    _write(place.home / ".config" / "opencode" / "opencode.json", chosen | {"autoupdate": False, "share": "disabled"})


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value))


_TOOL_CALLERS = (
    Agent(
        "claude-2.1.197",
        "BoringSSL in bun",
        _claude(_CLAUDE_OLD),
        _version(_CLAUDE_OLD),
        2,
        _claude_env,
        needs=("npm",),
        server=("--coding", "zstd"),
    ),
    Agent(
        "codex-0.120",
        "OpenSSL in a program",
        partial(_codex_sse, program=_CODEX_OLD),
        _version(_CODEX_OLD),
        2,
        _codex_env,
        needs=("npm",),
    ),
    Agent("claude", "BoringSSL in bun", _claude(_CLAUDE), _version(_CLAUDE), 2, _claude_env, needs=("npm",), server=_CODES),
    Agent(
        "codex-websocket",
        "rustls, aws-lc",
        _codex_websocket,
        _version(_CODEX),
        3,
        _codex_env,
        needs=("npm",),
    ),
    Agent("codex-h2", "rustls, aws-lc", _codex_sse, _version(_CODEX), 2, _codex_env, needs=("npm",)),
    Agent(
        "gemini",
        "OpenSSL in node",
        _gemini,
        lambda: (find_node(), _GEMINI, "--version"),
        2,
        _gemini_env,
        _gemini_settings,
        needs=("npm",),
        server=_CODES,
    ),
    Agent(
        "opencode",
        "BoringSSL in bun",
        _opencode,
        _version(_OPENCODE),
        2,
        _opencode_env,
        _opencode_settings,
        needs=("npm",),
        server=("--coding", "zstd"),
    ),
)


# -- clients: connections at once, in every coding ----------------------------------------------------------------------


def _calls(
    runner: Callable[[], list[str]], program: str, *more: str, sizes: tuple[int, int, int] = (LANES, CALLS, SIZE)
) -> Callable[[Place], list[str]]:
    """A program that takes BASE_URL, LANES, CALLS and SIZE."""
    return lambda place: [*runner(), program, place.url, *map(str, sizes), *more]


def _node() -> list[str]:
    return [find_node()]


_FETCH = str(PROGRAMS / "calls.mjs")
_FROM_PYTHON = str(PROGRAMS / "calls.py")
_ALL = LANES * CALLS
_FEW = FEW_LARGE[0] * FEW_LARGE[1]


def _deno_env(place: Place) -> dict[str, str]:
    return {"DENO_CERT": str(place.peer.ca_file), "DENO_NO_UPDATE_CHECK": "1"}


def _python(library: str, stack: str, *, package: str | None = None, server: tuple[str, ...] = (), path: str = "") -> Agent:
    name = f"python-{library}{'-plain' if server else ''}"
    env = {"PYTHONPATH": str(INSTALLED / "python")} | ({"REQUEST_PATH": path} if path else {})
    return Agent(
        name,
        stack,
        _calls(lambda: [PYTHON, "-B"], _FROM_PYTHON, library),
        _version(PYTHON) if package is None else _python_version(package),
        _ALL,
        lambda _: env,
        needs=("python",),
        server=server,
    )


def _go(build: str, http: str, tls: str) -> Agent:
    program = INSTALLED / "go" / build
    command = _calls(list, str(program), http, tls)
    return Agent(
        f"{build}-{http}-tls{tls}",
        "Go crypto/tls",
        command,
        lambda: ("go", "version"),
        _ALL,
        needs=("go",),
        packages=("golang-go",),
    )


_FETCHERS = (
    Agent(
        "node",
        "OpenSSL in node",
        _calls(_node, _FETCH),
        lambda: (find_node(), "--version"),
        _ALL,
        lambda _: {"ACCEPT": "gzip, deflate, br"},
    ),
    Agent("bun", "BoringSSL in bun", _calls(lambda: [_BUN], _FETCH), _version(_BUN), _ALL, needs=("npm",)),
    Agent(
        "deno",
        "rustls, aws-lc",
        _calls(lambda: [_DENO, "run", "--allow-all", "--no-remote"], _FETCH),
        _version(_DENO),
        _ALL,
        _deno_env,
        needs=("npm",),
    ),
    Agent(
        "node-impit",
        "rustls in an add-on",
        _calls(_node, _FETCH),
        lambda: (find_node(), "-p", f"require({str(_IMPIT.parent / 'package.json')!r}).version"),
        _ALL,
        lambda _: {"IMPIT": str(_IMPIT)},
        needs=("npm",),
    ),
    _python("http.client", "libssl"),
    _python("pycurl", "libssl in a wheel", package="pycurl"),
    _python("curl_cffi", "BoringSSL in a wheel", package="curl_cffi"),
    _python("primp", "rustls in a wheel", package="primp"),
    _python("grpc", "BoringSSL in a wheel", package="grpcio"),
    *(_go(build, "h1", "1.3") for build in GO_BUILDS),
    *(_go("go", http, tls) for http, tls in (("h2", "1.3"), ("h1", "1.2"), ("h2", "1.2"))),
    _go("go-pie-stripped", "h2", "1.3"),
)


_LARGE = (
    Agent(
        "bun-large", "BoringSSL in bun", _calls(lambda: [_BUN], _FETCH, sizes=FEW_LARGE), _version(_BUN), _FEW, needs=("npm",)
    ),
    Agent(
        "deno-large",
        "rustls, aws-lc",
        _calls(lambda: [_DENO, "run", "--allow-all", "--no-remote"], _FETCH, sizes=FEW_LARGE),
        _version(_DENO),
        _FEW,
        _deno_env,
        needs=("npm",),
    ),
    Agent(
        "go-large",
        "Go crypto/tls",
        _calls(list, str(INSTALLED / "go" / "go"), "h2", "1.3", sizes=FEW_LARGE),
        lambda: ("go", "version"),
        _FEW,
        needs=("go",),
        packages=("golang-go",),
    ),
    Agent(  # node passes a body to SSL_write whole
        "node-large",
        "OpenSSL in node",
        _calls(_node, _FETCH, sizes=FEW_LARGE),
        lambda: (find_node(), "--version"),
        _FEW,
        lambda _: {"ACCEPT": "gzip, deflate, br"},
    ),
)


# -- programs of Debian -------------------------------------------------------------------------------------------------


def _requests(program: str, stack: str, package: str, name: str, *options: str, server: tuple[str, ...] = ()) -> Agent:
    def command(place: Place) -> list[str]:
        return ["/bin/sh", str(PROGRAMS / "requests.sh"), place.url, "10", str(SIZE), program, *options]

    env = {"REQUEST_PATH": "/api/chat"} if server else {}
    return Agent(name, stack, command, _debian_version(package), 10, lambda _: env, packages=(package,), server=server)


def _curl(name: str, *options: str, server: tuple[str, ...] = ()) -> Agent:
    def command(place: Place) -> list[str]:
        trusted = f'cacert = "{place.peer.ca_file}"'
        return ["/bin/sh", str(PROGRAMS / "requests.sh"), place.url, "12", str(SIZE), "curl", trusted, *options]

    env = {"REQUEST_PATH": "/api/chat"} if server else {}
    stack = "none" if server else "libssl"
    return Agent(name, stack, command, _debian_version("curl"), 12, lambda _: env, packages=("curl",), server=server)


def _git(place: Place) -> list[str]:
    return ["/usr/bin/git", "-c", f"http.sslCAInfo={place.peer.ca_file}", "ls-remote", f"{place.url}/demo.git"]


def _uv(part: str) -> Agent:
    program = str(INSTALLED / part / "bin" / "uv")

    def command(place: Place) -> list[str]:
        words = [
            "pip",
            "install",
            "--dry-run",
            "--no-cache",
            "--no-config",
            "--python",
            PYTHON,
            "--target",
            str(place.home / "x"),
        ]
        return [program, *words, "--index-url", f"{place.url}/simple", "demo-package"]

    stack = {"python": "rustls, aws-lc", "ring": "rustls, ring"}[part]
    return Agent(f"uv-{part}" if part == "ring" else "uv", stack, command, _version(program), 2, needs=(part,))


def _wheel(place: Place) -> None:
    """A package to upload, with a file that does not get smaller."""
    with ZipFile(place.home / _WHEEL, "w") as wheel:
        wheel.writestr("demo/blob", Random(7).randbytes(300_007))
        wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("demo-1.0.dist-info/RECORD", "")


def _upload(place: Place) -> list[str]:
    whose = ["--username", "demo", "--password", "demo"]
    program = str(INSTALLED / "ring" / "bin" / "uv")
    return [program, "publish", "--publish-url", f"{place.url}/legacy/", *whose, str(place.home / _WHEEL)]


_WHEEL = "demo-1.0-py3-none-any.whl"
_PROGRAMS = (
    _curl("curl-h1-tls1.3", "http1.1"),
    _curl("curl-h2-tls1.3", "http2"),
    _curl("curl-h1-tls1.2", "http1.1", 'tls-max = "1.2"'),
    _curl("curl-h2-tls1.2", "http2", 'tls-max = "1.2"'),
    _requests("wget", "GnuTLS", "wget", "wget"),
    Agent("git", "GnuTLS", _git, _version("/usr/bin/git"), 2, packages=("git",), server=("--coding", "gzip")),
    _requests("tstclnt", "NSS", "libnss3-tools", "tstclnt"),
    _uv("python"),
    _uv("ring"),
    Agent(  # its TLS records are in several pieces
        "uv-ring-upload",
        "rustls, ring",
        _upload,
        _version(str(INSTALLED / "ring" / "bin" / "uv")),
        1,
        prepare=_wheel,
        needs=("ring",),
    ),
)

_PLAIN = (
    _curl("curl-plain", "http1.1", server=("--plain",)),
    _curl("curl-h2c", "http2-prior-knowledge", server=("--plain",)),
    _python("http.client", "none", server=("--plain",), path="/api/chat"),
)

AGENTS = (*_TOOL_CALLERS, *_FETCHERS, *_LARGE, *_PROGRAMS, *_PLAIN)


def agent_named(name: str) -> Agent:
    return next(agent for agent in AGENTS if agent.name == name)
