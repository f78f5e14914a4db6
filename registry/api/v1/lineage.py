"""Where versions come from and what came of them; and making one of others."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import links
from registry.api.endpoint import Endpoint
from registry.api.files import PRIVATE
from registry.api.idempotency import idempotency_key
from registry.api.schema import operation
from registry.api.v1.runs import ENDED, KEY_HEADER, PREFER_HEADER, RunEndpoint
from registry.api.v1.serializers.lineage import DeriveBody, LineageSerializer
from registry.api.v1.serializers.runs import RunSerializer
from registry.catalog.selectors import version_file_rows, version_get
from registry.runs.deriving import DeriveRequest, ParentWish, derive_start
from registry.runs.lineage import Node, version_lineage


class VersionLineage(Endpoint):
    """The graph of data sets, runs, versions and presets that a version stands in, as far as you see it."""

    @operation("vectors_version_lineage", answer=LineageSerializer)
    def get(self, request: Request, owner: str, name: str, ref: str) -> Response:
        rows = version_file_rows().select_related("base_model", "dataset_version__dataset__owner")
        row = version_get(viewer=request.user, owner=owner, name=name, reference=ref, rows=rows)
        found = version_lineage(viewer=request.user, version=row)
        body = {
            "of": f"version:{row.pk}",
            "nodes": [node_json(node) for node in found.nodes],
            "edges": found.edges,
            "is_cut": found.is_cut,
        }
        response = self.render(LineageSerializer, body)
        # It says what this caller may see.
        response["Cache-Control"] = PRIVATE
        return response


class VectorDerive(RunEndpoint):
    """Compute a version from released ones, turned around or added up, and measure it; watch it under
    `Location`.
    """

    bucket = "jobs"
    keeps_its_own_keys = True

    @operation(
        "vectors_derive",
        status=202,
        answer=RunSerializer,
        request=DeriveBody,
        parameters=[KEY_HEADER, PREFER_HEADER],
        also=ENDED,
    )
    def post(self, request: Request, owner: str, name: str) -> Response:
        key = idempotency_key(request)
        body = self.parse(DeriveBody, request.data)
        parents = tuple(ParentWish(**parent) for parent in body.pop("parents"))
        wanted = DeriveRequest(vector=f"{owner}/{name}", parents=parents, **body)
        run, _ = derive_start(actor=self.user, request=wanted, idempotency_key=key)
        response = self.waited_for(run, status=202)
        response["Location"] = links.operation("run", run.pk)
        return response


def node_json(node: Node) -> dict[str, Any]:
    """A node on the wire; a hidden one says nothing."""
    row, said = node.row, {"id": node.id, "kind": node.kind}
    match node.kind:
        case "version":
            seen = {"name": str(row), "digest": row.digest or None, "state": row.state}
            return {**said, **seen, "url": links.version_page(row)}
        case "dataset":
            seen = {"name": str(row), "digest": row.digest, "state": None}
            return {**said, **seen, "url": links.dataset_version_page(row)}
        case "run":
            return {**said, "name": row.kind, "digest": None, "state": row.state, "url": links.run_page(row)}
        case "preset":
            seen = {"name": str(row), "digest": row.digest, "state": row.state}
            return {**said, **seen, "url": links.page(f"/presets/{row.preset}")}
    return {**said, "name": None, "digest": None, "state": None, "url": None}
