"""An SMTP server with a login, which is required; writes each mail that it takes as a line of JSON.

usage: mail_server.py MODE PORT CERTIFICATE KEY USER PASSWORD

MODE is `starttls` (required before the login), `tls` from the first byte, or `plain` without either.
"""

import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

mode, port, certificate, key, user, password = sys.argv[1:]


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    return AuthResult(success=given == (user, password))


class Inbox:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
        mail = {
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "to": envelope.rcpt_tos,
            "from": message["From"],
            "subject": message["Subject"],
            "id": message["Message-ID"],
            "language": message["Content-Language"],
            "text": parts.get("text/plain"),
            "html": parts.get("text/html"),
        }
        print(json.dumps(mail), flush=True)
        return "250 taken"


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
ways = {
    "starttls": {"tls_context": context, "require_starttls": True},
    "tls": {"ssl_context": context, "auth_require_tls": False},
    "plain": {"auth_require_tls": False},
}
controller = Controller(
    Inbox(),
    hostname="127.0.0.1",
    port=int(port),
    authenticator=authenticate,
    auth_required=True,
    **ways[mode],
)
controller.start()
print("listening", flush=True)
threading.Event().wait()
