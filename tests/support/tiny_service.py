"""A service of a few lines for tests of the supervisor: health endpoints, one log line, and a way to misbehave.

TINY_MODE: "good", "deaf" (ignores SIGTERM), "refusing" (exit code 2 at once), "crashing" (exit code 70 at once).
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ready": true, "missing": {}}')

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    name, mode = os.environ["PERPSTREAM_INSTANCE"], sys.argv[1]
    print(f"{name} speaks first", flush=True)
    if mode == "refusing":
        print("a setting is wrong: there is no symbol NOPE", flush=True)
        sys.exit(2)
    if mode == "crashing":
        print(f"{name} fell over", flush=True)
        sys.exit(70)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PERPSTREAM_HEALTH_PORT"])), Health).serve_forever()


if __name__ == "__main__":
    main()
