"""Organisations: found one, read it, change its words; its members; the ways into it."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.invitations import (
    invitation_accept,
    invitation_create,
    invitation_link,
    invitation_revoke,
)
from registry.accounts.organisations import (
    member_remove,
    member_update,
    organisation_create,
    organisation_update,
)
from registry.accounts.selectors import invitation_list, member_list, organisation_get, organisation_list
from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import ReadOrScopedManage, TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.organisations import (
    AcceptBody,
    InvitationBody,
    InvitationSerializer,
    JoinedSerializer,
    MemberSerializer,
    NewInvitationSerializer,
    OrganisationBody,
    OrganisationSerializer,
    RoleBody,
    WordsBody,
)


class OrganisationList(Endpoint):
    """The organisations that you are a member of, newest first."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("organisations_list", answer=OrganisationSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.render_page(OrganisationSerializer, organisation_list(viewer=self.user))


class OrganisationCreate(Endpoint):
    """Found an organisation; you are its owner. Its name is for good."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_create", status=201, answer=OrganisationSerializer, request=OrganisationBody)
    def post(self, request: Request) -> Response:
        body = self.parse(OrganisationBody, request.data)
        row = organisation_create(actor=self.user, **body)
        response = self.render(
            OrganisationSerializer, organisation_get(viewer=self.user, slug=row.slug), status=201
        )
        response["Location"] = links.operation("organisation", row.slug)
        return response


class OrganisationGet(Endpoint):
    """What everybody may know of an organisation."""

    permission_classes = [ReadOrScopedManage]

    @operation("organisations_get", answer=OrganisationSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return self.render(OrganisationSerializer, organisation_get(viewer=request.user, slug=slug))


class OrganisationUpdate(Endpoint):
    """Change the title or description; takes the role admin."""

    permission_classes = [ReadOrScopedManage]

    @operation("organisations_update", answer=OrganisationSerializer, request=WordsBody)
    def patch(self, request: Request, slug: str) -> Response:
        organisation_update(actor=self.user, slug=slug, **self.parse(WordsBody, request.data))
        return self.render(OrganisationSerializer, organisation_get(viewer=self.user, slug=slug))


class MemberList(Endpoint):
    """Who belongs to an organisation, newest first; for its members."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("organisations_members_list", answer=MemberSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return self.render_page(MemberSerializer, member_list(viewer=self.user, slug=slug))


class MemberUpdate(Endpoint):
    """Give a member another role: readers and writers by admins, all by owners. An owner always stays."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_members_update", answer=MemberSerializer, request=RoleBody)
    def patch(self, request: Request, slug: str, username: str) -> Response:
        body = self.parse(RoleBody, request.data)
        member = member_update(actor=self.user, slug=slug, username=username, role=body["role"])
        return self.render(MemberSerializer, member)


class MemberRemove(Endpoint):
    """Take a member out, or leave. The last owner stays."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_members_remove", status=204, answer=None)
    def delete(self, request: Request, slug: str, username: str) -> Response:
        member_remove(actor=self.user, slug=slug, username=username)
        return Response(status=204)


class InvitationList(Endpoint):
    """Invitations, newest first, closed ones too; for admins."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("organisations_invitations_list", answer=InvitationSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return self.render_page(InvitationSerializer, invitation_list(viewer=self.user, slug=slug))


class InvitationCreate(Endpoint):
    """Invite somebody by e-mail. The link is mailed, and shown in this answer alone; it works for a week."""

    permission_classes = [TokenReadOrScopedManage]

    @operation(
        "organisations_invitations_create",
        status=201,
        answer=NewInvitationSerializer,
        request=InvitationBody,
    )
    def post(self, request: Request, slug: str) -> Response:
        body = self.parse(InvitationBody, request.data)
        row, text = invitation_create(actor=self.user, slug=slug, **body)
        shown = self.wire(InvitationSerializer, row)
        return Response({**shown, "token": text, "link": invitation_link(text)}, status=201)


class InvitationRevoke(Endpoint):
    """Take an invitation back."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_invitations_revoke", status=204, answer=None)
    def delete(self, request: Request, slug: str, invitation_id: uuid.UUID) -> Response:
        invitation_revoke(actor=self.user, slug=slug, invitation_id=str(invitation_id))
        return Response(status=204)


class InvitationAccept(Endpoint):
    """Join by an invitation that was sent to an e-mail address of yours that is verified."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("invitations_accept", answer=JoinedSerializer, request=AcceptBody)
    def post(self, request: Request) -> Response:
        text = self.parse(AcceptBody, request.data)["token"]
        return self.render(JoinedSerializer, invitation_accept(actor=self.user, text=text))


class OrganisationCollection(OrganisationList, OrganisationCreate):
    """`/organisations`"""


class OrganisationItem(OrganisationGet, OrganisationUpdate):
    """`/organisations/{slug}`"""


class MemberItem(MemberUpdate, MemberRemove):
    """`/organisations/{slug}/members/{username}`"""


class InvitationCollection(InvitationList, InvitationCreate):
    """`/organisations/{slug}/invitations`"""
