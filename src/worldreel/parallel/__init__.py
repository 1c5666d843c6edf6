"""One video on several devices: wraps a model from outside, which never learns of it."""
