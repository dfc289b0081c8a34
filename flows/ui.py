"""Start Prefect's server and its pages on this machine; runs that know its address show up there at once.

The database is the one in ``.prefect`` that runs without a server write too, so earlier runs are there as well.
"""

import argparse
import os
import sys

from flows._server import configure


def main(port: int) -> None:
    configure()
    address = f"http://127.0.0.1:{port}"
    # The pages ask their own settings where the API is; Prefect's default names port 4200.
    os.environ |= {"PREFECT_SERVER_UI_API_URL": f"{address}/api", "PREFECT_API_URL": f"{address}/api"}
    print(f"Prefect: {address}  (Ctrl-C ends it). In the shell that runs the flows:", flush=True)
    print(f"export PREFECT_API_URL={address}/api", flush=True)
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="ui", description=__doc__)
    parser.add_argument("--port", type=int, default=4200, help="default: 4200")
    main(parser.parse_args().port)
