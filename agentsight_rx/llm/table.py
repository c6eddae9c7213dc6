"""All providers, and how to find the one that a request or a stream belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain

from ..events import SseEvent
from .lenient import Fields
from .provider import IdentifyingFields, Provider
from .resent import decoded

# -- hosts ---------------------------------------------------------------------------------------------------------
# Host -> `gen_ai.provider.name` of OpenTelemetry. Which dialect a host speaks is another matter: its path says that.


# A host belongs to the first row that it ends with. The names are those of
# OpenTelemetry's registry of `gen_ai.provider.name` where it has one, else spelled alike.
_SUFFIXES = (
    ("openai.azure.com", "azure.ai.openai"),
    ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("models.ai.azure.com", "azure.ai.inference"),
    ("inference.ml.azure.com", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "azure.ai.inference"),
    ("models.github.ai", "azure.ai.inference"),
    ("openai.com", "openai"),
    ("chatgpt.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("claude.ai", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("cloudcode-pa.googleapis.com", "gcp.gen_ai"),
    ("groq.com", "groq"),
    ("x.ai", "x_ai"),
    ("mistral.ai", "mistral_ai"),
    ("deepseek.com", "deepseek"),
    ("perplexity.ai", "perplexity"),
    ("moonshot.ai", "moonshot_ai"),
    ("moonshot.cn", "moonshot_ai"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
    ("openrouter.ai", "openrouter"),
    ("together.xyz", "together_ai"),
    ("together.ai", "together_ai"),
    ("fireworks.ai", "fireworks_ai"),
    ("cerebras.ai", "cerebras"),
    ("writer.com", "writer"),
    ("replicate.com", "replicate"),
    ("huggingface.co", "hugging_face"),
    ("huggingface.cloud", "hugging_face"),
    ("sambanova.ai", "sambanova"),
    ("deepinfra.com", "deepinfra"),
    ("hyperbolic.xyz", "hyperbolic"),
    ("novita.ai", "novita"),
    ("nebius.ai", "nebius"),
    ("nebius.com", "nebius"),
    ("api.nvidia.com", "nvidia"),
    ("dashscope.aliyuncs.com", "alibaba_cloud"),
    ("dashscope-intl.aliyuncs.com", "alibaba_cloud"),
    ("bigmodel.cn", "z_ai"),
    ("z.ai", "z_ai"),
    ("minimax.io", "minimax"),
    ("minimaxi.com", "minimax"),
    ("ai21.com", "ai21"),
    ("aleph-alpha.com", "aleph_alpha"),
    ("ollama.com", "ollama"),
    ("githubcopilot.com", "github_copilot"),
)
_AMAZON = ((".bedrock", "aws.bedrock"), (".runtime.sagemaker", "aws.sagemaker"))  # a region or an endpoint stands around them


def label_of_host(host: str, /) -> str | None:
    """The label of a known host, whatever its port and case; None for any other."""
    name = host.lower().partition(":")[0].rstrip(".")
    if name.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return next((label for part, label in _AMAZON if part in f".{name}"), None)
    if name.endswith("-aiplatform.googleapis.com"):  # the region stands before it
        return "gcp.vertex_ai"
    return next((label for suffix, label in _SUFFIXES if name == suffix or name.endswith(f".{suffix}")), None)


# ------------------------------------------------------------------------------------------------------------------------


_FOUND_MOST = 512  # hosts and paths, of which a capture has a few: to ask every provider takes 10 us
_SHORT = 256  # characters of a target that is remembered as it is
_FIELDS = Fields(IdentifyingFields)


_added: dict[str, Provider] = {}  # those of other packages, behind ours


@cache
def _ours() -> dict[str, Provider]:
    """By name. Their modules take 30 ms to import, for which a recorded command need not wait: the first call asks for them."""
    from .all_dialects import PROVIDERS

    return {provider.name: provider for provider in PROVIDERS}


def providers() -> Iterable[Provider]:
    """All of them."""
    return chain(_ours().values(), _added.values())


def add_provider(provider: Provider, /) -> None:
    """Know a provider of another package from here on. Its name is one that no other has."""
    _added[provider.name] = provider
    for remembered in (_label, _known, _found):
        remembered.cache_clear()


def provider_named(name: str | None, /) -> Provider | None:
    """The provider of that dialect; None if there is none."""
    return (_ours().get(name) or _added.get(name)) if name else None


def provider_at(host: str | None, dialect: Provider, /) -> str:
    """`gen_ai.provider.name` of OpenTelemetry: what the host says, else what is spoken there. The host stands beside it."""
    return _label(host or "") or dialect.label


def provider_label(host: str, /) -> str:
    """Who sells what runs at a host; for an unknown one the host itself with its port."""
    return _label(host) or host


@lru_cache(_FOUND_MOST)
def _label(host: str) -> str | None:
    lower = host.lower()
    return label_of_host(host) or next((label for part, label in _hosts() if part in lower), None)


def _hosts() -> Iterator[tuple[str, str]]:
    return (host for provider in providers() for host in provider.hosts)


def find(host: str, target: str, /) -> Provider | None:
    """
    The provider whose API a request for `target` (path, perhaps with a query) calls; None if it is not a call to a model.

    The path decides, since many hosts speak the same dialect. The host decides only if two providers match the path.
    """
    return _known(host, target) if len(target) <= _SHORT else _found(host.lower(), target.partition("?")[0])


@lru_cache(_FOUND_MOST)
def _known(host: str, target: str) -> Provider | None:
    return _found(host.lower(), target.partition("?")[0])


@lru_cache(_FOUND_MOST)
def _found(lower: str, path: str) -> Provider | None:
    takers = [each for each in providers() if each.is_call(path) and (each.anywhere or each.is_home(lower))]
    at_home = [each for each in takers if each.is_home(lower)]
    return next(iter(at_home + takers), None)


def dialect_of(event: SseEvent, /) -> Provider | None:
    """The provider that sends such an event; None if several could: try again with the next event."""
    if not event.data.lstrip(" \t\r\n").startswith("{"):
        return None
    fields = decoded(_FIELDS.strict, event.data) or _FIELDS.value(event.data)
    if fields is None:
        return None
    return next((provider for provider in providers() if event.event in provider.events or provider.speaks(fields)), None)
