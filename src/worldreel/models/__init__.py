"""The networks: plain single-device modules that never learn how many devices exist."""
