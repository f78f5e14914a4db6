"""The paths of the Hub that its client asks for models. What else it may ask is a problem with 404."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from registry.api.hub import views
from registry.core.naming import RESERVED_OWNERS, SLUG


class OwnerConverter(StringConverter):
    """The name of an owner, which is none of this service's own first words."""

    regex = rf"(?!(?:{'|'.join(sorted(RESERVED_OWNERS))})/){SLUG}"


register_converter(OwnerConverter, "owner")

app_name = "hub"
MODEL = "api/models/<str:owner>/<str:name>"

urlpatterns = [
    path("api/whoami-v2", views.WhoAmI.as_view(), name="whoami"),
    path("api/models", views.ModelList.as_view(), name="models"),
    path(MODEL, views.ModelInfo.as_view(), name="model"),
    path(f"{MODEL}/refs", views.ModelRefs.as_view(), name="refs"),
    path(f"{MODEL}/revision/<path:revision>", views.ModelInfo.as_view(), name="revision"),
    path(f"{MODEL}/tree/<str:revision>", views.ModelTree.as_view(), name="tree"),
    path(f"{MODEL}/tree/<str:revision>/<path:folder>", views.ModelTree.as_view(), name="tree-folder"),
    path("api/files/<str:signed>/<str:filename>", views.SignedFile.as_view(), name="file"),
    path(
        "<owner:owner>/<str:name>/resolve/<str:revision>/<path:filename>",
        views.FileGet.as_view(),
        name="resolve",
    ),
]
