"""Search by embeddings: photos, places and tiles alike."""
