"""Users, who own names, and their API tokens. Verbs are in `services`."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from registry.accounts.validators import USERNAME_VALIDATORS
from registry.core.models import UUIDModel


class User(AbstractUser):
    """A person. The username is the owner part of `owner/name` and never changes."""

    username = models.CharField(max_length=64, unique=True, validators=USERNAME_VALIDATORS)
    email = models.EmailField(unique=True)


class ApiToken(UUIDModel):
    """A bearer token; only its sha256 is kept."""

    class Scope(models.TextChoices):
        READ = "read", "Read: see and download what you may see"
        WRITE = "write", "Write: upload datasets, start runs, publish"

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
