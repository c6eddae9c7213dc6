"""What fills the context of a model: the pieces of a request, who wrote them, what each costs, and what changed between two."""

from .anatomy import Anatomy, anatomy
from .pieces import Piece

__all__ = ["Anatomy", "Piece", "anatomy"]
