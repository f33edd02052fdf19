"""Scenes, tiles, photos, coordinates and tables, as numpy arrays and polars frames; no torch."""
