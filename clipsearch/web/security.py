"""Guard every request: host and origin checks, token authentication, body limits and security headers."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.web.bodies import BodyBudget, BodyLimits, LimitedBody
from clipsearch.web.errors import send_problem
from clipsearch.web.lanes import is_client_disconnected
from clipsearch.web.origins import Origin, is_address, parse_host, parse_origin

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# Pages run bundled scripts only; "blob:" is the preview of a dropped picture.
_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

_SAFE_METHODS = ("GET", "HEAD")

_COOKIE = "clipsearch"

# Paths without authentication.
_PUBLIC_PATHS = ("/healthz",)


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Access rules of the server.

    Attributes:
        token: required with every request; None: no authentication.
        hosts: accepted host names besides those of the loopback; others are refused, as pages of other sites could
            reach the server through them (DNS rebinding).
        origins: accepted origins besides that of the request's own URL, for a proxy that passes on neither Host nor
            X-Forwarded-Proto.
        allow_addresses: accept any IP address as host; only with a token.
        bodies: limits of request bodies.
    """

    token: str | None = None
    hosts: Collection[str] = ()
    origins: Collection[Origin] = ()
    allow_addresses: bool = False
    bodies: BodyLimits = field(default_factory=BodyLimits)


class Guard:
    """ASGI middleware that enforces `GuardRules`; to be the outermost."""

    def __init__(self, app: ASGIApp, *, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules
        self._budget = BodyBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close"})
            return
        headers = _Headers(scope)
        send = _with_headers(send)
        if refusal := self._refusal(scope, headers):
            await send_problem(send, *refusal)
        elif self._rules.token is not None and scope["path"] not in _PUBLIC_PATHS:
            await self._authenticate(self._rules.token, scope, headers, receive, send)
        else:
            await self._forward(scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = LimitedBody(receive, send, self._rules.bodies, self._budget)
        is_client_disconnected.set(body.is_disconnected)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            body.close()

    async def _authenticate(self, token: str, scope: Scope, headers: "_Headers", receive: Receive, send: Send) -> None:
        """Forward a request with a valid token in its query, header or cookies; invalid ones are ignored then."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        in_query = [value for name, value in query if name == "token"]
        is_read = scope["method"] in _SAFE_METHODS
        cookie = _cookie_name(headers, scope)
        is_known = _contains_token(token, headers.tokens(cookie))
        if is_read and _contains_token(token, in_query):
            await _log_in(scope, send, rest, cookie, token)
        elif not is_known:
            detail = "invalid token" if in_query and is_read else "a token is required"
            await send_problem(send, 401, f"{detail}: open the address that the server printed when it started")
        elif in_query and is_read and not scope["path"].startswith("/api/"):
            await _log_in(scope, send, rest, cookie, token)
        else:
            await self._forward({**scope, "query_string": rest.encode("ascii")} if in_query else scope, receive, send)

    def _refusal(self, scope: Scope, headers: "_Headers") -> tuple[int, str] | None:
        own = parse_host(headers.get("host"), scheme=scope.get("scheme", "http"))
        if own is None or not self._is_own(own.host):
            return 421, "unknown host name: start the server with --allow-host NAME"
        for each in headers.all("origin"):
            origin = parse_origin(each)
            if origin is None or (origin != own and origin not in self._rules.origins):
                return 403, "requests from pages of other sites are refused"
        site = headers.get("sec-fetch-site", "same-origin")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not (is_visit and not scope["path"].startswith("/api/")):
            return 403, "requests from pages of other sites are refused"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "invalid Content-Length"
        if len(length) > 18 or int(length) > self._rules.bodies.max_bytes:
            return 413, f"the request is too large: at most {self._rules.bodies.max_bytes / 1e6:.0f} MB"
        return None

    def _is_own(self, host: str) -> bool:
        if host in _LOOPBACK or host in self._rules.hosts:
            return True
        return self._rules.allow_addresses and is_address(host)


class _Headers:
    """Headers of a request, by lower-case name."""

    def __init__(self, scope: Scope) -> None:
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self._pairs if known == name]

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a header."""
        return next(iter(self.all(name)[::-1]), default)

    def tokens(self, cookie: str) -> list[str]:
        """Return all candidate tokens, valid or not, from headers and cookies.

        Cookies of all programs on 127.0.0.1 arrive together and may be malformed: `cookie`, and the name without a port
        of earlier versions, are searched in every part, and may occur several times.
        """
        candidates = []
        for value in self.all("authorization"):
            kind, _, token = value.strip().partition(" ")
            if kind.lower() == "bearer":
                candidates.append(token.strip())
        for part in ";".join(self.all("cookie")).split(";"):
            name, _, value = part.partition("=")
            if name.strip() in (cookie, _COOKIE):
                candidates.append(value.strip().strip('"'))
        return candidates


def _cookie_name(headers: _Headers, scope: Scope) -> str:
    """Return the cookie name with the port that the browser sees, as all ports of a host share its cookies.

    Source: RFC 6265, section 8.5.
    """
    own = parse_host(headers.get("host"), scheme=scope.get("scheme", "http"))
    return f"{_COOKIE}-{0 if own is None else own.port}"


def _contains_token(token: str, candidates: list[str]) -> bool:
    """Compare all candidates with the token in constant time; as bytes, since `compare_digest` requires ASCII texts."""
    return bool(sum(hmac.compare_digest(each.encode("utf-8", "surrogatepass"), token.encode()) for each in candidates))


async def _log_in(scope: Scope, send: Send, rest: str, cookie: str, token: str) -> None:
    """Redirect with the token in a cookie instead of the URL, where it would stay in the browser history."""
    path = "/" + quote(scope["path"].lstrip("/"))  # "//host" would redirect to another host
    headers = [
        (b"location", f"{path}?{rest}".rstrip("?").encode("ascii")),
        (b"set-cookie", f"{cookie}={token}; Path=/; HttpOnly; SameSite=Strict".encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            present = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in _HEADERS.items() if name not in present]
            if b"cache-control" not in present:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return send_with_headers
