"""Recipe -> steps -> checkpoints -> a model's folder."""
