"""A consumer that speaks as much of AMQP 0-9-1 as it takes to be one: it takes messages, or holds them without an answer."""
import socket
import struct
import threading


def short_text(text):
    return bytes([len(text)]) + text.encode()


def method(class_id, method_id, content=b"", channel=1):
    payload = struct.pack(">HH", class_id, method_id) + content
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


class Consumer:
    """Takes from a queue until it is closed. takes=False: takes one message and never acknowledges it."""

    def __init__(self, port, queue, takes=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.data = b""
        plain = b"\0guest\0guest"
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        self.socket.sendall(method(10, 11, struct.pack(">I", 0) + short_text("PLAIN") + struct.pack(">I", len(plain)) + plain +
                                   short_text("en_US"), 0))
        self.expect(10, 30)
        self.socket.sendall(method(10, 31, struct.pack(">HIH", 2047, 131072, 0), 0) + method(10, 40, short_text("/") + short_text("") + b"\0", 0))
        self.expect(10, 41)
        self.socket.sendall(method(20, 10, short_text("")))
        self.expect(20, 11)
        self.socket.sendall(method(60, 10, struct.pack(">IHB", 0, 1, 0)))
        self.expect(60, 11)
        self.socket.sendall(method(60, 20, struct.pack(">H", 0) + short_text(queue) + short_text("") + (b"\x02" if takes else b"\0") +
                                   struct.pack(">I", 0)))
        self.expect(60, 21)
        self.socket.settimeout(None)
        threading.Thread(target=self.drain, daemon=True).start()

    def frame(self):
        while len(self.data) < 7 or len(self.data) < 8 + struct.unpack(">I", self.data[3:7])[0]:
            more = self.socket.recv(65536)
            if not more:
                raise AssertionError("the broker closed the connection")
            self.data += more
        size = struct.unpack(">I", self.data[3:7])[0]
        kind, payload, self.data = self.data[0], self.data[7:7 + size], self.data[8 + size:]
        return kind, payload

    def expect(self, class_id, method_id):
        kind, payload = self.frame()
        assert (kind, struct.unpack(">HH", payload[:4])) == (1, (class_id, method_id)), (kind, payload[:60])

    def drain(self):
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
