"""Fetch the picture that a URL names, from the public internet only.

URLs are untrusted. So the addresses of a URL's host are resolved here, once; all of them must be public, and the
connection goes to one that was checked: a second lookup could return another answer. Each redirect is checked the same
way. The proxies of the environment are not used: a proxy would resolve the host itself.
"""

import contextlib
import http.client
import io
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urljoin, urlsplit

from clipsearch.errors import ImageReadError, InputError
from clipsearch.images.remote.addresses import Address, is_public
from clipsearch.types import FetchedPicture
from clipsearch.version import __version__

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# As getaddrinfo returns it: family, type, protocol, canonical name, socket address.
_Found: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]

DEADLINE_S = 20.0
MAX_BYTES = 50_000_000
MAX_REDIRECTS = 3
# The first address of a host with several may not answer.
_CONNECT_TIMEOUT_S = 5.0
_CHUNK_BYTES = 1 << 16

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Other services listen on other ports, to which an untrusted URL could send requests.
_PORTS = frozenset(_DEFAULT_PORTS.values())
_REDIRECTS = (301, 302, 303, 307, 308)


def fetch_picture(
    url: str, *, hosts: Collection[str] = (), is_allowed: Callable[[Address], bool] = is_public
) -> FetchedPicture:
    """Fetch a picture of at most 50 MB within 20 seconds, following at most three redirects, without decoding it.

    Args:
        url: http or https, without user name and password.
        hosts: HOST:PORT in lower case that may be requested at that port; all others at 80 and 443 only.
        is_allowed: whether an address may be connected to; all addresses of a host must be allowed.

    Raises:
        InputError: the URL or a redirect is invalid or not allowed.
        ImageReadError: no response, or not a picture.
    """
    deadline = _Deadline(DEADLINE_S)
    try:
        place = _parse(url)
        for _ in range(1 + MAX_REDIRECTS):
            if place.port not in _PORTS and place.authority not in hosts:
                raise InputError(
                    f"port {place.port} is not allowed, only 80 and 443 (CLIPSEARCH_ALLOW_URL={place.authority} "
                    "allows that one)"
                )
            found = _get(place, deadline, is_allowed)
            if isinstance(found, bytes):
                return FetchedPicture(url, found)
            if place.scheme == "https" and found.scheme == "http":
                raise ImageReadError("it redirects from https to http")
            place = found
        raise ImageReadError(f"redirected more than {MAX_REDIRECTS} times")
    except (InputError, ImageReadError) as error:
        # A password must not appear in a message.
        shown = re.sub(r"//[^/?#]*@", "//…@", url)
        raise type(error)(f"can't fetch {shown}: {error}") from error


class _Deadline:
    """Deadline of a whole fetch: with a timeout per read, a server could go on for ever, byte by byte."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the remaining seconds, more than 0.

        Raises:
            ImageReadError: the deadline has passed.
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise ImageReadError(f"it took longer than {DEADLINE_S:g} seconds")
        return seconds


@dataclass(frozen=True, slots=True)
class _Place:
    """A validated URL in parts; all ASCII.

    Attributes:
        authority: host and port as in the Host header.
        target: path and query.
    """

    url: str
    scheme: str
    host: str
    port: int
    authority: str
    target: str


def _parse(url: str) -> _Place:
    # urlsplit drops some of these silently; the URL that is checked must be the one that is requested.
    if re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise InputError("a URL holds no spaces, line breaks or backslashes (a space is written %20)")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        path, query = (quote(part, safe="/%:;@!$&'()*+,=~?[]|") for part in (parts.path, parts.query))
    except ValueError as error:  # also when DNS could not have the host's name
        raise InputError("it is not a valid URL") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InputError(f"{parts.scheme or 'a URL without a scheme'}: only http and https can be fetched")
    if "@" in parts.netloc:
        raise InputError("a URL with a user name or password is not supported")
    if not host:
        raise InputError("it names no host")
    authority = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[parts.scheme]:
        authority += f":{port}"
    return _Place(url, parts.scheme, host, port, authority, (path or "/") + (f"?{query}" if query else ""))


def _get(place: _Place, deadline: _Deadline, is_allowed: Callable[[Address], bool]) -> bytes | _Place:
    """Send one request, and return the picture's content or the target of a redirect.

    Raises:
        InputError, ImageReadError: the request failed; the message does not include the URL.
    """
    found = _resolve(place, deadline)
    for *_, socket_address in found:
        # A link-local address may be followed by "%" and its interface.
        address = ipaddress.ip_address(str(socket_address[0]).partition("%")[0])
        if not is_allowed(address):
            raise InputError(f"{place.host} is at {address}, and only public addresses are connected to")
    try:
        with _connected(place, found, deadline) as connected:
            connection = http.client.HTTPConnection(place.host, place.port)
            connection.sock = _TimedSocket(connected, deadline)
            headers = {
                "Host": place.authority,
                "User-Agent": f"clipsearch/{__version__}",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            connection.request("GET", place.target, headers=headers)
            with connection.getresponse() as response:
                if response.status in _REDIRECTS and (location := response.getheader("Location")):
                    return _parse(urljoin(place.url, location))
                return _picture_of(response)
    except TimeoutError as error:
        deadline.left()
        raise ImageReadError("the server does not answer") from error
    except ssl.SSLCertVerificationError as error:
        raise ImageReadError(f"the certificate of {place.host} is not accepted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise ImageReadError(f"no secure connection to {place.host}: {error.reason or error}") from error
    except OSError as error:
        raise ImageReadError(f"the connection to {place.host} failed: {error.strerror or error}") from error
    except http.client.IncompleteRead as error:
        raise ImageReadError("the response was truncated") from error
    except (http.client.HTTPException, ValueError) as error:
        raise ImageReadError(f"the server's response is invalid ({type(error).__name__})") from error


def _resolve(place: _Place, deadline: _Deadline) -> Sequence[_Found]:
    answer: queue.SimpleQueue[Sequence[_Found] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    # The system's lookup has no timeout. A daemon thread that still waits does not keep the process alive.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise ImageReadError(f"looking up {place.host} took longer than {DEADLINE_S:g} seconds") from None
    if isinstance(found, OSError | UnicodeError):
        raise ImageReadError(f"no address of {place.host}: {getattr(found, 'strerror', None) or found}") from found
    return found


@contextlib.contextmanager
def _connected(place: _Place, found: Sequence[_Found], deadline: _Deadline) -> Iterator[socket.socket]:
    """Connect to the first address that answers; for https, verify the host's certificate.

    Raises:
        OSError: none answers, or the certificate is invalid.
        ImageReadError: the deadline has passed.
    """
    failure = OSError("it has no address")
    for family, kind, protocol, _, socket_address in found:
        with socket.socket(family, kind, protocol) as plain:
            plain.settimeout(min(_CONNECT_TIMEOUT_S, deadline.left()))
            try:
                plain.connect(socket_address)
            except OSError as error:
                failure = error
                continue
            if place.scheme == "http":
                yield plain
                return
            plain.settimeout(deadline.left())
            with ssl.create_default_context().wrap_socket(plain, server_hostname=place.host) as secure:
                yield secure
                return
    raise failure


class _TimedSocket(io.RawIOBase):
    """The part of a socket that http.client needs, with the remaining time as the timeout of each read and write."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """Do nothing: http.client closes before it has read the response, and `_connected` closes the socket."""


def _picture_of(response: http.client.HTTPResponse) -> bytes:
    """Read the picture from a response.

    Raises:
        ImageReadError: it is not a picture, too large, or truncated.
    """
    if response.status != 200:
        meaning = http.client.responses.get(response.status, "")
        raise ImageReadError(f"the server answers {response.status} {meaning}".rstrip())
    kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise ImageReadError(f"it is not a picture but {kind[:50] or 'of an undeclared type'}")
    if response.getheader("Content-Encoding", "identity").strip().lower() not in ("identity", ""):
        raise ImageReadError("the server compressed it, against the request")
    too_large = ImageReadError(f"it is larger than {MAX_BYTES / 1e6:g} MB")
    announced = response.length  # None: the end of the connection is the end, or the response is chunked
    if announced is not None and announced > MAX_BYTES:
        raise too_large
    content = bytearray()
    while chunk := response.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_BYTES:
            raise too_large
    if announced is not None and len(content) < announced:
        raise ImageReadError("the response was truncated")
    return bytes(content)
