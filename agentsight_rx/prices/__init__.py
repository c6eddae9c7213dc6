"""What a call of a model costs, by the user's prices and those of the genai-prices package. Nothing here uses the network."""

from .cost import Cost, Prices
from .own import OwnPrice, own_prices

__all__ = ["Cost", "OwnPrice", "Prices", "own_prices"]
