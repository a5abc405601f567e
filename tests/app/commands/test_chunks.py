"""Files of line protocol are cut at line ends, whatever stands in them."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.app.commands import chunks
from streamgauge.model.errors import PayloadError

LINES = st.lists(
    st.sampled_from(["m f=1 1", "", "# note", 'm f="a\nb" 2', "m f=3 3\r"]), max_size=30
)


@given(lines=LINES, size=st.integers(1, 40), is_ended=st.booleans())
def test_no_byte_is_lost_and_no_string_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, is_ended: bool
) -> None:
    body = ("\n".join(lines) + ("\n" if is_ended else "")).encode()
    path = tmp_path_factory.mktemp("chunks") / "lines"
    path.write_bytes(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", size)
        parts = list(chunks.read_chunks([path]))
    assert b"".join(part for _, _, part in parts) == body
    assert all(part.count(b'"') % 2 == 0 for _, _, part in parts)


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(b"m f=1 1\n"))
    assert [part for _, _, part in chunks.read_chunks([path])] == [b"m f=1 1\n"]


def test_line_numbers_go_on_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10)
    path = tmp_path / "lines"
    path.write_bytes(b"m f=1 1\n" * 3)
    assert [number for _, number, _ in chunks.read_chunks([path])] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["missing", "truncated gzip", "folder"])
def test_what_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lines.gz"
    if kind == "truncated gzip":
        path.write_bytes(gzip.compress(b"m f=1 1\n" * 100)[:20])
    if kind == "folder":
        path.mkdir()
    with pytest.raises(PayloadError, match=r"lines\.gz: cannot be read"):
        list(chunks.read_chunks([path]))
