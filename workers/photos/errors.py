"""Errors of processing a photo."""

PROCESSING_FAILED = "processing-failed"
"""The code of a picture that exhausts the child's memory or time, or crashes the child."""


class ImageRefusedError(Exception):
    """These bytes can never become a photo. `code` is stable; clients see it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DecodingInterruptedError(Exception):
    """The child was killed from outside or ran out of wall time: another try can succeed."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"decoding was interrupted (exit code {exit_code})")
        self.exit_code = exit_code


class NoSandboxError(Exception):
    """The decoding child cannot be confined on this system, and has to be."""
