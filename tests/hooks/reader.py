# A TLS server that reads its PEM file anew for each client: reader.py PORT PEM COPY. The file is
# read once, into COPY, as the ssl module would open it twice.
import socketserver
import ssl
import sys

port, pem, copy = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Greeting(socketserver.BaseRequestHandler):
    def handle(self):
        with open(pem, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(copy)
        try:
            with context.wrap_socket(self.request, server_side=True) as client:
                client.recv(1)
        except OSError:
            pass


class Server(socketserver.TCPServer):
    allow_reuse_address = True


Server(("127.0.0.1", port), Greeting).serve_forever()
