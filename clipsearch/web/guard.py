"""What no request gets past, whatever it asks for: who may ask, how much may be sent, what a browser may do with it."""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipsearch.web.problems import MEDIA_TYPE, problem

COOKIE = "clipsearch"

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


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Who may ask what.

    Attributes:
        token: to be shown with every request; None: whoever can connect may ask.
        hosts: names under which the server is asked, besides those of the loopback; a name that is not its own is how
            pages elsewhere get at servers of this machine (DNS rebinding).
        allow_addresses: any IP address is its own as well; only with a token.
        max_body_bytes: of a request.
        max_body_seconds: from its first byte to its last.
    """

    token: str | None = None
    hosts: Collection[str] = ()
    allow_addresses: bool = False
    max_body_bytes: int = 64 << 20
    max_body_seconds: float = 60.0


class Guard:
    """ASGI middleware, the outermost of all."""

    def __init__(self, app: ASGIApp, *, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close"})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        send = _with_headers(send)
        if refusal := self._refusal(scope, headers):
            await _answer(send, *refusal)
        elif self._rules.token is not None and (token := _token_in_query(scope)) is not None:
            await self._log_in(scope, send, token)
        elif not self._is_known(scope, headers):
            await _answer(send, 401, "a token is needed: open the address that the server printed when it was started")
        else:
            body = _Body(receive, send, self._rules)
            await self._app(scope, body.receive, body.send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_own(host):
            return 421, "the server is not known by this name: start it with --allow-host NAME"
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            return 403, "pages of other sites may not ask here"
        site = headers.get("sec-fetch-site", "same-origin")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if site not in ("same-origin", "none") and not (is_visit and not scope["path"].startswith("/api/")):
            return 403, "pages of other sites may not ask here"
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            return 400, "no length of a request"
        if length > self._rules.max_body_bytes:
            return 413, f"at most {self._rules.max_body_bytes / 1e6:.0f} MB are taken"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in _LOOPBACK or name in self._rules.hosts:
            return True
        if not self._rules.allow_addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_known(self, scope: Scope, headers: dict[str, str]) -> bool:
        token = self._rules.token
        if token is None or scope["path"] == "/healthz":
            return True
        shown = [headers.get("authorization", "").removeprefix("Bearer ")]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is not None:
            shown.append(cookie.value)
        return any(hmac.compare_digest(each.encode(), token.encode()) for each in shown)

    async def _log_in(self, scope: Scope, send: Send, shown: str) -> None:
        """The token goes from the address, where it would stay in histories, into a cookie."""
        token = self._rules.token or ""
        if scope["method"] not in _SAFE_METHODS or not hmac.compare_digest(shown.encode(), token.encode()):
            await _answer(send, 401, "that is not the token that the server printed when it was started")
            return
        rest = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
        path = "/" + quote(scope["path"].lstrip("/"))  # "//host" would lead elsewhere
        headers = [
            (b"location", f"{path}?{urlencode(rest)}".rstrip("?").encode("ascii")),
            (b"set-cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict".encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class _Body:
    """What a request sends, up to a limit. Beyond it the answer says so, whatever the application made of it."""

    def __init__(self, receive: Receive, send: Send, rules: GuardRules) -> None:
        self._receive = receive
        self._send = send
        self._rules = rules
        self._size_bytes = 0
        self._is_complete = False
        self._deadline: float | None = None
        self._failure: tuple[int, str] | None = None
        self._is_answered = False

    async def receive(self) -> Message:
        if self._is_complete:
            return await self._receive()  # only says when the client goes
        now = asyncio.get_running_loop().time()
        self._deadline = self._deadline or now + self._rules.max_body_seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._failure = (408, f"it took longer than {self._rules.max_body_seconds:.0f} s to send")
            return {"type": "http.disconnect"}
        self._size_bytes += len(message.get("body", b""))
        if self._size_bytes > self._rules.max_body_bytes:
            self._failure = (413, f"at most {self._rules.max_body_bytes / 1e6:.0f} MB are taken")
            return {"type": "http.disconnect"}
        self._is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self._failure is None:
            await self._send(message)
        elif not self._is_answered:
            self._is_answered = True
            await _answer(self._send, *self._failure)


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


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _token_in_query(scope: Scope) -> str | None:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token")


async def _answer(send: Send, status: int, detail: str) -> None:
    content = json.dumps(problem(status, detail)).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(content)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
