"""A URL gives the picture that lies there, or one line; and never anything of the local network."""

import io
import ipaddress
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import clipsearch
from clipsearch.encoders.embed_image import embed_pictures, picture_crop, picture_name
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import ClipSearchError, ImageReadError, InputError
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.remote import fetch as remote
from clipsearch.images.remote.addresses import Address, is_public
from clipsearch.images.remote.fetch import fetch_picture
from clipsearch.paths import sample_data_folder
from clipsearch.types import FetchedPicture
from tests.support.loopback import Handler, Server

CAT = sample_data_folder() / "animals" / "cat.jpg"
SPEC = Preprocess(224, 224, 224, 3, 1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server.running() as server:
        yield server


def is_here(address: Address) -> bool:
    return address == ipaddress.ip_address("127.0.0.1")


def fetch(url: str) -> FetchedPicture:
    return fetch_picture(url, is_allowed=is_here, hosts=hosts_of(url))


def hosts_of(url: str) -> list[str]:
    """The port of a server of the tests, whatever name it is asked by."""
    found = re.match(r"\w+://[^/]*:(\d+)", url)
    names = ("127.0.0.1", "localhost", "some.where", "other.host")
    return [f"{name}:{found[1]}" for name in names] if found else []


def refusal(url: str, kind: type[ClipSearchError] = ImageReadError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        fetch_picture(url, **({"is_allowed": is_here, "hosts": hosts_of(url)} | options))
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text.startswith("can't fetch ")
    assert len(text.splitlines()) == 1
    return text


def names_of(monkeypatch: pytest.MonkeyPatch, **hosts: list[str]) -> list[str]:
    """Makes a DNS of names (with "_" for ".") and their addresses; returns the list of names asked for."""
    asked = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = []
        for address in hosts[host.replace(".", "_")]:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found.append((family, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)[: 4 if ":" in address else 2]))
        return found

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


class TestAPictureByURL:
    def test_is_what_lies_there(self, server: Server) -> None:
        url = server.serve("/cat.jpg", CAT.read_bytes())
        fetched = fetch(url)
        assert fetched == FetchedPicture(url, CAT.read_bytes())
        assert picture_name(fetched) == url
        assert repr(fetched) == f"FetchedPicture(url='{url}')"
        (_, headers) = server.requests[0]
        assert headers == {
            "Host": f"127.0.0.1:{server.server_port}",
            "User-Agent": f"clipsearch/{clipsearch.__version__}",
            "Accept": "image/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_gets_the_same_crop_as_by_path(self, server: Server, tmp_path: Path, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        with Image.open(CAT) as image:
            # So large that the JPEG is scaled down while it is decoded, and its EXIF turns it.
            image.resize((1603, 1201)).save(tmp_path / "turned.jpg", exif=exif)
        fetched = fetch(server.serve("/turned.jpg", (tmp_path / "turned.jpg").read_bytes()))
        crop = picture_crop(fetched, SPEC)
        np.testing.assert_array_equal(crop, picture_crop(tmp_path / "turned.jpg", SPEC))
        assert (crop[0, 0] != crop[-1, 0]).any()

    def test_gets_the_same_embedding_as_by_path(self, server: Server) -> None:
        encoder = load_encoder("starter")
        fetched = fetch(server.serve("/cat.jpg", CAT.read_bytes()))
        by_url, by_path = embed_pictures([fetched], encoder=encoder), embed_pictures([CAT], encoder=encoder)
        np.testing.assert_array_equal(by_url, by_path)

    def test_may_come_in_chunks_or_without_a_length(self, server: Server) -> None:
        def in_chunks(handler: Handler) -> None:
            handler.protocol_version = "HTTP/1.1"
            handler.answer(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Content_Type="image/png", Transfer_Encoding="chunked")

        server.answers["/chunks"] = in_chunks
        assert fetch(server.url("/chunks")).content == b"abcde"
        assert fetch(server.serve("/open", b"abcde", Content_Length="")).content == b"abcde"

    def test_may_have_any_letters_in_its_url(self, server: Server) -> None:
        server.serve("/k%C3%A4tzchen%20a.jpg?x=%22", b"abc")
        assert fetch(server.url('/kätzchen%20a.jpg?x="#part')).content == b"abc"

    def test_does_not_go_through_a_proxy(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert fetch(server.serve("/cat.jpg", b"abc")).content == b"abc"

    def test_that_is_none_is_named(self, server: Server) -> None:
        url = server.serve("/cat.jpg", b"no picture")
        with pytest.raises(ImageReadError, match=f"^can't read the picture {url}: not a picture of a kind that can be"):
            picture_crop(fetch(url), SPEC)


class TestRedirects:
    def test_are_followed_three_times(self, server: Server) -> None:
        server.serve("/cat.jpg", b"abc")
        server.redirect("/1", "cat.jpg", 301)
        server.redirect("/2", server.url("/1"), 307)
        three = server.redirect("/3", "/2", 308)
        assert fetch(three) == FetchedPicture(three, b"abc")
        assert "redirected more than 3 times" in refusal(server.redirect("/4", "/3", 303))

    def test_in_a_circle_end(self, server: Server) -> None:
        assert "redirected more than 3 times" in refusal(server.redirect("/round", "/round"))
        assert len(server.requests) == 4

    @pytest.mark.parametrize(
        ("location", "reason"),
        [
            ("http://10.0.0.1/cat.jpg", "10.0.0.1"),
            ("http://[::1]/cat.jpg", "::1"),
            ("//169.254.169.254/latest/meta-data/", "169.254.169.254"),
            ("http://user:secret@127.0.0.1/", "user name or password"),
            ("file:///etc/passwd", "only http and https"),
            ("ftp://127.0.0.1/cat.jpg", "only http and https"),
        ],
    )
    def test_lead_nowhere_else(self, server: Server, location: str, reason: str) -> None:
        text = refusal(server.redirect("/go", location), InputError)
        assert reason in text
        assert "secret" not in text
        assert len(server.requests) == 1

    def test_without_a_place_are_an_error(self, server: Server) -> None:
        server.answers["/go"] = lambda handler: handler.answer(status=302)
        assert "the server answers 302 Found" in refusal(server.url("/go"))


class TestAnswersThatAreNoPicture:
    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ({"Content_Type": "text/html; charset=utf-8"}, "not a picture but text/html"),
            ({"Content_Type": "application/octet-stream"}, "not a picture but application/octet-stream"),
            ({"Content_Type": ""}, "of an undeclared type"),
            ({"Content_Encoding": "gzip"}, "the server compressed it"),
        ],
    )
    def test_are_refused_by_their_headers(self, server: Server, headers: dict[str, str], reason: str) -> None:
        assert reason in refusal(server.serve("/x.jpg", b"abc", **headers))

    def test_are_refused_by_their_status(self, server: Server) -> None:
        server.answers["/x"] = lambda handler: handler.answer(b"abc", status=404, Content_Type="image/png")
        assert refusal(server.url("/x")).endswith("/x: the server answers 404 Not Found")

    def test_are_refused_when_too_large(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "larger than 50 MB" in refusal(server.serve("/said", b"abc", Content_Length="50000001"))
        monkeypatch.setattr(remote, "MAX_BYTES", 100_000)

        def endless(handler: Handler) -> None:
            handler.answer(Content_Type="image/png")
            while True:
                handler.wfile.write(bytes(10_000))

        server.answers["/endless"] = endless
        assert "larger than 0.1 MB" in refusal(server.url("/endless"))
        assert len(fetch(server.serve("/just", bytes(100_000), Content_Length="")).content) == 100_000

    def test_are_refused_when_broken_off(self, server: Server) -> None:
        assert "the response was truncated" in refusal(server.serve("/short", b"abc", Content_Length="4"))

        def half_a_chunk(handler: Handler) -> None:
            handler.protocol_version = "HTTP/1.1"
            handler.answer(b"5\r\nabc", Content_Type="image/png", Transfer_Encoding="chunked")

        server.answers["/chunk"] = half_a_chunk
        assert "the response was truncated" in refusal(server.url("/chunk"))

    @pytest.mark.parametrize("sent", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, b""])
    def test_are_refused_when_they_are_no_http(self, server: Server, sent: bytes) -> None:
        server.answers["/x"] = lambda handler: handler.wfile.write(sent) and None
        text = refusal(server.url("/x"))
        assert "is invalid" in text or "the connection to 127.0.0.1 failed" in text

    @pytest.mark.parametrize("in_headers", [True, False])
    def test_are_cut_when_they_drip(self, server: Server, monkeypatch: pytest.MonkeyPatch, in_headers: bool) -> None:
        monkeypatch.setattr(remote, "DEADLINE_S", 0.5)

        def drip(handler: Handler) -> None:
            handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: image/png\r\n" + (b"x" if in_headers else b"\r\n"))
            for _ in range(200):
                time.sleep(0.05)
                handler.wfile.write(b"x")

        server.answers["/drip"] = drip
        start = time.monotonic()
        assert "took longer than 0.5 seconds" in refusal(server.url("/drip"))
        assert time.monotonic() - start < 3

    def test_are_cut_when_they_never_come(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "DEADLINE_S", 0.3)
        done = threading.Event()
        server.answers["/silent"] = lambda handler: done.wait(10) and None
        assert "took longer than 0.3 seconds" in refusal(server.url("/silent"))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(10) and [])
        assert "looking up some.where took longer" in refusal("http://some.where/cat.jpg")
        done.set()

    def test_nobody_listening_is_an_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert "the connection to 127.0.0.1 failed: " in refusal(f"http://127.0.0.1:{port}/")


# The first and the last address of each special-purpose network of IANA's, and some of other kinds.
PRIVATE = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.255",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.0",
    "192.88.99.1",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:192.88.99.1",
    "::ffff:0:808:808",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::c058:6301",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::808:808",
    "64:ff9b:0:1::808:808",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c058:6301::",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
    "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]
# Those just beside them, too.
PUBLIC = [
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7::1",
    "2001:db9::1",
    "2620:4f:7fff::1",
    "2a00:1450::1",
    "3ffe:ffff::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


class TestAddresses:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_that_are_not_public_are_never_connected_to(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        assert not is_public(ipaddress.ip_address(address))
        monkeypatch.setattr(socket, "socket", None)
        host = f"[{address}]" if ":" in address else address
        names_of(monkeypatch, some_where=[address], **{address.replace(".", "_"): [address]})
        for url in (f"http://{host}/cat.jpg", "https://some.where/cat.jpg"):
            assert "only public addresses" in refusal(url, InputError, is_allowed=is_public)

    @pytest.mark.parametrize("address", PUBLIC)
    def test_of_the_internet_are_public(self, address: str) -> None:
        assert is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "017700000001", "127.1", "127。0。0。1"])
    def test_are_judged_as_the_system_reads_them(self, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        monkeypatch.setattr(socket, "socket", None)
        with pytest.raises(ClipSearchError, match=r"only public addresses|no address of"):
            fetch_picture(f"http://{host}/cat.jpg")

    def test_with_an_interface_are_judged_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names_of(monkeypatch, some_where=["fe80::1%eth0"])
        assert "only public addresses" in refusal("http://some.where/", InputError, is_allowed=is_public)

    @pytest.mark.parametrize("found", [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"]])
    def test_of_one_host_must_all_be_public(self, monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
        names_of(monkeypatch, some_where=found)
        monkeypatch.setattr(socket, "socket", None)
        assert "only public addresses" in refusal("http://some.where/", InputError, is_allowed=is_public)

    def test_are_looked_up_once(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        server.serve("/cat.jpg", b"abc")
        hosts = {"some_where": ["127.0.0.1"]}
        asked = names_of(monkeypatch, **hosts)
        seen = []

        def is_allowed(address: Address) -> bool:
            seen.append(str(address))
            hosts["some_where"] = ["10.0.0.1"]  # the next answer would be another
            return True

        url = server.url("/cat.jpg", host="some.where")
        assert fetch_picture(url, is_allowed=is_allowed, hosts=hosts_of(url)).content == b"abc"
        assert (asked, seen) == (["some.where"], ["127.0.0.1"])
        assert server.requests[0][1]["Host"] == f"some.where:{server.server_port}"

    def test_are_looked_up_anew_for_a_redirect(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        names_of(monkeypatch, some_where=["127.0.0.1"], in_side=["192.168.0.1"])
        server.redirect("/go", "http://in.side/cat.jpg")
        assert "in.side is at 192.168.0.1" in refusal(server.url("/go", host="some.where"), InputError)

    def test_the_second_is_tried_when_the_first_does_not_answer(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names_of(monkeypatch, some_where=["127.0.0.2", "127.0.0.1"])
        server.serve("/cat.jpg", b"abc")
        url = server.url("/cat.jpg", host="some.where")
        assert fetch_picture(url, is_allowed=lambda address: address.is_loopback, hosts=hosts_of(url)).content == b"abc"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://example.org/cat.jpg", "only http and https"),
        ("data:image/png;base64,AAAA", "only http and https"),
        ("example.org/cat.jpg", "a URL without a scheme"),
        ("https://user:secret@example.org/cat.jpg", "user name or password"),
        ("https://secret@example.org/cat.jpg", "user name or password"),
        ("https:///cat.jpg", "names no host"),
        ("https://example.org:99999/", "not a valid URL"),
        ("https://[::1/", "not a valid URL"),
        ("https://a..b/", "not a valid URL"),
        (f"https://{'a' * 64}.org/", "not a valid URL"),
        ("https://example.org/a cat.jpg", "%20"),
        ("https://example.org/\r\nX: y", "%20"),
        ("https://example.org\\@10.0.0.1/", "backslashes"),
    ],
)
def test_urls_that_are_not_fetched(monkeypatch: pytest.MonkeyPatch, url: str, reason: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    with pytest.raises(InputError, match=r"^can't fetch ") as caught:
        fetch_picture(url)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    text = refusal("http://no.where/cat.jpg")
    assert text == "can't fetch http://no.where/cat.jpg: no address of no.where: Name or service not known"


class TestPorts:
    @pytest.mark.parametrize(
        "url", ["http://8.8.8.8:22/", "https://8.8.8.8:8443/", "http://8.8.8.8:65535/", "http://[2606:4700::1]:81/"]
    )
    def test_others_than_those_of_the_web_are_not_asked(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", None)
        assert "only 80 and 443 (" in refusal(url, InputError, hosts=["8.8.8.8:21", "8.8.8.9:22"])

    @pytest.mark.parametrize("url", ["http://h.org/", "http://h.org:443/", "https://h.org:80/", "https://h.org:443/"])
    def test_of_the_web_are_asked(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        names_of(monkeypatch, h_org=["10.0.0.1"])
        assert "h.org is at 10.0.0.1" in refusal(url, InputError, is_allowed=is_public)

    def test_may_be_allowed_for_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names_of(monkeypatch, h_org=["10.0.0.1"], **{"::1": ["::1"]})
        hosts = ["h.org:8080", "[::1]:8080"]
        for url in ("http://h.org:8080/", "https://H.ORG:8080/", "http://[::1]:8080/"):
            assert "only public addresses" in refusal(url, InputError, is_allowed=is_public, hosts=hosts)
        assert "only 80 and 443" in refusal("http://h.org:8081/", InputError, hosts=hosts)

    def test_of_redirects_are_held_to_the_same(self, server: Server) -> None:
        url = server.redirect("/go", "http://127.0.0.1:9/cat.jpg")
        assert "port 9 is not allowed" in refusal(url, InputError)
        assert len(server.requests) == 1


class TestHTTPS:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """Signed by itself, for "localhost"."""
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not here")
        made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"]
        subprocess.run(["openssl", *made.split(), *files], check=True, capture_output=True)
        return tmp_path / "certificate.pem"

    @pytest.fixture
    def secure(self, server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
        names_of(monkeypatch, localhost=["127.0.0.1"], other_host=["127.0.0.1"])
        server.serve("/cat.jpg", b"abc")
        return server

    def test_a_certificate_that_nobody_vouches_for_is_refused(self, secure: Server) -> None:
        text = refusal(secure.url("/cat.jpg", host="localhost"))
        assert "the certificate of localhost is not accepted: self-signed certificate" in text
        assert secure.requests == []

    def test_a_certificate_must_name_the_host(
        self, secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(secure.url("/cat.jpg", host="localhost")).content == b"abc"
        assert "is not valid for 'other.host'" in refusal(secure.url("/cat.jpg", host="other.host"))

    def test_never_becomes_http(self, secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        secure.redirect("/go", "http://localhost/cat.jpg")
        assert "redirects from https to http" in refusal(secure.url("/go", host="localhost"))
        assert len(secure.requests) == 1

    def test_a_server_that_speaks_no_tls(self, server: Server) -> None:
        url = server.serve("/cat.jpg", b"abc").replace("http:", "https:")
        assert "no secure connection to 127.0.0.1" in refusal(url)


def test_a_fetched_picture_needs_no_network_any_more() -> None:
    content = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(content, "PNG")
    crop = picture_crop(FetchedPicture("https://example.org/red.png", content.getvalue()), SPEC)
    assert crop.mean(axis=(0, 1)).tolist() == [255, 0, 0]
