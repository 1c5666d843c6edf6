"""One file per command: a frozen dataclass of its options, with ``run() -> exit code``.

Nothing heavy is imported before ``run``, so that every ``--help`` answers at once.
"""
