"""A real HTTP server on the loopback that answers as a test says."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client has heard enough
            self.server.answers[self.path](self)

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    """Answers on the loopback; `answers` is path → what to do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        self.scheme = "http"

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator["Server"]:
        with cls() as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    def handle_error(self, *_: Any) -> None:
        pass  # clients that refuse our certificate

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.server_port}{path}"

    def serve(self, path: str, body: bytes, **headers: str) -> str:
        headers = {"Content_Type": "image/jpeg", "Content_Length": str(len(body))} | headers
        self.answers[path] = lambda handler: handler.answer(body, **{k: v for k, v in headers.items() if v})
        return self.url(path)

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        self.answers[path] = lambda handler: handler.answer(status=status, Location=location)
        return self.url(path)
