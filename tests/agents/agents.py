"""The clients of the tier, one entry each, and behind the agents all of them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from zipfile import ZipFile

from tests.agents.agent import Agent, Place
from tests.agents.install import GO_BUILDS, INSTALLED, NPM, PROGRAMS, PYTHON
from tests.agents.tool_callers import TOOL_CALLERS
from tests.agents.versions import debian_version, python_version, version
from tests.live.peers import find_node

__all__ = ["AGENTS", "agent_named"]

LANES, CALLS, SIZE = 12, 3, 20_011  # connections at once, calls on each, bytes of the longer bodies
FEW_LARGE = (2, 3, 3_000_017)  # the same: bodies for many calls of a TLS function
_BUN = str(NPM / "@oven/bun-linux-x64/bin/bun")
_DENO = str(NPM / "@deno/linux-x64-glibc/deno")
_IMPIT = NPM / "impit-linux-x64-gnu" / "impit-node.linux-x64-gnu.node"


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
        version(PYTHON) if package is None else python_version(package),
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
    Agent("bun", "BoringSSL in bun", _calls(lambda: [_BUN], _FETCH), version(_BUN), _ALL, needs=("npm",)),
    Agent(
        "deno",
        "rustls, aws-lc",
        _calls(lambda: [_DENO, "run", "--allow-all", "--no-remote"], _FETCH),
        version(_DENO),
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
        "bun-large", "BoringSSL in bun", _calls(lambda: [_BUN], _FETCH, sizes=FEW_LARGE), version(_BUN), _FEW, needs=("npm",)
    ),
    Agent(
        "deno-large",
        "rustls, aws-lc",
        _calls(lambda: [_DENO, "run", "--allow-all", "--no-remote"], _FETCH, sizes=FEW_LARGE),
        version(_DENO),
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
    return Agent(name, stack, command, debian_version(package), 10, lambda _: env, packages=(package,), server=server)


def _curl(name: str, *options: str, server: tuple[str, ...] = ()) -> Agent:
    def command(place: Place) -> list[str]:
        trusted = f'cacert = "{place.peer.ca_file}"'
        return ["/bin/sh", str(PROGRAMS / "requests.sh"), place.url, "12", str(SIZE), "curl", trusted, *options]

    env = {"REQUEST_PATH": "/api/chat"} if server else {}
    stack = "none" if server else "libssl"
    return Agent(name, stack, command, debian_version("curl"), 12, lambda _: env, packages=("curl",), server=server)


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
    return Agent(f"uv-{part}" if part == "ring" else "uv", stack, command, version(program), 2, needs=(part,))


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
    Agent("git", "GnuTLS", _git, version("/usr/bin/git"), 2, packages=("git",), server=("--coding", "gzip")),
    _requests("tstclnt", "NSS", "libnss3-tools", "tstclnt"),
    _uv("python"),
    _uv("ring"),
    Agent(  # its TLS records are in several pieces
        "uv-ring-upload",
        "rustls, ring",
        _upload,
        version(str(INSTALLED / "ring" / "bin" / "uv")),
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

AGENTS = (*TOOL_CALLERS, *_FETCHERS, *_LARGE, *_PROGRAMS, *_PLAIN)


def agent_named(name: str) -> Agent:
    return next(agent for agent in AGENTS if agent.name == name)
