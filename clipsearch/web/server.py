"""Run the web server: listen, warm up the model, handle requests until Ctrl-C."""

import contextlib
import logging
import re
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import uvicorn

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError, InputError
from clipsearch.web.app import make_app
from clipsearch.web.connections import ConnectionLimits, make_protocol
from clipsearch.web.origins import parse_host, parse_origin
from clipsearch.web.security import GuardRules

DEFAULT_PORT = 8123

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104

# Connections' share of the open file limit; the rest is for the catalog.
_SHARE_OF_FILES = 0.5

# Grace period for requests in progress at shutdown.
_SHUTDOWN_GRACE_S = 3


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Options of the web server.

    Attributes:
        host: address or host name of this machine.
        port: 0 for any free port.
        token: required from clients; None: no token on the loopback, else a new random one.
        hosts: additional host names, or origins such as https://photos.example.org.
        may_index: None: on the loopback only.
        watch: also index what changes in the indexed folders.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    hosts: tuple[str, ...] = ()
    may_index: bool | None = None
    watch: bool = False

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK

    @property
    def shown_host(self) -> str:
        """Host of the printed URL: the name of this machine where the server listens on all of its addresses."""
        return socket.gethostname() if self.host in _ALL_ADDRESSES else self.host


def serve(catalog: Catalog, options: ServerOptions, *, on_ready: Callable[[str], None]) -> None:
    """Serve a catalog until Ctrl-C.

    Args:
        catalog: opened with `shared=True`.
        on_ready: called with the URL to open once the server listens.

    Raises:
        InputError: invalid option, or the address is not this machine's or is in use.
    """
    token = options.token or (None if options.is_loopback else secrets.token_urlsafe(24))
    if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,}", token):
        raise InputError("a token must have at least 16 letters, digits, '-' or '_'")
    rules = _guard_rules(options, token)
    may_index = options.is_loopback if options.may_index is None else options.may_index
    listening = _listen(options.host, options.port)
    limits = _connection_limits()
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed form
    with contextlib.closing(listening):
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(
                    catalog,
                    rules=rules,
                    may_index=may_index,
                    may_reveal=options.is_loopback,
                    watch=options.watch,
                ),
                http=make_protocol(limits),
                h11_max_incomplete_event_size=limits.max_head_bytes,
                log_level="error",  # request errors are reported to the client
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_GRACE_S,
                ws="none",
            )
        )
        warming = threading.Thread(target=_warm_up, args=(catalog,), name="warm-up", daemon=True)
        warming.start()
        host = f"[{options.shown_host}]" if ":" in options.shown_host else options.shown_host
        address = f"http://{host}:{listening.getsockname()[1]}/"
        on_ready(address if token is None else f"{address}?token={token}")
        with contextlib.suppress(KeyboardInterrupt):  # the regular end
            server.run(sockets=[listening])


def _guard_rules(options: ServerOptions, token: str | None) -> GuardRules:
    """Build the access rules.

    Raises:
        InputError: an entry of `hosts` is neither a host name nor an origin.
    """
    hosts, origins = {options.host.strip("[]").lower(), options.shown_host.lower()}, set()
    for name in options.hosts:
        origin = parse_origin(name.rstrip("/")) if "://" in name else parse_host(name, scheme="http")
        if origin is None:
            raise InputError(
                f"invalid --allow-host {name}: use a host name, or an origin such as https://photos.example"
            )
        hosts.add(origin.host)
        if "://" in name:
            origins.add(origin)
    return GuardRules(token=token, hosts=hosts, origins=origins, allow_addresses=token is not None)


def _connection_limits() -> ConnectionLimits:
    limits = ConnectionLimits()
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return limits
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return limits
    return replace(limits, max_connections=max(1, min(limits.max_connections, int(_SHARE_OF_FILES * files))))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
    except (OSError, UnicodeError, OverflowError) as error:
        raise InputError(f"{host} is not an address of this machine: {error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(f"can't listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}") from error
    return listening


def _warm_up(catalog: Catalog) -> None:
    """Load what the first search needs; errors are reported by the first request instead."""
    with contextlib.suppress(ClipSearchError):
        catalog.admin.warm_up()
