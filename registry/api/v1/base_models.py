"""Base models: what vectors are made for. Staff registers them with `manage.py register_base_model`."""

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api.endpoint import Endpoint
from registry.api.pagination import Cursor
from registry.api.schema import operation
from registry.api.v1.serializers.base_models import BaseModelSerializer
from registry.catalog.selectors import base_model_get, base_model_list


class BaseModelList(Endpoint):
    """Every registered base model revision, newest first."""

    pagination_class = Cursor

    @operation("base_models_list", answer=BaseModelSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.render_page(BaseModelSerializer, base_model_list())


class BaseModelGet(Endpoint):
    """One base model revision, by its model hash."""

    @operation("base_models_get", answer=BaseModelSerializer)
    def get(self, request: Request, model_hash: str) -> Response:
        return self.render(BaseModelSerializer, base_model_get(reference=model_hash))
