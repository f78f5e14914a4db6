"""`bearing login`, `logout` and `whoami`: the token of one registry, checked before it is kept."""

import sys
from typing import Annotated

import typer

from steering_core.client.config import check_token, is_loopback, store_token
from steering_core.client.hub import Hub
from steering_core.client.tables import facts
from steering_core.client.ui import Ui, command
from steering_core.errors import ClientError


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    command(app, "login", examples=["bearing login", "echo $TOKEN | bearing login --token-stdin"])(login)
    command(app, "logout", examples=["bearing logout"])(logout)
    command(app, "whoami", examples=["bearing whoami", "bearing whoami --json"])(whoami)


def login(
    ui: Ui,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input instead of asking.")
    ] = False,
) -> None:
    """Keep an API token for this registry, after checking it.

    Make the token on the registry's page Settings, Tokens. It is kept in
    BEARING_HOME/credentials.json, readable by you only.
    """
    place = ui.hub.config
    if place.endpoint.startswith("http:") and not is_loopback(place.endpoint):
        ui.say(f"warning: {place.endpoint} is not encrypted; the token can be read on the way", "yellow")
    token = check_token(sys.stdin.readline() if token_stdin else _ask(ui, place.endpoint))
    with Hub(place.endpoint, token, place.home, mode=place.mode) as hub:
        user = hub.whoami()
    store_token(place.home, place.endpoint, token)
    ui.say(f"logged in to {place.endpoint} as {user['username']}")
    ui.result({"endpoint": place.endpoint, **user})


def logout(ui: Ui) -> None:
    """Forget the token of this registry.

    The token itself stays valid; revoke it on the registry's page Settings, Tokens.
    """
    place = ui.hub.config
    existed = store_token(place.home, place.endpoint, None)
    ui.say(f"logged out of {place.endpoint}" if existed else f"no token was kept for {place.endpoint}")
    ui.result({"endpoint": place.endpoint, "logged_out": existed})


def whoami(ui: Ui) -> None:
    """Show whose token is used, and what it may do.

    The token is BEARING_TOKEN if that is set, else the one that `bearing login` kept.
    """
    user = ui.hub.whoami()
    data = {"endpoint": ui.hub.config.endpoint, **user}
    shown = facts(
        [
            ("user", user["username"]),
            ("may", ", ".join(user["scopes"])),
            ("registry", data["endpoint"]),
        ]
    )
    ui.result(data, shown)


def _ask(ui: Ui, endpoint: str) -> str:
    if not sys.stdin.isatty():
        raise ClientError(
            "there is no terminal to ask for the token; pipe it in with --token-stdin, or set BEARING_TOKEN",
            code="client.token",
        )
    ui.say(f"make a token at {endpoint}/settings/tokens/ and paste it here; it is not shown")
    return str(typer.prompt("token", hide_input=True, err=True))
