"""What the web page asks of a store: lists without bodies, bodies on demand. A path and its parameters in, one value out."""

from .answers import PageError, answer
from .embedded import Embedded, embedded
from .picture import Picture

__all__ = ["Embedded", "PageError", "Picture", "answer", "embedded"]
