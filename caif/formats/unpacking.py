"""Open a file that may be packed, gzip or zstandard, as told by its first bytes; what comes out of it is capped.

A packed file that unpacks out of all proportion stops at the cap, whoever reads it: before it fills memory or time.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from caif.errors import CaifError

MAX_UNPACKED = 2_000_000_000
MAX_RATIO = 200
FREE_UNPACKED = 64_000_000
"""A small file of repeated text may well beat the ratio, so below this the ratio does not count."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
REFUSED = {
    GZIP: "a gzip file", ZSTD: "a zstd file", b"PK\x03\x04": "a zip archive", b"7z\xbc\xaf": "a 7z archive",
    b"BZh91AY": "a bzip2 file", b"\xfd7zXZ": "an xz file",
}  # fmt: skip
"""What is not unpacked: archives, and what is packed inside of what is packed."""
HEAD = 8
CHUNK = 1 << 16


class _Capped(io.RawIOBase):
    """What a source unpacks to, up to a cap."""

    def __init__(self, source: BinaryIO, path: Path, cap: int) -> None:
        self._source, self._path, self._cap, self._total = source, path, cap, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        piece = self._source.read(len(buffer))
        self._total += len(piece)
        within(self._cap, self._path, self._total)
        buffer[: len(piece)] = piece
        return len(piece)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacked if it is packed. Each failure is a CaifError."""
    if not path.is_file():
        raise CaifError(f"{path}: no such file", "check the path")
    try:
        with ExitStack() as stack:
            plain = stack.enter_context(path.open("rb"))
            head = plain.peek(HEAD)
            if not head.startswith((GZIP, ZSTD)):
                _refuse(path, "is", head)
                yield plain
                return
            source = stack.enter_context(_gzip(plain) if head.startswith(GZIP) else _zstd(plain))
            unpacked = io.BufferedReader(_Capped(source, path, cap(path)), CHUNK)
            _refuse(path, "unpacks to", unpacked.peek(HEAD))
            yield unpacked
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CaifError(f"{path}: broken or cut off gzip", "fetch the file again") from None
    except OSError as error:
        if error.errno is None:  # what Arrow says of a stream it cannot unpack
            raise CaifError(f"{path}: broken or cut off zstd", "fetch the file again") from None
        raise CaifError(f"{path}: cannot be read: {error.strerror}", "check the file and its permissions") from None


def within(cap: int, path: Path, total: int) -> None:
    """Refuse a file that unpacks to more bytes than this."""
    if total > cap:
        raise CaifError(f"{path}: unpacks to more than {cap} bytes", "is this a data file? Unpack it yourself")


def cap(path: Path) -> int:
    return min(MAX_UNPACKED, max(FREE_UNPACKED, MAX_RATIO * path.stat().st_size))


def _gzip(plain: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=plain)  # type: ignore[return-value]  # it reads as a BinaryIO does


def _zstd(plain: BinaryIO) -> BinaryIO:
    import pyarrow as pa

    return pa.input_stream(plain, compression="zstd", buffer_size=None)  # type: ignore[no-any-return]


def _refuse(path: Path, what: str, head: bytes) -> None:
    for begins, name in REFUSED.items():
        if head.startswith(begins):
            raise CaifError(f"{path}: {what} {name}", "unpack it yourself")
