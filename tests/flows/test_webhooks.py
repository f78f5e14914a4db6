"""Webhooks with real sweepers: one is killed while it sends, the next one delivers; nothing is lost."""

from collections.abc import Callable

from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from registry.accounts.services import token_create
from registry.webhooks.models import Attempt, Delivery
from registry.webhooks.services import NewWebhook, webhook_create
from tests.factories import make_user
from tests.flows.conftest import Processes
from tests.receivers import Answer, running_receiver

Wait = Callable[[Callable[[], bool], float], None]


def test_message_survives_a_killed_sender_and_a_receiver_that_hangs_and_fails(
    processes: Processes, wait_for: Wait
) -> None:
    owner = make_user()
    with running_receiver() as receiver:
        receiver.answers = [Answer(hangs=True), Answer(500), Answer(200)]
        wanted = NewWebhook(url=receiver.url, actions=["token.*"])
        _, secret = webhook_create(actor=owner, wanted=wanted)
        token_create(user=owner, name="ci", scopes=["read"])

        sweeper = processes.start_sweeper()
        wait_for(lambda: len(receiver.got) == 1, 30)
        processes.kill(sweeper)
        assert not Attempt.objects.exists()
        # The time that the killed one had, and then the pause after the 500, are not waited for here.
        Delivery.objects.update(due_at=timezone.now())
        processes.start_sweeper()
        wait_for(lambda: Attempt.objects.filter(status=500).exists(), 30)
        Delivery.objects.update(due_at=timezone.now())
        wait_for(lambda: Delivery.objects.filter(state="delivered").exists(), 30)

        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert [attempt.status for attempt in Attempt.objects.all()] == [500, 200]
        for headers, body in receiver.got:
            assert Verifier(secret).verify(body, headers)["type"] == "token.created"
