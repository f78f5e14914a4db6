"""The pages' addresses. Our own words come first; what is left is an owner's, whose name is none of them."""

from django.urls import path, register_converter

from registry.web import converters
from registry.web.views import (
    blind,
    catalog,
    changes,
    datasets,
    docs,
    draft_rows,
    extracting,
    invitations,
    notifications,
    presets,
    runs,
    styleguide,
    tokens,
    transfers,
    uploads,
    vectors,
    versions,
)

register_converter(converters.SlugConverter, "name")
register_converter(converters.ReferenceConverter, "reference")

app_name = "web"
urlpatterns = [
    path("", catalog.catalog, name="catalog"),
    path("datasets/", datasets.dataset_index, name="dataset_list"),
    path("datasets/new", uploads.dataset_new, name="dataset_new"),
    path("datasets/new/<uuid:upload_id>", uploads.dataset_preview, name="dataset_preview"),
    path("datasets/new/<uuid:upload_id>/discard", uploads.dataset_discard, name="dataset_discard"),
    path("datasets/new/<uuid:upload_id>/report", draft_rows.draft_report_part, name="draft_report"),
    path("datasets/new/<uuid:upload_id>/rows/add", draft_rows.draft_row_add, name="draft_row_add"),
    path("datasets/new/<uuid:upload_id>/rows/<int:number>", draft_rows.draft_row, name="draft_row"),
    path("datasets/new/<uuid:upload_id>/batch", draft_rows.draft_batch, name="draft_batch"),
    path("datasets/new/<uuid:upload_id>/undo", draft_rows.draft_step_back, name="draft_undo"),
    path("datasets/new/transfers", transfers.transfer_open, name="transfer_open"),
    path("datasets/new/transfers/<uuid:upload_id>", transfers.transfer_state, name="transfer"),
    path("datasets/new/transfers/<uuid:upload_id>/abort", transfers.transfer_abort, name="transfer_abort"),
    path(
        "datasets/new/transfers/<uuid:upload_id>/complete",
        transfers.transfer_complete,
        name="transfer_complete",
    ),
    path(
        "datasets/new/transfers/<uuid:upload_id>/parts/<int:number>",
        transfers.transfer_part,
        name="transfer_part",
    ),
    path("datasets/<name:owner>/<name:name>", datasets.dataset_page, name="dataset"),
    path("datasets/<name:owner>/<name:name>/publish", datasets.dataset_publish, name="dataset_publish"),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>",
        datasets.dataset_page,
        name="dataset_version",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/download",
        datasets.dataset_download,
        name="dataset_download",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/rows",
        datasets.dataset_rows,
        name="dataset_rows",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/changes",
        changes.dataset_changes,
        name="dataset_changes",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/edit",
        datasets.dataset_edit,
        name="dataset_edit",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/extract",
        extracting.dataset_extract,
        name="dataset_extract",
    ),
    path(
        "datasets/<name:owner>/<name:name>/versions/<int:number>/extract/estimate",
        extracting.extract_estimate,
        name="extract_estimate",
    ),
    path("runs/", runs.run_index, name="run_list"),
    path("runs/<uuid:run_id>", runs.run_page, name="run"),
    path("runs/<uuid:run_id>/progress", runs.run_progress, name="run_progress"),
    path("runs/<uuid:run_id>/cancel", runs.run_stop, name="run_cancel"),
    path("runs/<uuid:run_id>/retry", runs.run_again, name="run_retry"),
    path("notifications/", notifications.notification_index, name="notification_list"),
    path("notifications/read", notifications.notification_clear, name="notification_clear"),
    path("notifications/settings", notifications.notification_wishes, name="notification_wishes"),
    path(
        "notifications/<uuid:notification_id>/open",
        notifications.notification_open,
        name="notification_open",
    ),
    path("settings/tokens/", tokens.token_page, name="token_list"),
    path("settings/tokens/<uuid:token_id>/revoke", tokens.token_drop, name="token_revoke"),
    path("invitations/<str:text>", invitations.invitation_page, name="invitation"),
    path("presets/", presets.preset_index, name="preset_list"),
    path("presets/new", presets.preset_new, name="preset_new"),
    path("presets/<name:owner>/<name:name>", presets.preset_page, name="preset"),
    path(
        "presets/<name:owner>/<name:name>/versions/<reference:reference>",
        presets.preset_page,
        name="preset_version",
    ),
    path("presets/<name:owner>/<name:name>/drafts/<uuid:draft_id>", presets.draft_page, name="preset_draft"),
    path("presets/<name:owner>/<name:name>/measure", presets.preset_measure, name="preset_measure"),
    path("presets/<name:owner>/<name:name>/publish", presets.preset_release, name="preset_publish"),
    path("presets/<name:owner>/<name:name>/yank", presets.preset_withdraw, name="preset_yank"),
    path("styleguide", styleguide.styleguide_page, name="styleguide"),
    path("docs/", docs.docs_index, name="docs"),
    path("docs/api", docs.docs_api, name="docs_api"),
    path("docs/api/schemas", docs.docs_schemas, name="docs_schemas"),
    path("docs/api/<slug:tag>", docs.docs_operations, name="docs_operations"),
    path("docs/<path:slug>", docs.docs_page, name="docs_page"),
    path("<name:owner>/<name:name>", vectors.vector_page, name="vector"),
    path(
        "<name:owner>/<name:name>/versions/<reference:reference>", vectors.vector_page, name="vector_version"
    ),
    path(
        "<name:owner>/<name:name>/versions/<reference:reference>/download",
        vectors.vector_download,
        name="vector_download",
    ),
    path(
        "<name:owner>/<name:name>/versions/<reference:reference>/blind",
        blind.version_blind,
        name="version_blind",
    ),
    path("<name:owner>/<name:name>/drafts/<uuid:draft_id>", vectors.draft_page, name="draft"),
    path("<name:owner>/<name:name>/drafts/<uuid:draft_id>/blind", blind.draft_blind, name="draft_blind"),
    path(
        "<name:owner>/<name:name>/drafts/<uuid:draft_id>/download",
        vectors.draft_download,
        name="draft_download",
    ),
    path("<name:owner>/<name:name>/publish", versions.vector_publish, name="vector_publish"),
    path("<name:owner>/<name:name>/yank", versions.vector_yank, name="vector_yank"),
    path("<name:owner>/<name:name>/unyank", versions.vector_unyank, name="vector_unyank"),
    path("<name:owner>/<name:name>/migrate", versions.vector_migrate, name="vector_migrate"),
    path("<name:owner>/<name:name>/edit", versions.vector_edit, name="vector_edit"),
]
