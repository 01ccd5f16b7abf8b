"""The listening socket that the workers share, and what answers on an address."""

import http.client
import os
import socket
from errno import EADDRINUSE, EADDRNOTAVAIL

SEND_BUFFER_BYTES = 256 * 1024  # of the system, for each connection


class StartError(Exception):
    """The service cannot start. The message is one sentence that says what to change."""


def listen(host: str, port: int, setting: str = "READSTATE") -> socket.socket:
    """A listening socket on `host` (name or address, IPv4 or IPv6) and `port` (0: any free one).

    They come from the settings that begin with `setting`. Raises StartError.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except socket.gaierror as error:
        raise StartError(f"{setting}_HOST: {host} is no address of this machine ({error.strerror})") from None
    except PermissionError:
        raise StartError(
            f"port {port} needs more rights than this user has; set {setting}_PORT to one above 1023"
        ) from None
    except OSError as error:
        if error.errno == EADDRINUSE and _is_readstate(reachable_host(host), port):
            raise StartError(
                f"another readstate listens on {host} port {port}; stop it first, or set {setting}_PORT to another"
            ) from None
        if error.errno == EADDRNOTAVAIL:
            raise StartError(f"{setting}_HOST: {host} is no address of this machine; 0.0.0.0 is all it has") from None
        # Not the text of the error, which repeats the address.
        why = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(
            f"cannot listen on {host} port {port} ({why}); stop what uses it, "
            f"or set {setting}_HOST or {setting}_PORT to another"
        ) from None
    # Connections inherit it. The system's default is 4 MiB for a client that does not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.set_inheritable(True)
    return listener


def reachable_address(listener: socket.socket) -> tuple[str, int]:
    """The address at which a client on this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    return reachable_host(host), port


def reachable_host(host: str) -> str:
    """`host`, or the loopback address where `host` stands for every address of this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def ask_ready(address: tuple[str, int]) -> tuple[bool, str]:
    """Whether the service at `address` is ready, and the beginning of its answer."""
    return _ask(*address, "/readyz", timeout_s=5)


def _is_readstate(host: str, port: int) -> bool:
    """Whether the server that listens there is a service like this one."""
    # A port of its own for operators has no /, and the other one then has no /metrics.
    return any("readstate" in _ask(host, port, path, timeout_s=2)[1] for path in ("/", "/metrics"))


def _ask(host: str, port: int, path: str, timeout_s: float) -> tuple[bool, str]:
    """Whether a GET is answered with 200, and the beginning of the answer."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status == 200, f"{response.status} {response.read(1000).decode(errors='replace')}"
    except OSError as error:
        return False, str(error)
    except http.client.HTTPException as error:
        return False, repr(error)
    finally:
        connection.close()
