"""A small network that reads the simulator's state, and distances between sets of clips in it."""
