"""Opens sockets of UDP and Unix: large buffers, stale files, what the kernel dropped."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from pathlib import Path

import structlog

from streamgauge.model.errors import ConfigError

log = structlog.get_logger()

BUFFER_BYTES = 8_000_000
"""Asked of the kernel for a UDP socket: a pause of ours must not cost datagrams."""
MAX_PATH_BYTES = 107
"""Source: unix(7), `sun_path`."""
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
"""Source: linux/sock_diag.h, `SK_MEMINFO_*`; the last one is `SK_MEMINFO_DROPS`, the counter that
SO_RXQ_OVFL sends along with datagrams. Asked for, it is never behind."""


def udp_socket(host: str, port: int) -> socket.socket:
    """A bound UDP socket with as much buffer as is allowed.

    Raises:
        ConfigError: in use, not allowed, or not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.bind(("127.0.0.1" if host == "localhost" else host, port))
    except OSError as error:
        opened.close()
        raise ConfigError(
            f"[udp] listen: {host}:{port} cannot be listened on ({error.strerror}): give a free "
            "port at an address of this machine"
        ) from error
    _enlarge(opened)
    return opened


def _enlarge(opened: socket.socket) -> None:
    """Raise the receive buffer, past the system's limit where we may."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)
    except OSError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    got = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it
    if got < BUFFER_BYTES:
        advice = f"sysctl -w net.core.rmem_max={BUFFER_BYTES} allows more"
        log.info(f"the buffer of UDP is {got:,} bytes; {advice}")


def dropped_count(opened: socket.socket) -> int:
    """Datagrams that the kernel dropped at this socket, modulo 2^32; 0 where it does not tell."""
    try:
        told = opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(told)[8]) if len(told) == _MEMINFO.size else 0


def unix_socket(path: Path, kind: socket.SocketKind, mode: int) -> socket.socket:
    """A bound Unix socket; what a dead process left there is taken away.

    Args:
        path: of its file.
        kind: SOCK_DGRAM or SOCK_STREAM.
        mode: permissions of the file.

    Raises:
        ConfigError: it cannot be bound there; says why and what to do.
    """
    check_unix_path(path, kind)
    opened = socket.socket(socket.AF_UNIX, kind)
    try:
        opened.setblocking(False)
        os.fchmod(opened.fileno(), mode)  # so that it is never open to more than that
        opened.bind(str(path))
        path.chmod(mode)
    except OSError as error:
        opened.close()
        raise ConfigError(f"{path} cannot be listened on: {error.strerror}") from error
    return opened


def check_unix_path(path: Path, kind: socket.SocketKind) -> None:
    """Whether a socket can be there, after a stale one is taken away.

    Raises:
        ConfigError: too long, no such folder, another file, or another program listens there.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ConfigError(f"{path}: longer than {MAX_PATH_BYTES} bytes, which a socket cannot have")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}: make it, or name another")
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"{path} is another file, no socket: remove it, or name another path")
    if _is_alive(path, kind):
        raise ConfigError(f"{path}: another program listens there: stop it, or name another path")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _is_alive(path: Path, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(str(path))
    return code not in {errno.ECONNREFUSED, errno.ENOENT}


def file_of(opened: socket.socket) -> tuple[Path, int] | None:
    """The file of a bound Unix socket and its inode; None where there is none."""
    name = opened.getsockname()
    if opened.family != socket.AF_UNIX or not name:
        return None
    path = Path(os.fsdecode(name))
    return path, path.lstat().st_ino


def remove_file(file: tuple[Path, int] | None) -> None:
    """Remove what `file_of` told, unless another's file is there by now."""
    if file is not None:
        path, inode = file
        with contextlib.suppress(OSError):
            if path.lstat().st_ino == inode:
                path.unlink()
