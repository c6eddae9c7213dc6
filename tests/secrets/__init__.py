"""Fresh secrets of each kind at each place, through the product's graph: none may be in any byte of the output."""
