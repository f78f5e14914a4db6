"""What the checks find at a service. As a program it fills the service of its environment and prints it."""

import json
from typing import Any


def make_shelf() -> dict[str, Any]:
    """An open, a private and a gated vector, and what the checks want to know of them."""
    from registry.catalog.aliases import alias_set
    from registry.catalog.models import Vector
    from tests.factories import make_token, make_user, make_vector_version

    user = make_user("acme")
    row = make_vector_version(user)
    make_vector_version(user, "secret", visibility="private", seed=1)
    make_vector_version(user, "gated", seed=2)
    Vector.objects.filter(name="gated").update(access="gated")
    alias_set(actor=user, owner="acme", name="formality", alias="stable", version="1.0.0")
    names = {"repo": "acme/formality", "private": "acme/secret", "gated": "acme/gated", "user": "acme"}
    return {
        **names,
        "version": "1.0.0",
        "alias": "stable",
        "sha256": row.artifact_id,
        "token": make_token(user),
        "id": str(row.pk),
    }


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(make_shelf()))
