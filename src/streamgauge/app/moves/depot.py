"""Where a backup stands: a folder, or a prefix of an S3-compatible address; both read alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamgauge.app.config import Backup
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.store.engine.place import Place

if TYPE_CHECKING:
    from pyarrow import fs  # 8 MB that a process without backups does not need

BLOCK_BYTES = 1 << 20
ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class S3Access:
    """How an S3-compatible address is spoken to."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds."""

    size: int
    sha256: str


def s3_access(settings: Backup, variables: Mapping[str, str] = os.environ) -> S3Access:
    """From the configuration, else from the variables that AWS's own tools read."""
    secret = settings.secret_key.get_secret_value() if settings.secret_key else ""
    region = settings.region or variables.get("AWS_REGION", "us-east-1")
    endpoint = settings.endpoint or variables.get("AWS_ENDPOINT_URL", "")
    return S3Access(
        (endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/"),
        region,
        settings.access_key or variables.get("AWS_ACCESS_KEY_ID", ""),
        secret or variables.get("AWS_SECRET_ACCESS_KEY", ""),
    )


class Depot:
    """Files by their path below one place."""

    def __init__(self, address: str, access: S3Access) -> None:
        """Nothing is reached yet.

        Raises:
            ConfigError: the address cannot be used; says what is accepted.
        """
        self.address = address
        if address.startswith("s3://"):
            self._files, self._base, self.place = _s3(address, access)
        elif "://" in address:
            raise ConfigError(f"{address}: give a folder, or s3://bucket/prefix")
        else:
            from pyarrow import fs

            folder = str(Path(address).expanduser().resolve())
            self._files, self._base = fs.LocalFileSystem(), folder
            self.place = Place(f"{folder}/{ENGINE}")

    def sizes(self, below: str = "") -> dict[str, int]:
        """Every file's size in bytes, by its path; empty where there is nothing."""
        from pyarrow import fs

        base = f"{self._base}/{below}".rstrip("/")
        with _faults(self.address):
            found = self._files.get_file_info(
                fs.FileSelector(base, recursive=True, allow_not_found=True)
            )
        return {one.path[len(base) + 1 :]: one.size for one in found if one.is_file}

    def write(self, path: str, blocks: Iterable[bytes]) -> Written:
        """Write a file.

        Raises:
            StoreError: the place refused.
        """
        target, digest, size = f"{self._base}/{path}", hashlib.sha256(), 0
        with _faults(self.address):
            self._files.create_dir(os.path.dirname(target), recursive=True)  # noqa: PTH120 of S3 too
            with self._files.open_output_stream(target, compression=None) as stream:
                for block in blocks:
                    digest.update(block)
                    size += len(block)
                    stream.write(block)
        return Written(size, digest.hexdigest())

    def read(self, path: str) -> Iterator[bytes]:
        """A file in blocks.

        Raises:
            StoreError: the place refused.
        """
        with (
            _faults(self.address),
            self._files.open_input_stream(f"{self._base}/{path}", compression=None) as stream,
        ):
            while block := stream.read(BLOCK_BYTES):
                yield block

    def remove(self) -> None:
        """Delete everything below the place."""
        from pyarrow import fs

        with _faults(self.address):
            if self._files.get_file_info(self._base).type == fs.FileType.Directory:
                self._files.delete_dir_contents(self._base)


def _s3(address: str, access: S3Access) -> tuple[fs.FileSystem, str, Place]:
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    if not parts.netloc or not prefix:
        raise ConfigError(f"{address}: name a bucket and a prefix, as in s3://bucket/prefix")
    if not (access.access_key and access.secret_key):
        raise ConfigError(
            f"{address}: no keys: set [backup] access_key and secret_key (or "
            "STREAMGAUGE_BACKUP__SECRET_KEY_FILE), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    from pyarrow import fs

    endpoint = urlsplit(access.endpoint)
    files = fs.S3FileSystem(
        access_key=access.access_key,
        secret_key=access.secret_key,
        region=access.region,
        scheme=endpoint.scheme,
        endpoint_override=endpoint.netloc,
    )
    base = f"{parts.netloc}/{prefix}"
    url = f"{access.endpoint}/{base}/{ENGINE}"
    return files, base, Place(url, access.access_key, access.secret_key)


class _faults:  # noqa: N801 used as a statement
    """Turns what a file system raises into a StoreError that names the place."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            text = str(error).splitlines()[0][:300]
            raise StoreError(f"{self._address}: {text}", permanent=False) from error
