"""The reader of zips beside the standard library's."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.archive import Archive
from edge.digest import sha256

COMMENT = b"c" * 71
members = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9),
    st.binary(max_size=300),
    max_size=5,
)


def written(content, compression, prefix=b"", apart=False):
    buffer = io.BytesIO(b"" if apart else prefix)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        archive.comment = COMMENT
    return (prefix if apart else b"") + buffer.getvalue()


@given(members, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.binary(max_size=50), st.booleans())
def test_it_reads_what_zipfile_writes(content, compression, prefix, apart):
    data = written(content, compression, prefix, apart)
    archive = Archive(data, len(COMMENT))
    with zipfile.ZipFile(io.BytesIO(data)) as standard:
        assert [member.name for member in archive.members] == standard.namelist()
        for member in archive.members:
            assert archive.read(member) == standard.read(member.name)
    assert archive.start == len(prefix)


@given(st.binary(max_size=200))
def test_what_is_no_zip_is_refused(data):
    with pytest.raises(ValueError):
        Archive(data, len(COMMENT))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(compression):
    archive = Archive(written({"a": b"a" * 100}, compression), len(COMMENT))
    with pytest.raises(ValueError, match="packed in a way"):
        archive.read(archive.members[0])


@given(st.binary(max_size=300))
def test_the_digest_is_sha256(data):
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()
