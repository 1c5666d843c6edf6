"""Types, errors, randomness and progress: what every floor may know."""
