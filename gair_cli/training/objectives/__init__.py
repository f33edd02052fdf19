"""What a run learns: each objective encodes batches and turns the whole batch into losses."""
