# The other sides of alert channels, on loopback: an HTTP server that keeps each request as a line
# of JSON, and a mail server with STARTTLS and a password. Arguments: FOLDER HTTP_PORT SMTP_PORT; the
# folder has tls.pem and tls.key. While FOLDER/refuse exists, both refuse; while FOLDER/refuse_code
# holds a code, the HTTP server answers 400 to what speaks of it, and the mail server 554. Nobody is
# named gone@, and while FOLDER/grey exists grey@ gets nothing for now.
import http.server
import json
import os
import ssl
import sys
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder, http_port, smtp_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def note(name, value):
    with open(os.path.join(folder, name), "a") as file:
        file.write(json.dumps(value) + "\n")


def refuses():
    return os.path.exists(os.path.join(folder, "refuse"))


def refused_code():
    try:
        with open(os.path.join(folder, "refuse_code")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if refuses():
            return self.answer(503)
        if refused_code() and refused_code() in body:
            return self.answer(400)
        headers = {name.lower(): value for name, value in self.headers.items()}
        note("http", {"path": self.path, "headers": headers, "body": body})
        self.answer(202)

    def do_GET(self):
        note("pings", {"path": self.path, "at": time.time()})
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Mailbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 5.1.1 no such user"
        if address.startswith("grey@") and os.path.exists(os.path.join(folder, "grey")):
            return "450 4.2.0 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        if refuses():
            return "451 4.3.0 not now"
        if refused_code() and refused_code() in envelope.content.decode():
            return "554 5.7.1 refused by content policy"
        note("mail", {"to": envelope.rcpt_tos, "from": envelope.mail_from,
                      "tls": session.ssl is not None,
                      "content": envelope.content.decode()})
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"ops" and data.password == b"secret"
    return AuthResult(success=right)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(os.path.join(folder, "tls.pem"), os.path.join(folder, "tls.key"))
controller = Controller(Mailbox(), hostname="127.0.0.1", port=smtp_port, tls_context=context,
                        require_starttls=True, auth_required=True, authenticator=authenticate)
controller.start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", http_port), Sink)
threading.Thread(target=server.serve_forever).start()
