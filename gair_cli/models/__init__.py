"""The three towers, the query inside a tile, and the model that joins them."""
