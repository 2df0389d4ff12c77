"""Who may ask, how much may be sent, and what a browser may do with the answer."""

import asyncio

import pytest
from fastapi.testclient import TestClient

from clipsearch.web.bodies import BodyLimits
from clipsearch.web.origins import Origin
from clipsearch.web.security import Guard, GuardRules
from tests.web.conftest import client_of

TOKEN = "a-token-of-twenty-letters"


async def echo(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        size, more = size + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def gate(**rules):
    """The guard alone, before an application that lets everything pass."""
    guard = Guard(echo, rules=GuardRules(**rules))
    return TestClient(guard, base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def open_gate():
    return gate()


@pytest.fixture
def locked_gate():
    return gate(token=TOKEN, allow_addresses=True)


def test_every_answer_tells_the_browser_to_trust_nobody_else(client):
    for path in ("/", "/api/status", "/api/search", "/nothing", "/static/page.css", "/api/thumbnail/1", "/pictures/1"):
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8123", "localhost", "LOCALHOST:1", "[::1]:8123"])
def test_it_is_asked_by_its_own_names(open_gate, host):
    assert open_gate.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "localhost.", "", "[::1", "a b"]
)
def test_by_other_names_it_is_not_to_be_had(open_gate, host):
    answer = open_gate.get("/api/status", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["detail"].endswith("--allow-host NAME")


def test_further_names_can_be_allowed(catalog):
    with client_of(catalog, rules=GuardRules(hosts={"nas.local"})) as client:
        assert client.get("/healthz", headers={"host": "nas.local:8123"}).status_code == 200
        assert client.get("/healthz", headers={"host": "192.168.1.2"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[::1"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
    ],
)
def test_pages_of_other_sites_get_nothing_from_the_api(client, headers, status):
    for method in ("GET", "POST", "DELETE"):
        path = "/api/index"
        answer = client.request(
            method, path, headers=headers, json={"folder": "relative"} if method == "POST" else None
        )
        expected = {200: {"GET": 200, "POST": 400, "DELETE": 202}[method]}.get(status, status)
        assert answer.status_code == expected, method


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8123", "http://127.0.0.1:8123", 200),
        ("127.0.0.1:8123", "HTTP://127.0.0.1:8123", 200),
        ("127.0.0.1:8123", "https://127.0.0.1:8123", 403),
        ("127.0.0.1", "https://127.0.0.1", 403),
        ("127.0.0.1", "http://127.0.0.1:80", 200),
        ("127.0.0.1:80", "http://127.0.0.1", 200),
        ("127.0.0.1", "http://127.0.0.1:443", 403),
        ("localhost:8123", "http://LOCALHOST:8123", 200),
        ("LOCALHOST:8123", "http://localhost:8123", 200),
        ("localhost:8123", "http://127.0.0.1:8123", 403),
        ("[::1]:8123", "http://[::1]:8123", 200),
        ("[::1]:8123", "http://[0:0:0:0:0:0:0:1]:8123", 200),
        ("[::1]:8123", "http://::1:8123", 403),
        ("127.0.0.1:8123", "http://evil@127.0.0.1:8123", 403),
        ("127.0.0.1:8123", "http://127.0.0.1:8123/", 403),
        ("127.0.0.1:8123", "127.0.0.1:8123", 403),
        ("127.0.0.1:8123", "//127.0.0.1:8123", 403),
        ("127.0.0.1:8123", "chrome-extension://127.0.0.1:8123", 403),
        ("127.0.0.1:8123", "file://", 403),
        ("127.0.0.1:8123", "", 403),
        ("127.0.0.1:8123", "http://127.0.0.1:8123 http://evil.example", 403),
        ("127.0.0.1:99999", "http://127.0.0.1:99999", 421),
        ("evil.example@127.0.0.1", "http://127.0.0.1", 421),
        ("127.0.0.1:8123/x", "http://127.0.0.1:8123", 421),
    ],
)
def test_an_origin_is_scheme_host_and_port(open_gate, host, origin, status):
    answer = open_gate.get("/api/index", headers={"host": host, "origin": origin.encode("latin-1")})
    assert answer.status_code == status


def test_a_second_origin_does_not_hide_behind_a_good_one(open_gate):
    headers = [("host", "127.0.0.1"), ("origin", "https://evil.example"), ("origin", "http://127.0.0.1")]
    assert open_gate.get("/api/index", headers=headers).status_code == 403


def test_the_page_of_a_proxy_with_tls_is_its_own_where_that_is_said():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def status(rules, scheme, host):
        headers = [(b"host", host), (b"origin", b"https://photos.example")]
        return ask(rules, [b""], headers=headers, scheme=scheme, app=app)[0]

    named = GuardRules(hosts={"photos.example"})
    assert status(named, "https", b"photos.example") == 200  # it says X-Forwarded-Proto
    assert status(named, "http", b"photos.example") == 403
    both = GuardRules(origins={Origin("https", "photos.example", 443)})
    assert status(both, "http", b"127.0.0.1:8123") == 200  # it says nothing


def test_a_link_from_elsewhere_leads_to_the_page(client):
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=visit).status_code == 200
    assert client.post("/", headers=visit).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}).status_code == 403


# ------------------------------------------------------------------ tokens


@pytest.fixture
def locked(catalog):
    with client_of(catalog, rules=GuardRules(token=TOKEN, allow_addresses=True)) as client:
        yield client


def test_without_the_token_nothing_is_to_be_had(locked):
    for path in (
        "/",
        "/api/status",
        "/api/search?q=cat",
        "/api/thumbnail/1",
        "/static/page.css",
        "/metrics",
        "/openapi.json",
    ):
        answer = locked.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert locked.get("/healthz").json() == {"status": "ok"}


def test_programs_show_it_in_a_header(locked):
    assert locked.get("/api/status", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in (TOKEN[:-1], TOKEN + "x", "", "é"):
        headers = {"authorization": f"Bearer {wrong}".encode()}
        assert locked.get("/api/status", headers=headers).status_code == 401


def test_people_open_the_address_once(locked):
    answer = locked.get(f"/?q=a+cat&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=a+cat")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert locked.get("/?q=a+cat").status_code == 200  # the cookie is kept
    assert locked.get("/api/status", headers={"host": "192.168.1.2"}).status_code in (200, 401)


@pytest.mark.parametrize(
    "cookies",
    [
        'prefs={"theme":"dark"}; clipsearch-80=TOKEN',
        "; clipsearch-80=TOKEN",
        "a[b]=c; clipsearch-80=TOKEN",
        "=; =x; clipsearch-80=TOKEN; =",
        "blank; clipsearch-80=TOKEN",
        "näme=ü; clipsearch-80=TOKEN",
        "\xff\xfe=\x80; clipsearch-80=TOKEN",
        'q="a\\"; b; clipsearch-80=TOKEN',
        'clipsearch-80="TOKEN"',
        "clipsearch-80=stale; clipsearch-80=TOKEN",
        "clipsearch-80=TOKEN; clipsearch-80=stale",
        "clipsearch=; clipsearch-80=TOKEN",
        "clipsearch=é; clipsearch-80=TOKEN",
        'prefs={"theme":"dark"}; clipsearch=TOKEN',  # as earlier versions called it
        "a=b;clipsearch-80=TOKEN;c=d",
        "a=b ;  clipsearch-80 = TOKEN ;c=d",
        "a=b, c=d; clipsearch-80=TOKEN",
        "$Version=1; clipsearch-80=TOKEN; $Path=/",
        "other_clipsearch=x; clipsearch-80=TOKEN",
        "a" * 20_000 + "=" + "b" * 20_000 + "; clipsearch-80=TOKEN",
        "; ".join(f"c{number}={number}" for number in range(2_000)) + "; clipsearch-80=TOKEN",
    ],
)
def test_cookies_of_other_programs_do_not_hide_ours(locked_gate, cookies):
    cookie = cookies.replace("TOKEN", TOKEN).encode("latin-1")
    assert locked_gate.get("/api/index", headers={"cookie": cookie}).status_code == 200


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:8123", "clipsearch-8123"),
        ("127.0.0.1:8124", "clipsearch-8124"),
        ("localhost:8123", "clipsearch-8123"),
        ("[::1]:9000", "clipsearch-9000"),
        ("127.0.0.1", "clipsearch-80"),
    ],
)
def test_servers_on_other_ports_of_the_same_machine_have_other_cookies(locked_gate, host, name):
    answer = locked_gate.get(f"/?token={TOKEN}", headers={"host": host})
    assert answer.headers["set-cookie"].startswith(f"{name}={TOKEN};")
    cookie = f"{name}={TOKEN}; clipsearch-1=another-one-s"
    assert locked_gate.get("/api/index", headers={"host": host, "cookie": cookie}).status_code == 200
    assert locked_gate.get("/api/index", headers={"host": "localhost:1", "cookie": cookie}).status_code == 401


def test_cookies_may_come_in_several_headers(locked_gate):
    headers = [("cookie", "x=y"), ("cookie", f"clipsearch-80={TOKEN}")]
    assert locked_gate.get("/api/index", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "cookie",
    [
        "x=clipsearch-80=TOKEN",
        "clipsearch-80=TOKENx",
        "clipsearch-80=xTOKEN",
        "Clipsearch-80=TOKEN",
        "clipsearch-80TOKEN",
        "clipsearch-8123=TOKEN",
    ],
)
def test_what_only_looks_like_our_cookie_lets_nobody_in(locked_gate, cookie):
    assert locked_gate.get("/api/index", headers={"cookie": cookie.replace("TOKEN", TOKEN)}).status_code == 401


def test_a_stale_token_in_the_address_does_not_beat_a_good_one(locked_gate):
    for good in ({"cookie": f"clipsearch-80={TOKEN}"}, {"authorization": f"bearer  {TOKEN}"}):
        assert locked_gate.get("/api/search?token=stale&q=cat&k=1", headers=good).status_code == 200
        assert locked_gate.delete("/api/index?token=stale", headers=good).status_code == 200
        answer = locked_gate.get("/?token=stale&q=cat", headers=good)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?q=cat")
    answer = locked_gate.get(f"/?token=stale&token={TOKEN}", headers={"cookie": "clipsearch-80=stale"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert TOKEN in answer.headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "é", "%ff", "%00", "stale", TOKEN[:-1], TOKEN + "%0a"])
def test_a_wrong_token_anywhere_is_one_answer(locked_gate, token):
    assert locked_gate.get(f"/?token={token}").status_code == 401
    assert locked_gate.get(f"/healthz?token={token}").status_code == 200


def test_a_wrong_token_in_the_address_lets_nobody_in(locked):
    answer = locked.get("/?token=wrong")
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert locked.post(f"/api/index?token={TOKEN}", json={}).status_code == 401


def test_the_way_back_leads_nowhere_else(locked):
    answer = locked.get(f"//evil.example/?token={TOKEN}")
    assert answer.headers.get("location", "/").startswith("/") and not answer.headers.get("location", "/").startswith(
        "//"
    )


def test_the_way_back_is_one_line_whatever_stands_in_it(locked):
    answer = locked.get(f"/x%0d%0aset-cookie:%20evil?token={TOKEN}")
    assert answer.status_code == 303 and "evil" not in answer.headers.get("set-cookie", "")
    assert answer.headers["location"] == "/x%0D%0Aset-cookie%3A%20evil"


def test_with_a_token_any_address_is_its_own(locked):
    headers = {"authorization": f"Bearer {TOKEN}", "host": "192.168.1.2:8123"}
    assert locked.get("/api/status", headers=headers).status_code == 200
    assert locked.get("/api/status", headers=headers | {"host": "evil.example"}).status_code == 421


# ------------------------------------------------------------------ sizes and times


def ask(rules, chunks, *, headers=(), pause=0.0, scheme="http", app=echo):
    """The status and body of an answer to a request in chunks, with a pause before each."""
    sent, left = [], list(chunks)

    async def receive():
        await asyncio.sleep(pause)
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "scheme": scheme,
        "headers": [*([] if dict(headers).get(b"host") else [(b"host", b"localhost")]), *headers],
    }  # fmt: skip
    asyncio.run(Guard(app, rules=rules)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], sent[1]["body"]


def test_what_is_too_large_is_refused_before_and_while_it_comes():
    rules = GuardRules(bodies=BodyLimits(max_bytes=1000))
    assert ask(rules, [b"x" * 500, b"x" * 500]) == (200, b"1000")
    status, body = ask(rules, [b"x" * 500, b"x" * 501, b"never read"])
    assert status == 413 and b"at most 0 MB" in body
    assert ask(rules, [b""], headers=[(b"content-length", b"1001")])[0] == 413
    assert ask(rules, [b""], headers=[(b"content-length", b"many")])[0] == 400


def test_what_takes_too_long_to_come_is_refused():
    rules = GuardRules(bodies=BodyLimits(max_seconds=0.2))
    assert ask(rules, [b"x"] * 3) == (200, b"3")
    status, body = ask(rules, [b"x"] * 1000, pause=0.01)
    assert status == 408 and b"longer than 0 s" in body


def test_what_trickles_is_refused_long_before():
    rules = GuardRules(bodies=BodyLimits(start_seconds=0.1, min_bytes_per_second=1000))
    assert ask(rules, [b"x" * 100] * 5) == (200, b"500")
    status, body = ask(rules, [b"x"] * 1000, pause=0.01)
    assert status == 408 and b"longer than 0 s" in body


def test_what_is_sent_at_the_same_time_is_bounded_together():
    guard = Guard(echo, rules=GuardRules(bodies=BodyLimits(max_total_bytes=1000)))
    sent: list[dict] = []

    async def send(message):
        sent.append(message)

    async def post(chunks, gate):
        async def receive():
            body = chunks.pop(0)
            if not chunks:
                await gate.wait()
            return {"type": "http.request", "body": body, "more_body": bool(chunks)}

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await guard(scope, receive, send)

    async def both():
        held, free = asyncio.Event(), asyncio.Event()
        free.set()
        first = asyncio.create_task(post([b"x" * 800, b""], held))
        await asyncio.sleep(0)
        await post([b"x" * 300, b""], free)
        assert sent[0]["status"] == 503 and (b"retry-after", b"2") in sent[0]["headers"]
        held.set()
        await first
        await post([b"x" * 900, b""], free)

    asyncio.run(both())
    assert [message["status"] for message in sent if "status" in message] == [503, 200, 200]


def test_websockets_are_not_spoken(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/"):
        pass
