"""The arguments of a process -> what it is beside the agents: a launcher, a client, a worker of its parent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from ...core.start import regex

_PYTHON = r"python[\d.]*|pypy[\d.]*"
_SHELL = r"(?:ba|da|z|k|a|fi)?sh|busybox"
# Programs that run the file they are given. The arguments of any other program only name files: `git log /src/codex`
LAUNCHER = regex(rf"(?:{_PYTHON}|node|nodejs|bunx?|deno|tsx|uvx?|npx|pnpm|yarn|{_SHELL}|env|sudo|nohup|setsid)\Z")
_INTERPRETER = regex(rf"(?:{_PYTHON}|node|nodejs|bun|deno|tsx|ruby|perl|php|java|dotnet)\Z")
_SHELLS = regex(rf"-?(?:{_SHELL})\Z")  # a login shell has a dash in front
# Programs that only start another one
_WRAPPER = regex(r"(?:env|sudo|nohup|setsid|timeout|nice|ionice|stdbuf|time|unshare|setpriv|xargs|strace|script|tini|doas)\Z")
# A program that asks one thing for its caller
_CLIENT = regex(r"(?:curl|curlie|wget2?|xh|httpie|grpcurl|websocat)\Z")
_WORKER = "multiprocessing"  # Python starts a worker by `-c "from multiprocessing.spawn import …"`
_KNOWN_MOST = 256  # names of programs
_OPTIONS_MOST = 32  # arguments in front of the script; the rest are its own


class _Options(NamedTuple):
    """What stands in front of a script, of programs whose names match: words of one kind, with a space between."""

    programs: re.Pattern[str]
    valued: str = ""  # options with a value in the next argument
    code: str = ""  # options behind which is a program, and no script
    subs: str = ""  # commands in front of the script
    module: str = ""  # options behind which the program is named


# From the manuals: python(1), node(1), `deno run --help`, `bun run --help`, `uv run --help`, `npx --help`, ruby(1), perl(1),
# php(1), java(1), `dotnet --help`, POSIX sh and bash(1), env(1), sudo(8)
_INTERPRETERS = (
    _Options(regex(rf"(?:{_PYTHON})\Z"), "-W -X -Q --check-hash-based-pycs", "-c", module="-m"),
    _Options(
        regex(r"(?:node|nodejs|tsx)\Z"),
        "-r --require --import --loader --experimental-loader --env-file --env-file-if-exists -C --conditions --title "
        "--input-type --icu-data-dir --openssl-config --diagnostic-dir --tsconfig --watch-path --stack-trace-limit",
        "-e --eval -p --print -pe",
        subs="watch inspect",
    ),
    _Options(
        regex(r"bunx?\Z"),
        "--env-file --preload -r --require --cwd --config -c --tsconfig-override --define -d --loader -l --conditions --filter",
        "-e --eval -p --print",
        subs="run x",
    ),
    _Options(
        regex(r"deno\Z"),
        "--config --import-map --lock --cert --location --seed --ext --preload --import --minimum-dependency-age",
        subs="run serve",
    ),
    _Options(
        regex(r"(?:uvx?|npx|pnpm|yarn)\Z"),
        "--from --with --with-editable --with-requirements --python -p --env-file --directory --project --index --index-url "
        "--extra --group --package --package-manager --dir -C --cwd --filter -F --prefix --workspace -w",
        "-c --call",
        subs="run tool exec dlx",
        module="-m --module -s --script",
    ),
    _Options(regex(r"ruby[\d.]*\Z"), "-I -r -C -E --encoding", "-e"),
    _Options(regex(r"perl[\d.]*\Z"), "-I", "-e -E"),
    _Options(regex(r"php[\d.]*\Z"), "-d -c -z -S -t", "-r", module="-f"),
    _Options(
        regex(r"java\Z"),
        "-cp -classpath --class-path -p --module-path --add-modules --add-opens",
        module="-jar -m --module",
    ),
    _Options(regex(r"dotnet\Z"), "--project --framework -f --configuration -c --additionalprobingpath", subs="run exec"),
    _Options(regex(rf"-?(?:{_SHELL})\Z"), "-o +o -O +O --rcfile --init-file", "-c"),
    _Options(regex(r"(?:env|sudo|nohup|setsid|doas)\Z"), "-u --unset --user -g --group -C --chdir -D -h -p -r -t"),
)
_STARTS_OTHERS = _INTERPRETERS[-1]
_SHELL_CODE = regex(r"-[a-z]*c\Z")
_FILE = regex(r"/|\.(?:[cm]?[jt]sx?|py|rb|pl|php|jar|dll|sh)\Z")


def base_name(path: str, /) -> str:
    return path.rpartition("/")[2]


def script_of(argv: Sequence[str], /) -> str:
    """The script that an interpreter or a shell runs, or the module behind `-m`; empty: none, or code in an argument."""
    return script_or_module(argv)[0]


def script_or_module(argv: Sequence[str], /) -> tuple[str, bool]:
    """The script, and whether an option names it, as `-m`: then it is no path."""
    options = _options_of(base_name(argv[0])) if argv else None
    valued, code, subs, modules = _words_of(options)
    words = list(argv[1 : _OPTIONS_MOST + 1])
    at = 0
    while at < len(words):
        word = words[at]
        if word in modules:
            return (words[at + 1] if at + 1 < len(words) else ""), True
        if word in code or (options and options.code == "-c" and not modules and _SHELL_CODE.match(word)):
            return "", False
        if word == "--":
            return (words[at + 1] if at + 1 < len(words) else ""), False
        if word in valued:
            at += 2
        elif word.startswith(("-", "+")) and len(word) > 1:
            at += 1 + _takes_a_value(words[at + 1 :])
        elif word in subs and at + 1 < len(words):
            subs, at = frozenset[str](), at + 1
        elif options is _STARTS_OTHERS and "=" in word:
            at += 1
        elif options is _STARTS_OTHERS:
            rest = [word, *argv[at + 2 :]]
            return script_or_module(rest) if _options_of(base_name(word)) is not None else (word, False)
        else:
            return word, False
    return "", False


@lru_cache(_KNOWN_MOST)
def _options_of(name: str) -> _Options | None:
    return next((each for each in _INTERPRETERS if each.programs.match(name)), None)


@lru_cache
def _words_of(options: _Options | None) -> tuple[frozenset[str], ...]:
    """Its options with values, with code, its commands, its options with modules."""
    each = ("", "-c -e", "", "") if options is None else (options.valued, options.code, options.subs, options.module)
    return tuple(frozenset(words.split()) for words in each)


def _takes_a_value(words: Sequence[str]) -> bool:
    """Behind an option that is on no list: a word that is no file, and a file behind it."""
    return len(words) > 1 and words[0][:1] != "-" and not _FILE.search(words[0]) and _FILE.search(words[1]) is not None


def is_client(argv: Sequence[str], /) -> bool:
    """A program that makes one request for whoever started it."""
    return bool(argv) and _CLIENT.match(base_name(argv[0])) is not None


def is_launcher(argv: Sequence[str], /) -> bool:
    """A shell that runs a line, or a program such as `sudo` that starts another one. A script of a shell is a program."""
    program = base_name(argv[0]) if argv else ""
    return _WRAPPER.match(program) is not None or (_SHELLS.match(program) is not None and not script_of(argv))


def is_prompt(argv: Sequence[str], /) -> bool:
    """A shell that reads what a person types."""
    return bool(argv) and _SHELLS.match(base_name(argv[0])) is not None and all(word[:1] == "-" for word in argv[1:])


def is_worker(parent: Sequence[str], child: Sequence[str], /) -> bool:
    """Both are one program, such as the processes of Electron, of a cluster of node, or of Python's multiprocessing."""
    if not parent or not child or is_launcher(child):
        return False
    if tuple(parent) == tuple(child):
        return True
    program, mine = base_name(parent[0]), base_name(child[0])
    if not _INTERPRETER.match(mine) and not _SHELLS.match(mine):
        return program == mine and _CLIENT.match(mine) is None
    if not _INTERPRETER.match(program):
        return False
    script = script_of(child)
    return (bool(script) and script == script_of(parent)) or any(_WORKER in word for word in child[1:3])


# -- naming --------------------------------------------------------------------------------------------------------
# The head of a request, the arguments of a process -> the name of the program that made it, and its version.


_LONGEST = 64  # characters
_PRODUCT = regex(r"[A-Za-z][\w.@+ -]{0,63}")
# Products that are libraries or runtimes, which say nothing of the program: SDKs of providers, clients of HTTP
_LIBRARIES = regex(
    r"(?:(?:async|azure|sync)?(?:openai|anthropic)(?:[ -/].*)?|(?:async)?anthropic(?:bedrock|vertex)?|groq|mistral-client.*"
    r"|cohere.*|ollama.*|google-(?:genai|api|cloud|auth).*|gl-.*|genai.*|boto.*|aws-.*|ai|ai-sdk.*|litellm.*|langchain.*"
    r"|lang(?:graph|smith).*|llama.?index.*|runtime|node|nodejs|node-fetch.*|undici|axios.*|got|ky|superagent|bun|deno|python.*|aiohttp|httpx.*|requests"
    r"|urllib.*|reqwest|hyper.*|ureq|go-http-client|go|fasthttp|okhttp.*|java.*|jetty.*|apache.*|curl|wget|libcurl|mozilla|chrome"
    r"|safari|electron|dart|rust|ruby|php|perl|lwp.*|libwww.*|stainless.*|connect-.*|grpc.*|client|test|agent|sdk|js|typescript)\Z",
    re.IGNORECASE,
)
# How SDKs name their language in the place of the version; a bundler may have made another name of the class before it
_SDK = regex(r"(?:JS|TypeScript|Python|Go|Java|Kotlin|Ruby|PHP|C#|Rust) v?\d")
_VERSION = regex(r"v?(\d[\w.+-]{0,31})(?=[\s/(;,]|\Z)")
_VERSIONS = ("x-client-version", "x-app-version")  # of a program whose User-Agent names a library
_TITLES = ("x-title", "x-openrouter-title")  # of a program, in requests to a gateway
_INTERPRETED = regex(r"(?:MainThread|node|nodejs|python[\d.]*|pypy[\d.]*|bun|deno|tsx|ruby|perl|php|java|uv|npx)\Z")
_PACKAGE = regex(r".*/(?:node_modules|site-packages|dist-packages)/((?:@[^/]+/)?[^/]+)")
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
