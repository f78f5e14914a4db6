"""What the Hub's client asks: about a vector, its files, its versions, and who it is itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import OPEN, check_files
from registry.accounts.models import ApiToken
from registry.accounts.selectors import membership_list
from registry.api.endpoint import Endpoint
from registry.api.errors import header_text
from registry.api.hub.card import LIBRARY, card_data, tags_of
from registry.api.hub.content import file_of, files_of
from registry.api.hub.revisions import COMMIT_LENGTH, commit_of, version_at
from registry.api.hub.serving import blob_answer, file_answer, read_link
from registry.api.pagination import MAX_LIMIT, Cursor
from registry.api.permissions import AnyToken
from registry.catalog.models import VectorVersion
from registry.catalog.notices import version_notices
from registry.catalog.resolving import file_granted, version_names
from registry.catalog.selectors import vector_get
from registry.catalog.states import Access
from registry.core.errors import NotFoundError, RegistryError, RemovedError
from registry.discovery.search import Wanted, vector_search
from registry.serving.selectors import download_totals

# Our codes in the words from which the client makes its exceptions.
CODES: Mapping[str, str] = {
    "vector.not_found": "RepoNotFound",
    "version.not_found": "RevisionNotFound",
    "alias.yanked": "RevisionNotFound",
    "hub.entry_not_found": "EntryNotFound",
    "access.gated": "GatedRepo",
    "access.purchase_required": "GatedRepo",
}


class HubEndpoint(Endpoint):
    """Answers as the Hub does; refusals are problems, with the headers that the client reads."""

    schema = None

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(exc, RegistryError) and exc.code in CODES:
            response["X-Error-Code"] = CODES[exc.code]
        if isinstance(exc, RemovedError):
            response["X-Error-Message"] = "Access to this resource is disabled."
        if isinstance(exc, AuthenticationFailed):
            # Else it would say that there is no such repository.
            response["X-Error-Message"] = "Invalid credentials in Authorization header"
        return response


class ModelInfo(HubEndpoint):
    """A vector at a revision, with its files."""

    bucket = "resolve"

    def get(self, request: Request, owner: str, name: str, revision: str = "main") -> HttpResponse:
        row = version_at(viewer=request.user, owner=owner, name=name, revision=revision)
        is_detailed = request.query_params.get("blobs", "").lower() in ("1", "true")
        siblings = [file.sibling(is_detailed=is_detailed) for file in files_of(row)]
        return Response({**model_json(row), "cardData": card_data(row), "siblings": siblings})


class ModelTree(HubEndpoint):
    """The files at a revision; there are no folders."""

    bucket = "resolve"

    def get(self, request: Request, owner: str, name: str, revision: str, folder: str = "") -> HttpResponse:
        row = version_at(viewer=request.user, owner=owner, name=name, revision=revision)
        if folder:
            raise NotFoundError(f"{row} has no folder {folder[:80]!r}", code="hub.entry_not_found")
        return Response([file.entry() for file in files_of(row)])


class ModelRefs(HubEndpoint):
    """The revisions with a name: `main`, and a tag for each version."""

    def get(self, request: Request, owner: str, name: str) -> HttpResponse:
        vector = vector_get(viewer=request.user, owner=owner, name=name)
        versions = [
            {"name": version, "ref": f"refs/tags/{version}", "targetCommit": sha256[:COMMIT_LENGTH]}
            for version, sha256 in version_names(vector=vector)
        ]
        main = [{**row, "name": "main", "ref": "refs/heads/main"} for row in versions[:1]]
        return Response({"branches": main, "converts": [], "tags": versions})


class HubPage(Cursor):
    """A page of a list; the Hub lets its client ask for more than a page holds, and go on from there."""

    def limit(self, text: str) -> int:
        return super().limit(str(MAX_LIMIT) if not text or len(text.lstrip("0")) > 2 else text)

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data = data
        return response


class ModelList(HubEndpoint):
    """Published vectors, the most relevant first; `search` and `author` narrow them down."""

    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        wanted = Wanted(
            text=query.get("search", "")[:200].replace("\0", ""),
            owner=query.get("author", "")[:64].replace("\0", ""),
        )
        page = HubPage()
        rows = vector_search(viewer=request.user, wanted=wanted, related=("downloads",))
        shown = page.paginate_queryset(rows, request, view=self)
        for row in shown:
            row.latest.vector = row
        return page.get_paginated_response([model_json(row.latest) for row in shown])


class FileGet(HubEndpoint):
    """A file at a revision, or the address of its bytes."""

    bucket = "resolve"

    def get(self, request: Request, owner: str, name: str, revision: str, filename: str) -> HttpResponse:
        row = version_at(viewer=request.user, owner=owner, name=name, revision=revision)
        file = file_of(row, filename)
        if file.blob:
            check_files(request.user, row.vector)
        response = file_answer(request, row, file)
        if notices := version_notices(row):
            response["X-HF-Warning"] = header_text(f"{notices[0].code}; {notices[0].message}")
        return response


class SignedFile(HubEndpoint):
    """The bytes behind a short-lived link, which takes no token."""

    authentication_classes = []
    bucket = "files"

    def get(self, request: Request, signed: str, filename: str) -> HttpResponse:
        version_id, sha256 = read_link(signed)
        row, blob = file_granted(version_id=version_id, sha256=sha256)
        return blob_answer(request, row, blob, filename)


class WhoAmI(HubEndpoint):
    """Whose token this is."""

    permission_classes = [AnyToken]

    def get(self, request: Request) -> HttpResponse:
        user, token = self.user, request.auth
        assert isinstance(token, ApiToken)
        orgs = [
            {
                "type": "org",
                "name": row.namespace.slug,
                "fullname": row.namespace.title,
                "roleInOrg": row.role,
            }
            for row in membership_list(user=user)
            if row.namespace.is_organisation
        ]
        role = "write" if ApiToken.Scope.WRITE in token.scopes else "read"
        return Response(
            {
                "type": "user",
                "id": str(user.pk),
                "name": user.get_username(),
                "fullname": user.get_full_name() or user.get_username(),
                "orgs": orgs,
                "auth": {"type": "access_token", "accessToken": {"displayName": token.name, "role": role}},
            }
        )


def model_json(row: VectorVersion) -> dict[str, Any]:
    """A vector at a version, as the Hub describes a model."""
    vector, name = row.vector, str(row.vector)
    downloads = download_totals(vector)
    return {
        "_id": vector.pk.hex,
        "id": name,
        "modelId": name,
        "author": vector.owner.slug,
        "sha": commit_of(row),
        "private": vector.visibility not in OPEN,
        "gated": False if vector.access == Access.OPEN else vector.access_mode,
        "disabled": False,
        "tags": tags_of(row),
        "library_name": LIBRARY,
        "downloads": downloads["last_30_days"],
        "downloadsAllTime": downloads["total"],
        "likes": 0,
        "createdAt": _moment(vector.created_at),
        "lastModified": _moment(row.published_at or row.created_at),
    }


def _moment(at: datetime) -> str:
    """The one form that the client reads."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
