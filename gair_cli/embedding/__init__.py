"""From a model and inputs to vectors: tables and rasters."""
