"""
What the web page asks of a store: lists without bodies, bodies on demand. A path and its parameters in, one value out.

`alerts` has the alerts of a session, and `machine` all recordings by days. `counted_once` merges what two recorders saw, and
`recorder` says whether a recorder watches the machine.
"""

from .embedded import Embedded, embedded
from .picture import Picture
from .rail import PageError, answer

__all__ = ["Embedded", "PageError", "Picture", "answer", "embedded"]
