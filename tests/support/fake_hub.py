"""A model hub on 127.0.0.1: the few answers huggingface_hub needs to list and fetch a repository, and a record of
what was asked. Each instance is one repository with one commit."""

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "1234567890abcdef1234567890abcdef12345678"


@dataclass
class FakeHub:
    """
    Attributes:
        files: content by path; *.safetensors and *.bin are stored as LFS files, named by their SHA-256.
        delay_s: waited before each 64 KiB of a large file, so that a download can be interrupted.
        asked: (method, path, Range header) of every request.
        shown: (host, Authorization header) of every request.
        sent_bytes: of file contents, by path.
    """

    files: dict[str, bytes]
    repo_id: str = "org/tiny"
    branch: str = "main"
    delay_s: float = 0.0
    ignores_ranges: bool = False
    refusal: tuple[int, str] | None = None  # status and X-Error-Code for every request
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    shown: set[tuple[str, str | None]] = field(default_factory=set)
    sent_bytes: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> "FakeHub":
        hub = self

        class Handler(_Handler):
            def setup(self) -> None:
                self.hub = hub
                super().setup()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fetched(self) -> list[str]:
        """Paths whose content was asked for, sorted."""
        return sorted(
            {path.rsplit("/", 1)[1] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path}
        )


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_content: bool) -> None:
        hub = self.hub
        path = unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path, self.headers.get("Range")))
        hub.shown.add((self.headers["Host"].partition(":")[0], self.headers.get("Authorization")))
        if hub.refusal is not None:
            status, code = hub.refusal
            self._send(status, b"{}", {"X-Error-Code": code} if code else {}, with_content)
            return
        revisions = f"({COMMIT}|{re.escape(hub.branch)})"
        if re.fullmatch(f"/api/models/{hub.repo_id}(/revision/{revisions})?", path):
            siblings = [{"rfilename": name} for name in hub.files]
            self._send_json({"id": hub.repo_id, "sha": COMMIT, "siblings": siblings}, with_content)
        elif re.fullmatch(f"/api/models/{hub.repo_id}/tree/{revisions}", path):
            self._send_json([_entry(name, content) for name, content in hub.files.items()], with_content)
        elif (match := re.fullmatch(f"/{hub.repo_id}/resolve/{revisions}/(.+)", path)) and match[2] in hub.files:
            self._send_file(match[2], with_content)
        elif path.startswith("/storage/") and path.removeprefix("/storage/") in hub.files:
            self._send_content(path.removeprefix("/storage/"), {}, with_content)
        else:
            code = "RevisionNotFound" if hub.repo_id in path else "RepoNotFound"
            self._send(404, b"{}", {"X-Error-Code": code}, with_content)

    def _send_json(self, content: object, with_content: bool) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"}, with_content)

    def _send_file(self, name: str, with_content: bool) -> None:
        content = self.hub.files[name]
        headers = {"ETag": f'"{_entry(name, content)["oid"]}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if _is_lfs(name):
            # Large files lie on another host, as the hub's do.
            headers |= {"X-Linked-Etag": f'"{_sha256(content)}"', "X-Linked-Size": str(len(content))}
            headers["Location"] = f"http://localhost:{self.server.server_port}/storage/{name}"
            self._send(302, b"", headers, with_content)
        else:
            self._send_content(name, headers, with_content)

    def _send_content(self, name: str, headers: dict[str, str], with_content: bool) -> None:
        content = self.hub.files[name]
        begin, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and not self.hub.ignores_ranges:
            begin, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send(status, content[begin:], headers, with_content, counted_as=name)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], with_content: bool, *, counted_as: str = ""
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not with_content:
            return
        for begin in range(0, len(content), 1 << 16):
            if self.hub.delay_s and len(content) > 1 << 16:
                time.sleep(self.hub.delay_s)
            piece = content[begin : begin + (1 << 16)]
            try:
                self.wfile.write(piece)
            except OSError:  # the other side has hung up
                self.close_connection = True
                return
            if counted_as:
                self.hub.sent_bytes[counted_as] = self.hub.sent_bytes.get(counted_as, 0) + len(piece)


def _is_lfs(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, object]:
    """One line of the hub's tree listing."""
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(content)}
    entry["oid"] = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if _is_lfs(name):
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 134}
    return entry
