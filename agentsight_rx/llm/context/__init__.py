"""
What fills the context of a model: the pieces of a request, who wrote them, what each costs, and what changed between two.

`places` says where values stand in JSON, and `texts` who wrote which part of a text.
`pieces` and `anatomy` are the pieces of a request. `thread` has their tokens, requests and cost.
`losses` says why a cache was lost.
"""

from .anatomy import Anatomy, anatomy
from .pieces import Piece

__all__ = ["Anatomy", "Piece", "anatomy"]
