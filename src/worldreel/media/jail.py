"""A process that gives up for good what decoding does not need."""

import resource

from worldreel.media.limits import Limits


def lock(limits: Limits) -> None:
    """Limits this process: memory, processor time, and no file, socket or process ever again.

    What is open stays open. Memory and time are the kernel's to enforce; the rest holds even
    for a decoder that a file has taken over.
    """
    most = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_AS: limits.memory_bytes,
    }
    for kind, value in most.items():
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))
