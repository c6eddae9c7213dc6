"""The flags of OpenTelemetry -> its sink."""

from typing import TYPE_CHECKING, Annotated

from ...core.sink import Sink
from ...view import Output
from .group import OUT, Group, flag

if TYPE_CHECKING:
    from ...sinks import OtelOptions

__all__ = ["Otel"]


class Otel(Group, frozen=True):
    """Where spans go, and what they have."""

    otel: Annotated[bool, flag(OUT, "--otel", "Agents, calls and tools as OpenTelemetry spans.")] = False
    otel_endpoint: Annotated[
        str | None, flag(OUT, "--otel-endpoint", "The collector; without it as OTEL_* say, or local.", "URL")
    ] = None
    otel_protocol: Annotated[
        str | None, flag(OUT, "--otel-protocol", "http/protobuf or grpc; without it as OTEL_* say.", "NAME")
    ] = None
    otel_capture_content: Annotated[
        bool, flag(OUT, "--otel-capture-content", "Prompts, answers, input and output of tools too.")
    ] = False

    def options(self, *, patient: bool) -> "OtelOptions":
        """The options of the sink. `patient`: of a recording, which waits for a slow collector."""
        from ...sinks import OtelOptions

        return OtelOptions(
            self.otel_endpoint,
            protocol=self.otel_protocol,
            capture_content=self.otel_capture_content,
            patient=patient,
        )

    def sinks(self, *, patient: bool = False) -> list[Sink[Output]]:
        """The sink, where it is asked for."""
        if not (self.otel or self.otel_endpoint):
            return []
        from ... import sinks

        return [sinks.otel(self.options(patient=patient))]
