"""The command line of the embedded stack: `python -m registry.embedded --help`."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from registry.embedded import servers
from registry.embedded.errors import EmbeddedError
from registry.embedded.places import data_folder, find_places, remove
from registry.embedded.servers import embedded_servers
from registry.embedded.settings import production_environment, service_environment


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; its exit status comes back."""
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except EmbeddedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m registry.embedded", description=__doc__)
    top.add_argument(
        "--data", type=Path, default=data_folder(), help="the data folder (default: %(default)s)"
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("up", up, "start PostgreSQL and Valkey and leave them running"),
        ("down", down, "stop them"),
        ("status", status, "say whether they run; status 3 when they do not"),
        ("env", env, "print export lines for a shell; start the servers if needed"),
        ("erase", erase, "stop the servers and delete all their data"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=function)
    run_parser = commands.add_parser("run", help="run one command on servers that are thrown away afterwards")
    run_parser.add_argument(
        "--production", action="store_true", help="with the production settings and made-up values"
    )
    run_parser.add_argument("words", nargs="*", metavar="COMMAND", help="the command, after --")
    run_parser.set_defaults(command=run)
    serve_parser = commands.add_parser("serve", help="run web, worker and sweeper until Ctrl-C")
    serve_parser.add_argument(
        "--port", type=int, default=None, help="the web port (default: 8000, or a free one)"
    )
    serve_parser.set_defaults(command=serve)
    demo_parser = commands.add_parser(
        "demo", help="the main job from pairs to a steered text, as a user does it"
    )
    demo_parser.add_argument("--once", action="store_true", help="end afterwards instead of serving on")
    demo_parser.add_argument(
        "--port", type=int, default=None, help="the web port (default: 8000, or a free one)"
    )
    demo_parser.set_defaults(command=demo)
    return top


def up(options: argparse.Namespace) -> int:
    started = servers.start(options.data)
    print(f"PostgreSQL and Valkey are up; data in {options.data}")
    print("the addresses: python -m registry.embedded env")
    return 0 if started else 1


def down(options: argparse.Namespace) -> int:
    servers.stop(options.data)
    print("PostgreSQL and Valkey are down")
    return 0


def status(options: argparse.Namespace) -> int:
    found = servers.running(options.data)
    print(f"{'up' if found else 'down'}; data in {options.data}")
    return 0 if found else 3


def env(options: argparse.Namespace) -> int:
    started = servers.start(options.data)
    for name, value in service_environment(options.data, started).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def erase(options: argparse.Namespace) -> int:
    if not options.data.exists():
        return 0
    servers.stop(options.data)
    remove(find_places(options.data))
    shutil.rmtree(options.data / "blobs", ignore_errors=True)
    (options.data / "secret_key").unlink(missing_ok=True)
    return 0


def run(options: argparse.Namespace) -> int:
    """Runs a command with the service's environment, on servers that are thrown away afterwards."""
    if not options.words:
        raise EmbeddedError("no command given; for example: run -- python manage.py check")
    with (
        tempfile.TemporaryDirectory(prefix="bearing-run-") as folder,
        embedded_servers(Path(folder), persistent=False) as urls,
    ):
        settings = production_environment if options.production else service_environment
        environment = {**os.environ, **settings(Path(folder), urls)}
        return subprocess.run(options.words, env=environment, check=False).returncode


def serve(options: argparse.Namespace) -> int:
    from registry.embedded.stack import serve_until_stopped

    return serve_until_stopped(options.data, port=options.port)


def demo(options: argparse.Namespace) -> int:
    from registry.embedded.demo import run_demo

    return run_demo(options.data, port=options.port, once=options.once)


if __name__ == "__main__":
    sys.exit(main())
