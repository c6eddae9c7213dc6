"""Host -> `gen_ai.provider.name` of OpenTelemetry. Which dialect a host speaks is another matter: its path says that."""

from __future__ import annotations

__all__ = ["label_of_host"]

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
