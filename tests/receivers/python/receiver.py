"""A receiver that checks signatures as its makers' documents say, for the black-box tests.

Every request is verified twice: as it came, which must be accepted, and with one bit of its body flipped, which must be refused. The
answer is 200 when both came out right, 401 when the first was refused, as the documents' samples answer, and 500 with the reason otherwise. On stdin come lines {"path", "secret"}, each answered by
`ready PATH`; the end of stdin ends the process.
"""

import hashlib
import hmac
import json
import os
import sys
import threading

import standardwebhooks
import svix.webhooks
from flask import Flask, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

app = Flask(__name__)
secrets: dict[str, str] = {}


def sendpilot_accepts(body: bytes, headers: dict[str, str], secret: str) -> bool:
    """The sendpilot document: a mapping of the parts, so that of two `s=` the last one counts, and a part that holds a second `=` breaks it."""
    parts = dict(part.split("=") for part in headers["Webhook-Signature"].split(","))
    signed = f"{parts['t']}.{body.decode()}".encode()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(parts["s"], expected)


def library_accepts(webhook_class, error_class):
    """A public library of Standard Webhooks; it raises when it refuses."""

    def accepts(body: bytes, headers: dict[str, str], secret: str) -> bool:
        try:
            webhook_class(secret).verify(body, headers)
        except error_class:
            return False
        return True

    return accepts


VERIFIERS = {
    "/sendpilot": sendpilot_accepts,
    "/standard": library_accepts(standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
    "/svix": library_accepts(svix.webhooks.Webhook, svix.webhooks.WebhookVerificationError),
}


def flipped(body: bytes) -> bytes:
    """One bit of an ASCII byte, so that what remains is UTF-8 and nothing but the signature can refuse it."""
    copy = bytearray(body)
    middle = len(copy) // 2
    copy[next(at for at in range(middle, len(copy)) if copy[at] < 0x80)] ^= 1
    return bytes(copy)


def judge(path: str) -> tuple[int, str]:
    accepts, secret = VERIFIERS[path], secrets.get(path)
    body, headers = request.get_data(), dict(request.headers)
    if secret is None:
        return 500, "no secret is set for this path"
    if not accepts(body, headers, secret):
        return 401, "Invalid signature"
    if accepts(flipped(body), headers, secret):
        return 500, "a request with one flipped bit was accepted"
    return 200, "OK"


@app.post("/<name>")
def receive(name: str) -> Response:
    status, text = judge(f"/{name}")
    return Response(text, status=status, mimetype="text/plain")


class QuietKeepAlive(WSGIRequestHandler):
    """Connections stay open, and nothing is logged."""

    protocol_version = "HTTP/1.1"
    # An answer's head and body are written apart; with Nagle's algorithm the second would wait for the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log_request(self, *_args) -> None:
        pass


def obey_stdin() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        secrets[order["path"]] = order["secret"]
        print(f"ready {order['path']}", flush=True)
    os._exit(0)


server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietKeepAlive)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=obey_stdin, daemon=True).start()
server.serve_forever()
