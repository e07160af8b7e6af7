"""A filter before Swift's object server that makes it as slow as a store that fetches each object from a tape."""
import eventlet


class Tape:
    def __init__(self, app, seconds):
        self.app = app
        self.seconds = seconds

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] in ("GET", "PUT"):
            eventlet.sleep(self.seconds)
        return self.app(environ, start_response)


def factory(_, **settings):
    """As Paste Deploy calls it; `seconds` is set in the server's file."""
    return lambda app: Tape(app, float(settings["seconds"]))
