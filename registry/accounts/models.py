"""Users, the namespaces that own names, who may do what in them, and API tokens. Verbs are in `services` and
`organisations`, what a role allows is in `access`.
"""

from typing import Any

import pgtrigger
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from registry.accounts.roles import Role
from registry.accounts.validators import USERNAME_VALIDATORS
from registry.core.models import UUIDModel
from registry.core.naming import skeleton


class Users(UserManager["User"]):
    """People. `manage.py createsuperuser` shows a ValidationError as a sentence, all else as a traceback."""

    use_in_migrations = False

    def create_superuser(self, username: str, email: str | None = None, *args: Any, **fields: Any) -> "User":
        if self.filter(email__iexact=email or "").exists():
            raise ValidationError(f"The e-mail address {email!r} is another account's; give one of its own.")
        return super().create_superuser(username, email, *args, **fields)


class User(AbstractUser):
    """A person. The username is the owner part of `owner/name` and never changes."""

    username = models.CharField(max_length=64, unique=True, validators=USERNAME_VALIDATORS)
    email = models.EmailField(unique=True)

    objects = Users()  # type: ignore[misc]  # Django's own stubs type it as a class variable

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new user comes with the namespace of their name."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                own = Namespace.objects.create(slug=self.username, kind=Namespace.Kind.USER)
                Membership.objects.create(namespace=own, user=self, role=Role.OWNER)


class Namespace(UUIDModel):
    """The owner part of `owner/name`: one person's or an organisation's. It never changes and is never given
    to somebody else.
    """

    class Kind(models.TextChoices):
        USER = "user", "Person"
        ORGANISATION = "organisation", "Organisation"

    slug = models.CharField(max_length=64, unique=True)
    skeleton = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=500, blank=True)
    website = models.URLField(max_length=200, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="namespaces")

    class Meta:
        ordering = ["slug"]
        triggers = [
            pgtrigger.ReadOnly(name="namespace_is_fixed", fields=["slug", "skeleton", "kind"]),
            pgtrigger.Protect(name="namespace_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.skeleton = skeleton(self.slug)
        super().save(*args, **kwargs)

    @property
    def is_organisation(self) -> bool:
        """Whether several people may share it."""
        return self.kind == self.Kind.ORGANISATION


# Also where staff delete a user: two owners who go at once wait for each other at the organisation's row.
AN_OWNER_STAYS = """
IF OLD.role = 'owner' AND (TG_OP = 'DELETE' OR NEW.role <> 'owner') THEN
    PERFORM 1 FROM accounts_namespace
    WHERE id = OLD.namespace_id AND kind = 'organisation' FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM accounts_membership
        WHERE namespace_id = OLD.namespace_id AND role = 'owner' AND id <> OLD.id
    ) THEN
        RAISE EXCEPTION 'an organisation keeps an owner' USING ERRCODE = 'check_violation';
    END IF;
END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
RETURN NEW;
"""


class Membership(UUIDModel):
    """What a person may do with everything in a namespace. A person's own has one, of its owner."""

    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["namespace", "user"], name="one_membership_each")]
        triggers = [
            pgtrigger.Trigger(
                name="an_owner_stays",
                when=pgtrigger.Before,
                operation=pgtrigger.Delete | pgtrigger.Update,
                func=AN_OWNER_STAYS,
            )
        ]

    def __str__(self) -> str:
        return f"{self.user.username} is {self.role} of {self.namespace}"


class Team(UUIDModel):
    """Members of an organisation who hold a further role on some of its names."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=64)
    members = models.ManyToManyField(User, related_name="teams", blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="one_team_of_a_name")]

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"


class TeamGrant(UUIDModel):
    """The role of a team on whatever in its organisation has this name: vectors, datasets and presets."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="grants")
    name = models.CharField(max_length=64)
    role = models.CharField(max_length=8, choices=Role.choices)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="one_grant_on_a_name")]

    def __str__(self) -> str:
        return f"{self.team} is {self.role} of {self.name}"


class Invitation(UUIDModel):
    """A way into an organisation for whoever has the text that was sent; only its sha256 is kept."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=8, choices=Role.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.email} to {self.namespace}"

    @property
    def is_open(self) -> bool:
        """Neither accepted, revoked nor expired."""
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > timezone.now()


class ApiToken(UUIDModel):
    """A bearer token; only its sha256 is kept."""

    class Scope(models.TextChoices):
        READ = "read", "Read: see and download what you may see"
        WRITE = "write", "Write: upload datasets, start runs, publish"
        MANAGE = "manage", "Manage: organisations, members, webhooks, transfers"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @property
    def is_active(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
