"""
The cost of a call of a model, by the user's prices and the prices of the genai-prices package. Nothing here uses the network.
"""

from .cost import Cost
from .own import OwnPrice, own_prices
from .prices import Prices

__all__ = ["Cost", "OwnPrice", "Prices", "own_prices"]
