"""Where a video comes from: signed credentials, labels, a watermark, and how they are read."""
