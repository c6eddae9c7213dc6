"""The flags of TLS -> the options of its source."""

from typing import Annotated, ClassVar

from msgspec.structs import replace

from ...sources import Target, TlsOptions
from ...sources.containers.references import is_reference, resolve_reference
from ..values import placement_of
from .group import TLS, Group, Of, flag

__all__ = ["Tls"]

_HTTP = Of("ssl", "plain_http")


class Tls(Group, frozen=True):
    """How TLS is read, and in which files."""

    concerned: ClassVar[tuple[str, ...] | None] = ("ssl",)

    ssl_uid: Annotated[int | None, flag(TLS, "--ssl-uid", "TLS only of this user.", "UID", min=0)] = None
    ssl_http: Annotated[bool, flag(TLS, "--ssl-http/--no-ssl-http", "Parse HTTP; without it, TLS records."), _HTTP] = True
    ssl_raw_data: Annotated[bool, flag(TLS, "--ssl-raw-data", "TLS records too, not only HTTP."), _HTTP] = False
    ssl_handshake: Annotated[bool, flag(TLS, "--ssl-handshake", "TLS handshakes too.")] = False
    binary_path: Annotated[
        list[str] | None, flag(TLS, "--binary-path", "This file, docker://NAME, k8s://POD; repeatable.", "PATH")
    ] = None
    probe_placement: Annotated[str, flag(TLS, "--probe-placement", "cheap; or entry: where functions begin.", "WHERE")] = (
        "cheap"
    )

    def widened(self, target: Target) -> Target:
        """The target, with the containers among the binaries: their processes are watched besides, by every source."""
        containers = tuple(resolve_reference(each) for each in self.binary_path or () if is_reference(each))
        return replace(target, containers=containers) if containers else target

    def options(self, target: Target) -> TlsOptions:
        """The options of the source. Raises UsageError."""
        return TlsOptions(
            target if self.ssl_uid is None else replace(target, uid=self.ssl_uid),
            tuple(self.binary_path or ()),
            handshakes=self.ssl_handshake,
            placement=placement_of(self.probe_placement),
        )
