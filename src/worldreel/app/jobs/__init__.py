"""Durable jobs: what was accepted is made once and published once, whatever is killed."""
