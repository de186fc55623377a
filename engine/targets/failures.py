"""Why training failed: from an exception, an exit status, or what a program printed last."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Iterator
from typing import Final

from automl_run.engine.core.causes import CAUSES, Cause
from automl_run.errors import AutoMLError, JobError

_MESSAGE_LIMIT: Final = 2000

# -- exit statuses --------------------------------------------------------------------------------------------------------

_GPU_MEMORY: Final = re.compile(
    r"(?:CUDA|HIP)(?: error:)? out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
    r"|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED"
)
_FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def cause_of_status(code: int | None, tail: str, oom_kills: int = 0) -> tuple[Cause, str]:
    """For a process that ended without saying why: `code` is its exit code, or minus the signal."""
    if code is None:
        return "lost", "the job's process is gone and left no result"
    if code >= 0:
        early = " before it gave a result" if code == 0 else ""
        return cause_of_text(tail), f"it ended with exit code {code}{early}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        if oom_kills > 0:
            return "oom_host", "the kernel killed it because the host ran out of memory"
        return "lost", "it was killed from outside (SIGKILL)"
    if -code in _FROM_OUTSIDE:
        return "preempted", f"it was ended from outside ({name})"
    return cause_of_text(tail), f"it crashed with {name}"


def cause_of_text(text: str) -> Cause:
    """From what a failed program printed last."""
    if _GPU_MEMORY.search(text):
        return "oom_gpu"
    if "MemoryError" in text or "DefaultCPUAllocator: " in text or "Cannot allocate memory" in text:
        return "oom_host"
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return "disk_full"
    # A device-side assertion is the program's own mistake (a label out of range), though CUDA reports it.
    if ("CUDA error: " in text or "uncorrectable ECC error" in text) and "device-side assert" not in text:
        return "gpu_error"
    return "user_error"


# -- exceptions -----------------------------------------------------------------------------------------------------------


def cause_of_exception(error: BaseException) -> tuple[Cause, str]:
    """The cause and one line for people; what it was raised from is looked at, too."""
    message = describe(error)
    # MONAI says only which transform failed; why stands in what it was raised from.
    if error.__cause__ is not None and not isinstance(error, AutoMLError):
        *_, first = _causes(error)
        message = f"{message}: {describe(first)}"[:_MESSAGE_LIMIT]
    for link in _chain(error):
        if isinstance(link, JobError):
            return (link.cause if link.cause in CAUSES else "user_error"), message  # type: ignore[return-value]
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return "disk_full", message
        # torch's and CuPy's own are no MemoryErrors, and are not imported here.
        if type(link).__name__ == "OutOfMemoryError" and type(link).__module__.partition(".")[0] in ("torch", "cupy"):
            return "oom_gpu", message
        if isinstance(link, MemoryError):
            return "oom_host", message
        if isinstance(link, RuntimeError) and (cause := cause_of_text(str(link))) != "user_error":
            return cause, message
    return "user_error", message


def describe(error: BaseException) -> str:
    """One text that any terminal and any encoding can take."""
    if isinstance(error, AutoMLError):
        text = str(error)
    elif isinstance(error, SystemExit):
        text = f"it ended with exit code {error.code}" if isinstance(error.code, int) else str(error.code)
    else:
        said = str(error).strip()
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return "".join(char if char.isprintable() or char in "\n\t" else _escaped(char) for char in text[:_MESSAGE_LIMIT])


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What `error` was raised from, and what that was."""
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield (error := cause)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
