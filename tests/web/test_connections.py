"""Connections that are held open."""

import asyncio

import pytest

from tests.support.fake_network import LIMITS, Server


@pytest.fixture
def server():
    with Server(LIMITS) as made:
        yield made


def test_who_sends_nothing_is_let_go(server):
    silent = server.connect()
    server.loop.move_on(9)
    assert silent.is_open
    server.loop.move_on(3)
    assert not silent.is_open and silent.network.got == b""


@pytest.mark.parametrize("trickle", [b"GET / HTTP/1.1\r\n", b"G", b"GET / HTTP/1.1\r\nhost: x\r\nx-"])
def test_half_a_head_is_answered_once_and_let_go_however_slowly_it_comes(server, trickle):
    slow = server.connect()
    slow.send(trickle)
    for _ in range(12):
        server.loop.move_on(1)
        if slow.is_open:
            slow.protocol.data_received(b"a")
    assert (slow.status, slow.is_open) == (408, False)
    assert slow.network.got.count(b"HTTP/1.1") == 1


def test_a_request_that_is_worked_on_is_left_alone(server):
    waiting = server.connect()
    waiting.ask(b"/wait")
    server.loop.move_on(1000)
    assert waiting.is_open


def test_a_connection_is_kept_for_the_next_request_but_not_for_long(server):
    client = server.connect()
    for _ in range(5):
        client.ask()
        server.loop.move_on(4)
    assert client.is_open and client.network.got.count(b"200 OK") == 5
    server.loop.move_on(7)
    assert not client.is_open


def test_the_next_head_must_come_in_time_too(server):
    client = server.connect()
    client.ask()
    client.send(b"GET / HT")
    server.loop.move_on(12)
    assert not client.is_open


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_body_that_goes_on_after_the_answer_is_let_go(server, version):
    client = server.connect()
    client.send(b"POST / HTTP/" + version + b"\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
    assert client.status == 200
    for _ in range(13):
        server.loop.move_on(1)
        if client.is_open:
            client.protocol.data_received(b"x")
    assert not client.is_open


def test_who_does_not_read_is_cut_off(server):
    client = server.connect()
    client.network.reads = False
    client.ask(b"/long")
    server.loop.move_on(9)
    assert not client.network.is_cut
    server.loop.move_on(5)
    assert client.network.is_cut


def test_who_reads_too_slowly_is_cut_off_and_who_reads_is_not(server):
    slow, steady = server.connect(), server.connect()
    for each in (slow, steady):
        each.network.reads = False
        each.ask(b"/long")
    for _ in range(30):
        server.loop.move_on(1)
        slow.network.unread -= 10
        steady.network.unread -= 1000
    assert slow.network.is_cut and not steady.network.is_cut


def test_pipelined_requests_do_not_help_a_client_that_reads_nothing(server):
    client = server.connect()
    client.network.reads = False
    for _ in range(20):
        if client.is_open:
            client.ask()
        server.loop.move_on(1)
    assert client.network.is_cut


def test_when_there_are_too_many_the_one_that_was_waited_for_longest_goes(server):
    working = server.connect()
    working.ask(b"/wait")
    idle = []
    for _ in range(5):
        server.loop.move_on(0.1)
        idle.append(server.connect())
    first, *others = idle
    newest = server.connect()
    assert not first.is_open and all(each.is_open for each in [working, newest, *others])
    newest.ask()
    assert newest.status == 200


def test_a_flood_of_silent_connections_shuts_nobody_out(server):
    for _ in range(500):
        server.connect()
    client = server.connect()
    client.ask()
    assert client.status == 200


def test_slow_bodies_make_room_too(server):
    for _ in range(6):
        server.connect().send(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx")
    client = server.connect()
    client.ask()
    assert client.status == 200


def test_when_all_are_worked_on_one_more_is_told_to_come_later(server):
    working = [server.connect() for _ in range(6)]
    for each in working:
        each.ask(b"/wait")
    client = server.connect()
    client.ask()
    assert client.status == 503 and b"retry-after: 2" in client.network.got
    assert all(each.is_open for each in working)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
    ],
)
def test_one_client_may_not_have_them_all(server, one, other):
    many = [server.connect(address) for address in (one, other, one)]
    assert all(each.is_open for each in many)
    server.connect(other)
    assert [each.is_open for each in many] == [False, True, True]


def test_another_client_is_not_counted_with_it(server):
    many = [server.connect(f"192.0.2.{number}") for number in range(6)]
    assert all(each.is_open for each in many)


def test_all_programs_of_this_machine_have_one_address(server):
    many = [server.connect(address) for address in ("127.0.0.1", "127.0.0.1", "127.8.8.8", "::1", "::1", "127.0.0.1")]
    assert all(each.is_open for each in many)


def test_answers_that_nobody_reads_are_bounded_together(server):
    clients = [server.connect(f"192.0.2.{number}") for number in range(4)]
    for each in clients:
        each.network.reads = False
        each.ask(b"/long")
        each.network.unread = 400_000
        server.loop.move_on(0.1)
    server.loop.move_on(1)
    assert [each.network.is_cut for each in clients] == [True, True, False, False]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: \r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nrange: bytes=0-0,1-1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
    ],
)
def test_whatever_is_asked_for_the_connection_ends(server, head):
    client = server.connect()
    client.send(head)
    assert client.status == 200
    server.loop.move_on(25)
    assert not client.is_open


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 2000, b"\0\0\0\0\r\n\r\n"])
def test_what_is_no_head_is_refused_at_once(server, head):
    client = server.connect()
    client.send(head)
    assert (client.status, client.is_open) == (400, False)


def test_it_looks_on_while_there_is_a_connection_and_no_longer(server):
    first = server.connect()
    server.loop.move_on(3)
    first.protocol.connection_lost(None)
    server.loop.move_on(3)
    assert not [timer for timer in server.loop.timers if not timer[2].cancelled()]
    again = server.connect()
    server.loop.move_on(12)
    assert not again.is_open


@pytest.mark.parametrize(
    "head",
    [
        b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /half HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /wait HTTP/1.1\r\nhost: x\r\n\r\nGET /",
        b"GET / HT",
    ],
)
def test_when_the_server_ends_held_requests_are_broken_off_without_a_word_in_the_log(server, caplog, head):
    client = server.connect()
    client.send(head)
    client.protocol.shutdown()
    server.loop.settle()
    for task in asyncio.all_tasks(server.loop):
        task.cancel()
    server.loop.settle()
    assert not client.is_open and not caplog.records
