"""Fields that the requests of all providers have in common, and the Asked that is made of them."""

from __future__ import annotations

from msgspec import Raw, Struct

from .canonical import MediaPart, Message, TextPart
from .lenient import Fields
from .resent import BROKEN


class _Ids(Struct, rename={"session_camel": "sessionId", "conversation_camel": "conversationId"}):
    """Clients may put any JSON here: only strings are used."""

    session_id: object = None
    session_camel: object = None
    conversation_id: object = None
    conversation_camel: object = None
    user_id: object = None

    def client_session(self) -> str | None:
        named, camel = self.session_id, self.session_camel
        return None if named is None and camel is None else _text(named) or _text(camel)

    def client_conversation(self) -> str | None:
        named, camel = self.conversation_id, self.conversation_camel
        return None if named is None and camel is None else _text(named) or _text(camel)


class RequestFields(_Ids):
    """Fields of most requests. Providers add theirs in a subclass."""

    model: str = ""
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: _Ids | None = None

    def client_ids(self) -> tuple[str | None, str | None]:
        """The session and the conversation, as the client named them."""
        session, conversation, metadata = self.client_session(), self.client_conversation(), self.metadata
        if metadata is None:
            return session, conversation
        session = session or metadata.client_session() or _session_of_user(_text(metadata.user_id) or "")
        return session, conversation or metadata.client_conversation()


_IDS = Fields(_Ids)
_STRING = Fields(str)


def said_by(role: str, /, *said: str | MediaPart | None) -> tuple[Message, ...]:
    """One message with these texts and media; none where nothing was said."""
    parts = tuple([TextPart(each) if isinstance(each, str) else each for each in said if each])
    return (Message(role, parts),) if parts else ()


def medium(kind: str, url: str) -> MediaPart:
    """A medium by its URL, in which it may be sent along."""
    return MediaPart(kind, size=len(url)) if url.startswith("data:") else MediaPart(kind, reference=url)


def text_of(raw: Raw) -> str:
    """JSON as text, as it was sent; "" where nothing was sent, or null."""
    text = str(bytes(raw), "utf-8", "replace")
    return "" if text == "null" else text


def plain_text(raw: Raw) -> str:
    """What a string says, as the arguments of a tool that are JSON in a string; other JSON as it was sent."""
    if not raw:
        return ""
    try:
        return _STRING.strict.decode(raw)  # nearly all
    except BROKEN:
        text = text_of(raw)
    return (_STRING.value(text) or "") if text.startswith('"') else text


def _session_of_user(user: str) -> str | None:
    """The session that Claude Code puts into the user's id: as JSON, or in old versions `user_…_account_…_session_<id>`."""
    if user.startswith("{"):
        ids = _IDS.value(user)
        return ids.client_session() if ids else None
    return user.partition("_session_")[2] or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
