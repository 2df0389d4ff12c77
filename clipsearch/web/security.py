"""What no request gets past, whatever it asks for: who may ask, how much may be sent, what a browser may do with it."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.web.bodies import BodyBudget, BodyLimits, LimitedBody
from clipsearch.web.errors import send_problem
from clipsearch.web.lanes import is_client_gone
from clipsearch.web.origins import Origin, is_address, parse_host, parse_origin

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# The page runs its own scripts and no others; "blob:" is the picture that was just dropped onto it.
_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

_SAFE_METHODS = ("GET", "HEAD")

_COOKIE = "clipsearch"

# What needs no token.
_OPEN = ("/healthz",)


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Who may ask what.

    Attributes:
        token: to be shown with every request; None: whoever can connect may ask.
        hosts: names under which the server is asked, besides those of the loopback; a name that is not its own is how
            pages elsewhere get at servers of this machine (DNS rebinding).
        origins: of its own pages, besides the one that a request is sent to: those of a proxy that says neither Host
            nor X-Forwarded-Proto.
        allow_addresses: any IP address is its own as well; only with a token.
        bodies: how much may be sent.
    """

    token: str | None = None
    hosts: Collection[str] = ()
    origins: Collection[Origin] = ()
    allow_addresses: bool = False
    bodies: BodyLimits = field(default_factory=BodyLimits)


class Guard:
    """ASGI middleware, the outermost of all."""

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
        elif self._rules.token is not None and scope["path"] not in _OPEN:
            await self._ask_for_token(self._rules.token, scope, headers, receive, send)
        else:
            await self._let_in(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = LimitedBody(receive, send, self._rules.bodies, self._budget)
        is_client_gone.set(body.is_gone)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            body.close()

    async def _ask_for_token(self, token: str, scope: Scope, headers: "_Headers", receive: Receive, send: Send) -> None:
        """A good one anywhere suffices, whatever else is shown."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        in_query = [value for name, value in query if name == "token"]
        is_read = scope["method"] in _SAFE_METHODS
        cookie = _cookie_name(headers, scope)
        is_known = _is_among(token, headers.tokens(cookie))
        if is_read and _is_among(token, in_query):
            await _log_in(scope, send, rest, cookie, token)
        elif not is_known:
            detail = "that is not the token" if in_query and is_read else "a token is needed: open the address"
            await send_problem(send, 401, f"{detail} that the server printed when it was started")
        elif in_query and is_read and not scope["path"].startswith("/api/"):
            await _log_in(scope, send, rest, cookie, token)
        else:
            await self._let_in({**scope, "query_string": rest.encode("ascii")} if in_query else scope, receive, send)

    def _refusal(self, scope: Scope, headers: "_Headers") -> tuple[int, str] | None:
        own = parse_host(headers.get("host"), scheme=scope.get("scheme", "http"))
        if own is None or not self._is_own(own.host):
            return 421, "the server is not known by this name: start it with --allow-host NAME"
        for each in headers.all("origin"):
            origin = parse_origin(each)
            if origin is None or (origin != own and origin not in self._rules.origins):
                return 403, "pages of other sites may not ask here"
        site = headers.get("sec-fetch-site", "same-origin")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not (is_visit and not scope["path"].startswith("/api/")):
            return 403, "pages of other sites may not ask here"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "no length of a request"
        if len(length) > 18 or int(length) > self._rules.bodies.max_bytes:
            return 413, f"at most {self._rules.bodies.max_bytes / 1e6:.0f} MB are taken"
        return None

    def _is_own(self, host: str) -> bool:
        if host in _LOOPBACK or host in self._rules.hosts:
            return True
        return self._rules.allow_addresses and is_address(host)


class _Headers:
    """The headers of a request, by their names in small letters."""

    def __init__(self, scope: Scope) -> None:
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self._pairs if known == name]

    def get(self, name: str, default: str = "") -> str:
        """The last one."""
        return next(iter(self.all(name)[::-1]), default)

    def tokens(self, cookie: str) -> list[str]:
        """All that are shown, good ones or not. Cookies of all programs on 127.0.0.1 come together, in any form: our
        name, `cookie`, is looked for in every part, and there may be several of it; so is the name without a
        port, which earlier versions gave."""
        shown = []
        for value in self.all("authorization"):
            kind, _, token = value.strip().partition(" ")
            if kind.lower() == "bearer":
                shown.append(token.strip())
        for part in ";".join(self.all("cookie")).split(";"):
            name, _, value = part.partition("=")
            if name.strip() in (cookie, _COOKIE):
                shown.append(value.strip().strip('"'))
        return shown


def _cookie_name(headers: _Headers, scope: Scope) -> str:
    """With the port that the browser sees: cookies are shared by all ports of a host, and so by all servers on it.

    Source: RFC 6265, section 8.5.
    """
    own = parse_host(headers.get("host"), scheme=scope.get("scheme", "http"))
    return f"{_COOKIE}-{0 if own is None else own.port}"


def _is_among(token: str, shown: list[str]) -> bool:
    """All are compared, in a time that tells nothing; as bytes, for texts must be ASCII."""
    return bool(sum(hmac.compare_digest(each.encode("utf-8", "surrogatepass"), token.encode()) for each in shown))


async def _log_in(scope: Scope, send: Send, rest: str, cookie: str, token: str) -> None:
    """The token goes from the address, where it would stay in histories, into a cookie."""
    path = "/" + quote(scope["path"].lstrip("/"))  # "//host" would lead elsewhere
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
