"""The rows of a capture: their kinds, ids, tables in a store, sums, and the words that name them."""
