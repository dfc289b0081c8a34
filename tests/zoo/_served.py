"""Zoos for the tests: tiny networks, and a folder served over plain HTTP that can be made to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from _tiny import images, package_for

from pnc.arch import BlockNet, NetworkSpec, build
from pnc.base.images import Images
from pnc.cloning.package import ClonePackage
from pnc.zoo import Zoo

SPEC = NetworkSpec("lenet5", ("cat", "dog", "owl"), (0.5, 0.4, 0.6), (0.3, 0.2, 0.25), width=0.25)


def network(seed: int = 0, spec: NetworkSpec = SPEC) -> BlockNet:
    return build(spec, seed)


def pictures(each: int = 3, seed: int = 0) -> Images:
    found = images(3, each, size=32, seed=seed)
    return Images(found.pixels, found.labels, SPEC.class_names)


def owls(position: int = 1) -> ClonePackage:
    """The third class of ``network(0)`` for ``network(1)``."""
    return package_for(network(0), network(1), position, classes=[2], names=["owl"])


def two_models(location: str | Path, **options: object) -> Zoo:
    zoo = Zoo(location)
    zoo.add("birds", network(0), SPEC, accuracy=91.5, dataset="test pictures", **options)  # type: ignore[arg-type]
    zoo.add("pets", network(1), SPEC, **options)  # type: ignore[arg-type]
    return zoo


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder. ``cut`` names paths that break off half-way; ``asked`` collects what was asked for."""

    cut: tuple[str, ...] = ()
    asked: list[str]

    def __init__(self, *arguments: object, asked: list[str], cut: tuple[str, ...], directory: str) -> None:
        self.asked, self.cut = asked, cut
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not any(part in self.path for part in self.cut):
            return super().do_GET()
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, cut: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str], ThreadingHTTPServer]]:
    """(address, paths that were asked for, the server)."""
    asked: list[str] = []
    handler = partial(Handler, asked=asked, cut=cut, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked, server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
