"""Pre-training: recipe, loop, optimizer, schedule, checkpoints, validation, report."""
