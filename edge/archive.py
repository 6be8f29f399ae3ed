"""The zip behind a model file's flatbuffer.

The standard library's zipfile reads it as well, and costs a cold start 3 ms and a megabyte for forms of zip that a
model file never has. This reads the plain form: one disk, no zip64, no encryption, stored or deflated members.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1


class Member(NamedTuple):
    """One member as the directory describes it: `packed` and `size` are its bytes in the file and unpacked."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


class Archive:
    """The directory of the zip in `data`, read without unpacking anything.

    Attributes:
        members: in the directory's order.
        start: where the zip begins, so how long the part before it is.
    """

    def __init__(self, data: bytes, comment_bytes: int) -> None:
        """Raises ValueError where the zip is damaged or does not end in a comment of `comment_bytes`."""
        self._data = data
        end = len(data) - comment_bytes - _END.size
        if end < 0:
            raise ValueError("no end of a directory")
        magic, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, end)
        if magic != b"PK\x05\x06" or comment != comment_bytes or disk or first_disk or here != count:
            raise ValueError("no end of a directory")
        at = end - size
        # Offsets count from the file's beginning, or from the zip's where it was written apart and appended.
        shift = at - offset
        if at < 0 or shift < 0:
            raise ValueError("a directory outside the file")
        self.members: list[Member] = []
        for _ in range(count):
            if at + _ENTRY.size > end:
                raise ValueError("a directory that ends early")
            fields = _ENTRY.unpack_from(data, at)
            magic, flags, method, crc, packed, unpacked = fields[0], fields[3], fields[4], *fields[7:10]
            name_bytes, extra_bytes, comment, offset = *fields[10:13], fields[16]
            at += _ENTRY.size
            name = data[at : at + name_bytes].decode()  # a UnicodeDecodeError is a ValueError
            at += name_bytes + extra_bytes + comment
            if magic != b"PK\x01\x02" or at > end or offset + shift + packed > end:
                raise ValueError("a damaged directory")
            self.members.append(Member(name, flags, method, crc, packed, unpacked, offset + shift))
        self.start = min((member.offset for member in self.members), default=end - size)

    def read(self, member: Member) -> bytes:
        """Return a member's bytes; never unpacks more than its `size`. Raises ValueError where it is damaged."""
        if member.flags & _ENCRYPTED or member.method not in (_STORED, _DEFLATED):
            raise ValueError("encrypted, or packed in a way that is not known")
        if member.offset + _LOCAL.size > len(self._data):
            raise ValueError("outside the file")
        local = _LOCAL.unpack_from(self._data, member.offset)
        begin = member.offset + _LOCAL.size + local[9] + local[10]
        content = self._data[begin : begin + member.packed]
        if local[0] != b"PK\x03\x04" or len(content) != member.packed:
            raise ValueError("damaged header")
        if member.method == _DEFLATED:
            try:
                content = zlib.decompressobj(-15).decompress(content, member.size + 1)
            except zlib.error as error:
                raise ValueError(str(error)) from None
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise ValueError("its checksum is wrong")
        return content
