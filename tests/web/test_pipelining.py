"""Requests that are sent ahead of answers, and rubbish that comes behind them."""

import pytest

from tests.support.fake_network import LIMITS, Server


@pytest.fixture
def server():
    with Server(LIMITS) as made:
        yield made


def test_pipelined_requests_are_answered_in_their_order(server):
    client = server.connect()
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(100)) + b"GET /100 HT")
    for _ in range(40):
        server.loop.settle()
    assert server.asked == [f"/{number}" for number in range(100)] and not client.network.is_paused
    client.send(b"TP/1.1\r\nhost: x\r\n\r\n")
    assert client.network.got.count(b"200 OK") == 101


@pytest.mark.parametrize("is_at_once", [True, False])
@pytest.mark.parametrize("more", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n", b"connection: close\r\n"])
def test_nothing_is_read_ahead_of_a_request_that_is_worked_on(server, more, is_at_once):
    client = server.connect()
    head = b"GET /wait HTTP/1.1\r\nhost: x\r\n" + more + b"\r\n"
    client.send(head + (b"GET / HTTP/1.1\r\n" if is_at_once else b""))
    if not is_at_once or b"close" in more:
        assert not client.network.is_paused  # so that it is known when the client goes
        client.send(b"GET / HTTP/1.1\r\n")
    assert client.network.is_paused and server.asked == ["/wait"] and client.is_open


def test_pipelined_requests_of_all_clients_are_answered_one_at_a_time(server):
    head = b" HTTP/1.1\r\nhost: x\r\n\r\n"
    first, second = server.connect(), server.connect()
    first.send(b"GET /1" + head + b"GET /wait" + head)
    second.send(b"GET /2" + head + b"GET /3" + head)
    usual = server.connect()
    for _ in range(5):
        usual.ask(b"/4")
    assert usual.network.got.count(b"200 OK") == 5
    assert server.asked == ["/1", "/wait", "/2", *["/4"] * 5]
    first.protocol.connection_lost(None)
    server.loop.settle()
    assert server.asked[-1] == "/3"


def test_whoever_waits_for_the_turn_too_long_is_let_go(server):
    head = b" HTTP/1.1\r\nhost: x\r\n\r\n"
    clients = [server.connect() for _ in range(3)]
    for each in clients:
        each.send(b"GET /1" + head + b"GET /wait" + head)
    server.loop.move_on(12)
    assert [each.is_open for each in clients] == [True, False, False]


def test_who_does_not_read_is_not_answered_further(server):
    client = server.connect()
    client.network.reads = False
    client.protocol.pause_writing()  # the transport's buffer is full
    client.send(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
    assert server.asked == ["/1"] and client.network.got == b""
    client.network.reads = True
    client.protocol.resume_writing()
    for _ in range(10):
        server.loop.settle()
    assert client.network.got.count(b"200 OK") == 20


@pytest.mark.parametrize("rubbish", [b"zz\r\n", b"\0\0\r\n\r\n", b"-1\r\n\r\n"])
@pytest.mark.parametrize("path", [b"/", b"/body", b"/wait", b"/half"])
@pytest.mark.parametrize(
    "body", [b"", b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b"expect: 100-continue\r\n"]
)
def test_rubbish_behind_a_head_ends_the_connection_whatever_has_been_answered(server, caplog, path, body, rubbish):
    client = server.connect()
    client.send(b"POST " + path + b" HTTP/1.1\r\nhost: x\r\n" + body + b"\r\n")
    client.send(rubbish)
    client.protocol.connection_lost(None) if client.network.is_closed else server.loop.move_on(0)
    server.loop.settle()
    for _ in range(3):
        client.send(rubbish) if client.is_open else server.loop.move_on(25)
    assert not caplog.records and client.network.got.count(b"HTTP/1.1 2") <= 1
