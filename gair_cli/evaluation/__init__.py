"""Scores with intervals, beside baselines, under random and spatial splits."""
