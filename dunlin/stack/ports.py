"""Ports of 127.0.0.1: free ones, taken ones, and who took them."""

import shutil
import socket
import subprocess

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """A port we need belongs to another process; `pid` is None when the system does not report it."""

    def __init__(self, port: int, purpose: str, pid: int | None) -> None:
        self.port, self.pid = port, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"port {port} ({purpose}) is taken by {who}. Stop that process, or choose another port (see `dunlin up --help`).")


def free_ports(count: int) -> list[int]:
    """Name `count` different ports that are free at this moment."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def is_open(port: int, host: str = HOST, timeout: float = 1.0) -> bool:
    """Return whether a server answers on `port` within `timeout` seconds."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def owner(port: int) -> int | None:
    """Name the process listening on `port`, if `psutil` or `lsof` is available and permitted to report it."""
    try:
        import psutil  # type: ignore[import-untyped]  # ships no types; asked for two facts only
    except ImportError:
        return _owner_by_lsof(port)
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return _owner_by_lsof(port)
    found = [c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port]
    return next((pid for pid in found if pid), None)


def refuse_taken(port: int, purpose: str) -> None:
    """Raise PortTakenError, naming the owner, unless `port` is free."""
    if not is_free(port):
        raise PortTakenError(port, purpose, owner(port))


def _owner_by_lsof(port: int) -> int | None:
    lsof = shutil.which("lsof")
    if lsof is None:
        return None
    command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return int(output[0]) if output else None
