"""
What the web page asks of a store: lists without bodies, bodies on demand. A path and its parameters in, one value out.

`alerts` has the alerts of a session. `machine` has all recordings by days and whether a recorder watches the machine, and
`rail` merges what two recorders saw.
"""

from .embedded import Embedded, embedded
from .picture import Picture
from .rail import PageError, answer

__all__ = ["Embedded", "PageError", "Picture", "answer", "embedded"]
