"""Teams of an organisation: who is in them, and the roles that they were granted on names."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.selectors import team_get, team_list
from registry.accounts.teams import (
    grant_remove,
    grant_set,
    team_create,
    team_delete,
    team_member_add,
    team_member_remove,
    team_rename,
)
from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.permissions import TokenReadOrScopedManage
from registry.api.schema import operation
from registry.api.v1.serializers.organisations import GrantSerializer, RoleBody, TeamBody, TeamSerializer


class TeamList(Endpoint):
    """The teams of an organisation, newest first; for its members."""

    permission_classes = [TokenReadOrScopedManage]
    pagination_class = Cursor

    @operation("organisations_teams_list", answer=TeamSerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return self.render_page(TeamSerializer, team_list(viewer=self.user, slug=slug))


class TeamCreate(Endpoint):
    """Make a team; takes the role admin."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_create", status=201, answer=TeamSerializer, request=TeamBody)
    def post(self, request: Request, slug: str) -> Response:
        name = self.parse(TeamBody, request.data)["name"]
        row = team_create(actor=self.user, slug=slug, name=name)
        response = self.render(TeamSerializer, row, status=201)
        response["Location"] = links.operation("team", slug, row.name)
        return response


class TeamGet(Endpoint):
    """One team; for the members of its organisation."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_get", answer=TeamSerializer)
    def get(self, request: Request, slug: str, team: str) -> Response:
        return self.render(TeamSerializer, team_get(viewer=self.user, slug=slug, name=team))


class TeamRename(Endpoint):
    """Give a team another name; takes the role admin."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_rename", answer=TeamSerializer, request=TeamBody)
    def patch(self, request: Request, slug: str, team: str) -> Response:
        name = self.parse(TeamBody, request.data)["name"]
        return self.render(TeamSerializer, team_rename(actor=self.user, slug=slug, team=team, name=name))


class TeamDelete(Endpoint):
    """End a team; its members stay in the organisation."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_delete", status=204, answer=None)
    def delete(self, request: Request, slug: str, team: str) -> Response:
        team_delete(actor=self.user, slug=slug, team=team)
        return Response(status=204)


class TeamMemberAdd(Endpoint):
    """Put a member of the organisation into a team; sending it twice is no error."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_members_add", answer=TeamSerializer, request=None)
    def put(self, request: Request, slug: str, team: str, username: str) -> Response:
        row = team_member_add(actor=self.user, slug=slug, team=team, username=username)
        return self.render(TeamSerializer, row)


class TeamMemberRemove(Endpoint):
    """Take somebody out of a team, or leave it."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_members_remove", status=204, answer=None)
    def delete(self, request: Request, slug: str, team: str, username: str) -> Response:
        team_member_remove(actor=self.user, slug=slug, team=team, username=username)
        return Response(status=204)


class GrantSet(Endpoint):
    """Give a team the role reader, writer or admin on whatever in its organisation has this name."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_grants_set", answer=GrantSerializer, request=RoleBody)
    def put(self, request: Request, slug: str, team: str, name: str) -> Response:
        role = self.parse(RoleBody, request.data)["role"]
        row = grant_set(actor=self.user, slug=slug, team=team, name=name, role=role)
        return self.render(GrantSerializer, row)


class GrantRemove(Endpoint):
    """Take a team's role on a name away."""

    permission_classes = [TokenReadOrScopedManage]

    @operation("organisations_teams_grants_remove", status=204, answer=None)
    def delete(self, request: Request, slug: str, team: str, name: str) -> Response:
        grant_remove(actor=self.user, slug=slug, team=team, name=name)
        return Response(status=204)


class TeamCollection(TeamList, TeamCreate):
    """`/organisations/{slug}/teams`"""


class TeamItem(TeamGet, TeamRename, TeamDelete):
    """`/organisations/{slug}/teams/{team}`"""


class TeamMemberItem(TeamMemberAdd, TeamMemberRemove):
    """`/organisations/{slug}/teams/{team}/members/{username}`"""


class GrantItem(GrantSet, GrantRemove):
    """`/organisations/{slug}/teams/{team}/grants/{name}`"""
