"""Clips on disk: shards, memory-mapped caches, and which of them a step sees."""
