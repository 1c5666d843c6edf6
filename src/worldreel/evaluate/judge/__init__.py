"""What a clip shows, in words, judged from the tracker's segmentation alone.

Nothing here is ever used in training a model or in choosing among its samples.
"""
