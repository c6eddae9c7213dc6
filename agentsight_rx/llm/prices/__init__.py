"""
The cost of a call of a model, by the user's prices and the prices of the genai-prices package. Nothing here uses the network.

`own` reads the user's file and has the parts of a cost, `published` the data of the package, and `prices` uses both.
"""

from .own import Cost, OwnPrice, own_prices
from .prices import Prices

__all__ = ["Cost", "OwnPrice", "Prices", "own_prices"]
