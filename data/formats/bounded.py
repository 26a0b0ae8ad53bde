"""A stream that refuses very long reads, so that what a file claims about itself takes no memory."""

import io
from typing import BinaryIO


class BoundedReads(io.RawIOBase):
    """Reads of a seekable stream, each at most `most_bytes` long; a longer one raises ValueError."""

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads up to `size` bytes, or the rest when that is not too long."""
        if size is not None and size > self._most_bytes:
            raise ValueError(f"a part of it claims {size} bytes, more than {self._most_bytes}")
        content = self._stream.read(self._most_bytes + 1 if size is None or size < 0 else size)
        return self._checked(content)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Reads to the end of the line."""
        return self._checked(self._stream.readline(self._most_bytes + 1))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes to a place."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Returns the place."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def readable(self) -> bool:
        """Returns True."""
        return True

    def _checked(self, content: bytes) -> bytes:
        if len(content) > self._most_bytes:
            raise ValueError(f"a part of it is longer than {self._most_bytes} bytes")
        return content
