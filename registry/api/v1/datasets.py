"""Datasets: check a file, push it as a version, list, read, look through, compare, download."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.access import Visibility
from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.files import PRIVATE, SHORT, ServedFile, file_response
from registry.api.notices import with_notices
from registry.api.pagination import Cursor
from registry.api.parsers import JsonBody, UploadForm
from registry.api.permissions import AnyToken, ReadOrScopedManage
from registry.api.schema import FILE, operation
from registry.api.v1.serializers.datasets import (
    DatasetCheckSerializer,
    DatasetDetailSerializer,
    DatasetDiffQuery,
    DatasetDiffSerializer,
    DatasetFilesBody,
    DatasetPushBody,
    DatasetQuery,
    DatasetRowQuery,
    DatasetRowSerializer,
    DatasetSerializer,
    DatasetUploadBody,
    DatasetVersionSerializer,
)
from registry.api.v1.serializers.lifecycle import MoveBody
from registry.catalog.notices import moved_notice
from registry.datasets.comparing import dataset_diff
from registry.datasets.models import DatasetVersion
from registry.datasets.searching import FoundRows, Wanted, rows_found, version_rows
from registry.datasets.selectors import dataset_get, dataset_list, dataset_version_get
from registry.datasets.services import (
    MEDIA_TYPE,
    CheckedDataset,
    DatasetWords,
    dataset_check,
    dataset_check_uploaded,
    dataset_publish,
)
from registry.datasets.transfers import dataset_move


class DatasetCheck(Endpoint):
    """What a file of pairs would become; nothing is stored."""

    permission_classes = [AnyToken]
    parser_classes = [UploadForm]

    @operation(
        "datasets_check", answer=DatasetCheckSerializer, request={UploadForm.media_type: DatasetFilesBody}
    )
    def post(self, request: Request) -> Response:
        return self.render(DatasetCheckSerializer, checked(self.parse(DatasetFilesBody, request.data)))


class DatasetPush(Endpoint):
    """Store a file of pairs as the next version of a dataset; 200 when the newest version has them.

    The file is in a form, or it is a complete upload, which JSON names.
    """

    parser_classes = [UploadForm, JsonBody]

    @operation(
        "datasets_push",
        status=201,
        also={200: DatasetVersionSerializer},
        answer=DatasetVersionSerializer,
        request={UploadForm.media_type: DatasetPushBody, JsonBody.media_type: DatasetUploadBody},
    )
    def post(self, request: Request) -> Response:
        is_json = str(request.content_type).startswith(JsonBody.media_type)
        body = self.parse(DatasetUploadBody if is_json else DatasetPushBody, request.data)
        version, is_new = dataset_publish(
            actor=self.user,
            name=body["name"],
            checked=self.uploaded(body) if is_json else checked(body),
            visibility=body.get("visibility", ""),
            words=DatasetWords(
                **{name: body.get(name, "") for name in ("description", "license", "language", "notes")}
            ),
        )
        response = self.render(DatasetVersionSerializer, version, status=201 if is_new else 200)
        response["Location"] = links.operation(
            "dataset-version", version.dataset.owner.slug, version.dataset.name, version.number
        )
        return response

    def uploaded(self, body: dict[str, Any]) -> CheckedDataset:
        """The upload or uploads of a body, read and judged."""
        negative = body.get("negative_upload") or ""
        return dataset_check_uploaded(
            actor=self.user, upload_id=str(body["upload"]), negative_id=str(negative)
        )


class DatasetList(Endpoint):
    """Datasets that you may see, newest first."""

    pagination_class = Cursor

    @operation("datasets_list", answer=DatasetSerializer(many=True), parameters=[DatasetQuery])
    def get(self, request: Request) -> Response:
        query = self.parse(DatasetQuery, request.query_params)
        rows = dataset_list(viewer=request.user, owner=query.get("owner", ""), query=query.get("q", ""))
        return self.render_page(DatasetSerializer, rows)


class DatasetGet(Endpoint):
    """One dataset with its versions."""

    @operation("datasets_get", answer=DatasetDetailSerializer)
    def get(self, request: Request, owner: str, name: str) -> Response:
        row = dataset_get(viewer=request.user, owner=owner, name=name)
        response = self.render(DatasetDetailSerializer, row)
        if row.asked_as:
            with_notices(response, [moved_notice("dataset", row)])
        return response


class DatasetTransfer(Endpoint):
    """Rename a dataset or give it to another namespace; takes the role admin in both. Old names keep working,
    and are never given again.
    """

    permission_classes = [ReadOrScopedManage]

    @operation("datasets_transfer", answer=DatasetDetailSerializer, request=MoveBody)
    def post(self, request: Request, owner: str, name: str) -> Response:
        body = self.parse(MoveBody, request.data)
        row = dataset_move(
            actor=self.user,
            owner=owner,
            name=name,
            to_owner=body.get("owner", ""),
            to_name=body.get("name", ""),
        )
        moved = dataset_get(viewer=self.user, owner=row.owner.slug, name=row.name)
        response = self.render(DatasetDetailSerializer, moved)
        response["Location"] = links.operation("dataset", row.owner.slug, row.name)
        return response


class DatasetVersionGet(Endpoint):
    """One version of a dataset and the report made when it came in."""

    @operation("datasets_version_get", answer=DatasetVersionSerializer)
    def get(self, request: Request, owner: str, name: str, number: int) -> Response:
        row = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
        return self.render(DatasetVersionSerializer, row)


class DatasetVersionDownload(Endpoint):
    """The pairs of a version as canonical JSON Lines."""

    @operation("datasets_version_download", answer=FILE, media_type=MEDIA_TYPE)
    def get(self, request: Request, owner: str, name: str, number: int) -> HttpResponse:
        row = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
        file = ServedFile(
            sha256=row.blob_id,
            size_bytes=row.blob.size_bytes,
            media_type=MEDIA_TYPE,
            filename=f"{owner}-{name}-{number}.jsonl",
            caching=_caching(row),
        )
        return file_response(request, file)


class DatasetVersionRows(Endpoint):
    """The pairs of a version in the order of its file, each with its split and the remarks on it.

    A cursor is the number of the last row that was shown: `cursor=11&limit=1` is row 12.
    """

    pagination_class = Cursor

    @operation("datasets_version_rows", answer=DatasetRowSerializer(many=True), parameters=[DatasetRowQuery])
    def get(self, request: Request, owner: str, name: str, number: int) -> Response:
        query = self.parse(DatasetRowQuery, request.query_params)
        version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
        wanted = Wanted(
            text=query.get("q", ""),
            flag=query.get("remark", ""),
            split=query.get("split", ""),
            domain=query.get("domain", ""),
        )
        rows = FoundRows(rows_found(version_rows(version=version), wanted))
        response = self.render_page(DatasetRowSerializer, rows)
        response["Cache-Control"] = _caching(version)
        return response


class DatasetVersionDiff(Endpoint):
    """What changed from one version to another of the same dataset, row by row. Moved rows are no change."""

    @operation("datasets_version_diff", answer=DatasetDiffSerializer, parameters=[DatasetDiffQuery])
    def get(self, request: Request, owner: str, name: str, number: int, other: int) -> Response:
        query = self.parse(DatasetDiffQuery, request.query_params)
        before, after = (
            dataset_version_get(viewer=request.user, owner=owner, name=name, number=asked)
            for asked in (number, other)
        )
        diff = dataset_diff(before=before, after=after)
        found = diff.of_kind(query.get("kind", ""))
        shown = found[query["offset"] : query["offset"] + query["limit"]]
        body = {
            "before": before,
            "after": after,
            "counts": diff.counts,
            "changes": shown,
            "left_out": len(found) - len(shown),
        }
        response = self.render(DatasetDiffSerializer, body)
        response["Cache-Control"] = _caching(after)
        return response


class DatasetCollection(DatasetList, DatasetPush):
    """`/datasets`"""


def checked(body: dict[str, Any]) -> CheckedDataset:
    """The file or files of a form, read and judged."""
    negative = body.get("negative_file")
    return dataset_check(
        data=body["file"].read(),
        filename=body["file"].name,
        negative=None if negative is None else negative.read(),
    )


def _caching(version: DatasetVersion) -> str:
    """For how long what is said of a version may be kept, and by whom."""
    return SHORT if version.dataset.visibility == Visibility.PUBLIC else PRIVATE
