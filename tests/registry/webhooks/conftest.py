"""Receivers: one that answers as it is told, and one that never does."""

import socket
from collections.abc import Iterator

import pytest

from tests.receivers import Receiver, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at which connections come about and nothing ever answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
