"""From training shards to batches: order, reading, transforms, and the shapes of a batch."""
