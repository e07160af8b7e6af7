"""Servers that nobody wants: they hang, they never stop, they speak nonsense; and a proxy that makes a good one slow."""
import contextlib
import socket
import struct
import threading
import time

CHUNK = b"x" * 65536


class Listener:
    """Each connection is served by a thread of its own. Used with `with`."""

    def __init__(self, serve):
        self.serve = serve
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ended = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer):
        with peer, contextlib.suppress(OSError):
            self.serve(self, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def hang(listener, peer):
    while not listener.ended and peer.recv(65536):
        pass


def close(_, peer):
    peer.recv(65536)


def talk_nonsense(_, peer):
    peer.recv(65536)
    peer.sendall(b"\x16\x03\x01\xff\0\0\r\n\r\nsplat" * 20)
    time.sleep(0.2)


def http(status, body, kind="application/json"):
    """Always this answer."""
    def serve(_, peer):
        peer.recv(65536)
        peer.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        time.sleep(0.2)
    return serve


def http_endless(listener, peer):
    """A body of a gigabyte, as fast as it goes."""
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(16384):
        if listener.ended:
            break
        peer.sendall(CHUNK)


def http_endless_header(listener, peer):
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while not listener.ended:
        peer.sendall(b"x-more: " + CHUNK[:8000] + b"\r\n")


def message(kind, content):
    return kind + struct.pack(">I", len(content) + 4) + content


def read_startup(peer):
    """Refuses TLS, as PostgreSQL without a certificate does, and reads on to the startup message."""
    while True:
        size, code = struct.unpack(">II", peer.recv(8, socket.MSG_WAITALL))
        peer.recv(size - 8, socket.MSG_WAITALL)
        if code >> 16 == 3:
            return
        peer.sendall(b"N")


def postgres(version):
    """Lets everybody in, and then answers each question by one row of a gigabyte."""
    def serve(listener, peer):
        read_startup(peer)
        peer.sendall(message(b"R", struct.pack(">I", 0)) + message(b"S", b"server_version\0" + version + b"\0") + message(b"Z", b"I"))
        peer.recv(65536)
        peer.sendall(message(b"T", struct.pack(">H", 1) + b"a\0" + struct.pack(">IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0)))
        peer.sendall(b"D" + struct.pack(">IHI", 0x3FFFFFF0, 1, 0x3FFFFFE6))
        while not listener.ended:
            peer.sendall(CHUNK)
    return serve


def postgres_endless_greeting(listener, peer):
    read_startup(peer)
    peer.sendall(message(b"R", struct.pack(">I", 0)))
    while not listener.ended:
        peer.sendall(message(b"S", b"name\0" + CHUNK[:20000] + b"\0"))


def postgres_refusing(state):
    """Says no with an SQLSTATE, in words that nobody knows."""
    def serve(_, peer):
        read_startup(peer)
        peer.sendall(message(b"E", b"SVAHNO\0VFATAL\0C" + state + b"\0Mhm \xff\0\0"))
        time.sleep(0.2)
    return serve


class Slowly:
    """A proxy before a port; bytes_per_second 0: as fast as it goes."""

    def __init__(self, port):
        self.target = port
        self.bytes_per_second = 0
        self.listener = Listener(self.serve)
        self.port = self.listener.port

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(8192)
                if not data:
                    break
                if self.bytes_per_second:
                    time.sleep(len(data) / self.bytes_per_second)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve(self, _, peer):
        with socket.create_connection(("127.0.0.1", self.target), timeout=60) as server:
            server.settimeout(None)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            back = threading.Thread(target=self.pump, args=(server, peer), daemon=True)
            back.start()
            self.pump(peer, server)
            back.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.__exit__()
