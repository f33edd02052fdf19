"""Losses: pure functions of tensors, named losses out."""
