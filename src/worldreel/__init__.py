"""worldreel: an open, self-hosted Sora.

Words, pictures and clips become video through a diffusion transformer over
spacetime patches. Importing this package does nothing but define names.
"""

__version__ = "0.1.0"
