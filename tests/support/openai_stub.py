"""A local OpenAI-compatible server that can also fail, hang, break off, talk rubbish and lie."""

import contextlib
import email.parser
import email.policy
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

MOST_HANG_SECONDS = 60.0


@dataclass(frozen=True)
class Received:
    """One request: JSON as `body`, or a form's text fields as `body` and its files by field name."""

    path: str
    authorization: str
    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


class OpenAIStub:
    """Answers chat completions and audio transcriptions on `base_url`; use it as a context manager.

    `description` (or `content`, word for word) and `segments` are what it tells. `plan` holds a
    behaviour for each coming request, `always` the one for all others: "answer", "500", "429", "401",
    "hang", "dribble", "break off", "rubbish", "lie" (well-formed, but not what was asked for) or
    "no times".
    """

    def __init__(self, description: str = "A lighthouse stands above a harbour.") -> None:
        self.description = description
        self.content: str | None = None
        self.segments: list[dict[str, Any]] = [
            {"id": 0, "start": 0.0, "end": 1.5, "text": " The lighthouse is open.", "avg_logprob": -0.2}
        ]
        self.words: list[dict[str, Any]] = [
            {"word": "The", "start": 0.0, "end": 0.2},
            {"word": "lighthouse", "start": 0.2, "end": 0.9},
        ]
        self.received: list[Received] = []
        self.plan: deque[str] = deque()
        self.always = "answer"
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def chat(self, behaviour: str) -> dict[str, Any]:
        """The body of a chat completion."""
        content = self.content or json.dumps({"description": self.description})
        if behaviour == "lie":
            content = json.dumps({"description": "", "verdict": 7})
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "stub",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 50, "total_tokens": 1550},
        }

    def transcription(self, behaviour: str) -> dict[str, Any]:
        """The body of a verbose transcription."""
        body: dict[str, Any] = {"task": "transcribe", "language": "english", "duration": 2.0, "text": "…"}
        if behaviour == "lie":
            wrong = [(5000.0, 6000.0), (-3.0, 1.0), (1.0, 0.5), (0.5, 0.75)]
            return body | {"segments": [{"start": a, "end": b, "text": "so"} for a, b in wrong]}
        return body if behaviour == "no times" else body | {"segments": self.segments, "words": self.words}


class _Handler(BaseHTTPRequestHandler):
    stub: ClassVar[OpenAIStub]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Records the request, then behaves as planned."""
        received = self._receive()
        self.stub.received.append(received)
        behaviour = self.stub.plan.popleft() if self.stub.plan else self.stub.always
        bodies: dict[str, Callable[[str], dict[str, Any]]] = {
            "/v1/chat/completions": self.stub.chat,
            "/v1/audio/transcriptions": self.stub.transcription,
        }
        if received.path not in bodies:
            self._send(404, b'{"error": {"message": "no such path"}}')
        elif behaviour.isdigit():
            self._send(int(behaviour), b'{"error": {"message": "told to fail"}}')
        elif behaviour == "hang":
            self.close_connection = True
            self.stub.closing.wait(MOST_HANG_SECONDS)
        elif behaviour == "dribble":
            self._dribble()
        elif behaviour == "rubbish":
            self._send(200, b'{"choices": [{"mess')
        else:
            body = json.dumps(bodies[received.path](behaviour)).encode()
            self._send(200, body, break_off=behaviour == "break off")

    def _send(self, status: int, body: bytes, break_off: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if break_off else body)
        if break_off:
            self.close_connection = True

    def _dribble(self) -> None:
        """Sends a blank every 50 ms: never silent for long, and never done."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            while not self.stub.closing.wait(0.05):
                self.wfile.write(b" ")

    def _receive(self) -> Received:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        kind, authorization = self.headers["Content-Type"], self.headers.get("Authorization", "")
        if kind.startswith("application/json"):
            return Received(self.path, authorization, json.loads(raw))
        fields, files = _form(kind, raw)
        return Received(self.path, authorization, fields, files)

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet: what was asked for stands in `received`."""


def _form(kind: str, raw: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A multipart form's text fields (repeated ones as a list) and files."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        if part.get_filename():
            files[name] = content
        elif name.endswith("[]"):
            fields.setdefault(name.removesuffix("[]"), []).append(content.decode())
        else:
            fields[name] = content.decode()
    return fields, files
