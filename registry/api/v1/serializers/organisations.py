"""Organisations, their members, invitations and teams on the wire."""

from typing import Any

from rest_framework import serializers

from registry.accounts.models import Namespace, Team
from registry.accounts.roles import Role
from registry.api.v1.serializers.common import Body


class RoleField(serializers.ChoiceField):
    """Reader, writer, admin or owner."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Role.choices, **options)


class OrganisationBody(Body):
    """A new organisation."""

    slug = serializers.CharField(max_length=64, help_text="Its name, for good: the part before the slash.")
    title = serializers.CharField(required=False, allow_blank=True, max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=500)
    website = serializers.CharField(required=False, allow_blank=True, max_length=200)


class WordsBody(Body):
    """The words around a person or an organisation; what is left out stays as it is."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=500)
    website = serializers.CharField(required=False, allow_blank=True, max_length=200)


class RoleBody(Body):
    """Which role to give."""

    role = RoleField()


class InvitationBody(Body):
    """Whom to invite, and as what."""

    email = serializers.EmailField(max_length=254)
    role = RoleField()


class AcceptBody(Body):
    """The text after `/invitations/` in the link."""

    token = serializers.CharField(max_length=200)


class TeamBody(Body):
    """The name of a team within its organisation."""

    name = serializers.CharField(max_length=64)


class OrganisationSerializer(serializers.Serializer[Any]):
    """What everybody may know of an organisation, and what the caller is in it."""

    slug = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    website = serializers.CharField(help_text="An http or https address, or empty.")
    created_at = serializers.DateTimeField()
    role = RoleField(allow_null=True, help_text="Yours; null if you are no member.")


class ProfileSerializer(OrganisationSerializer):
    """A person or an organisation, as everybody may know it."""

    kind = serializers.ChoiceField(choices=Namespace.Kind.choices)


class MemberSerializer(serializers.Serializer[Any]):
    """Somebody who belongs to an organisation."""

    username = serializers.CharField(source="user.username")
    role = RoleField()
    joined_at = serializers.DateTimeField(source="created_at")


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation, without the text of its link."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = RoleField()
    invited_by = serializers.CharField(source="invited_by.username")
    is_open = serializers.BooleanField(help_text="Neither accepted, revoked nor expired.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewInvitationSerializer(InvitationSerializer):
    """A new invitation with its link, which is shown this once."""

    token = serializers.CharField(help_text="Shown this once.")
    link = serializers.CharField(help_text="The page on which whoever it was sent to accepts.")


class JoinedSerializer(serializers.Serializer[Any]):
    """What an accepted invitation made of its reader."""

    organisation = serializers.CharField(source="namespace.slug")
    username = serializers.CharField(source="user.username")
    role = RoleField()
    joined_at = serializers.DateTimeField(source="created_at")


class GrantSerializer(serializers.Serializer[Any]):
    """The role of a team on a name."""

    name = serializers.CharField()
    role = RoleField()


class TeamSerializer(serializers.Serializer[Any]):
    """A team with who is in it and what it was granted."""

    name = serializers.CharField()
    organisation = serializers.CharField(source="namespace.slug")
    members = serializers.SerializerMethodField()
    grants = GrantSerializer(many=True, source="grants.all")
    created_at = serializers.DateTimeField()

    def get_members(self, row: Team) -> list[str]:
        return sorted(user.username for user in row.members.all())


class NamespaceSerializer(serializers.Serializer[Any]):
    """A namespace that one belongs to, and as what."""

    slug = serializers.CharField(source="namespace.slug")
    kind = serializers.ChoiceField(choices=Namespace.Kind.choices, source="namespace.kind")
    title = serializers.CharField(source="namespace.title")
    role = RoleField()
