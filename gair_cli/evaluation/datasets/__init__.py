"""Data sets with a fixed protocol, one file each."""
