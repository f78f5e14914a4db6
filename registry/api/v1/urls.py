"""The paths of /api/v1. What no path matches is a problem with 404, not a page."""

from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter

from registry.api.endpoint import UnknownPath
from registry.api.v1 import (
    account,
    aliases,
    audit,
    base_models,
    blind,
    comparing,
    datasets,
    discovery,
    downloads,
    dumps,
    gating,
    lifecycle,
    lineage,
    notifications,
    organisations,
    playground,
    presets,
    resolve,
    review,
    runs,
    teams,
    tokens,
    uploads,
    vectors,
    versions,
    webhooks,
)


class Sha256Converter(StringConverter):
    """64 lower-case hex digits."""

    regex = "[0-9a-f]{64}"


register_converter(Sha256Converter, "sha256")

app_name = "v1"
VECTOR = "vectors/<str:owner>/<str:name>"
VERSION = f"{VECTOR}/versions"
ORGANISATION = "organisations/<str:slug>"
TEAM = f"{ORGANISATION}/teams/<str:team>"
PRESET = "presets/<str:owner>/<str:name>"
PRESET_VERSION = f"{PRESET}/versions/<str:preset_ref>"
WEBHOOK = "webhooks/<uuid:webhook_id>"
DATASET = "datasets/<str:owner>/<str:name>"
DATASET_VERSION = f"{DATASET}/versions/<int:number>"

urlpatterns = [
    path("me", account.MeItem.as_view(), name="me"),
    path("owners/<str:slug>", account.OwnerGet.as_view(), name="owner"),
    path("tokens", tokens.TokenCollection.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>", tokens.TokenRevoke.as_view(), name="token"),
    path("credentials/revoke", tokens.LeakReport.as_view(), name="credentials-revoke"),
    path("audit", audit.AuditList.as_view(), name="audit"),
    path("organisations", organisations.OrganisationCollection.as_view(), name="organisations"),
    path(ORGANISATION, organisations.OrganisationItem.as_view(), name="organisation"),
    path(f"{ORGANISATION}/members", organisations.MemberList.as_view(), name="members"),
    path(f"{ORGANISATION}/members/<str:username>", organisations.MemberItem.as_view(), name="member"),
    path(f"{ORGANISATION}/invitations", organisations.InvitationCollection.as_view(), name="invitations"),
    path(
        f"{ORGANISATION}/invitations/<uuid:invitation_id>",
        organisations.InvitationRevoke.as_view(),
        name="invitation",
    ),
    path("invitations/accept", organisations.InvitationAccept.as_view(), name="invitation-accept"),
    path(f"{ORGANISATION}/teams", teams.TeamCollection.as_view(), name="teams"),
    path(TEAM, teams.TeamItem.as_view(), name="team"),
    path(f"{TEAM}/members/<str:username>", teams.TeamMemberItem.as_view(), name="team-member"),
    path(f"{TEAM}/grants/<str:name>", teams.GrantItem.as_view(), name="grant"),
    path("openapi.json", account.OpenApi.as_view(), name="openapi"),
    path("base-models", base_models.BaseModelList.as_view(), name="base-models"),
    path("base-models/<str:model_hash>", base_models.BaseModelGet.as_view(), name="base-model"),
    path(
        "base-models/<str:model_hash>/vectors",
        discovery.BaseModelVectors.as_view(),
        name="base-model-vectors",
    ),
    path("datasets", datasets.DatasetCollection.as_view(), name="datasets"),
    path("datasets/check", datasets.DatasetCheck.as_view(), name="dataset-check"),
    path(DATASET, datasets.DatasetGet.as_view(), name="dataset"),
    path(f"{DATASET}/flags", review.DatasetFlag.as_view(), name="dataset-flags"),
    path(f"{DATASET}/transfer", datasets.DatasetTransfer.as_view(), name="dataset-transfer"),
    path(DATASET_VERSION, datasets.DatasetVersionGet.as_view(), name="dataset-version"),
    path(f"{DATASET_VERSION}/download", datasets.DatasetVersionDownload.as_view(), name="dataset-download"),
    path(f"{DATASET_VERSION}/rows", datasets.DatasetVersionRows.as_view(), name="dataset-rows"),
    path(f"{DATASET_VERSION}/diff/<int:other>", datasets.DatasetVersionDiff.as_view(), name="dataset-diff"),
    path("uploads", uploads.UploadCollection.as_view(), name="uploads"),
    path("uploads/<uuid:upload_id>", uploads.UploadItem.as_view(), name="upload"),
    path("uploads/<uuid:upload_id>/parts/<int:number>", uploads.UploadPartPut.as_view(), name="upload-part"),
    path("uploads/<uuid:upload_id>/complete", uploads.UploadComplete.as_view(), name="upload-complete"),
    path("migrations", runs.MigrationStart.as_view(), name="migrations"),
    path("notifications", notifications.NotificationList.as_view(), name="notifications"),
    path("notifications/read", notifications.NotificationReadAll.as_view(), name="notifications-read"),
    path("notifications/settings", notifications.NotificationWishes.as_view(), name="notifications-settings"),
    path(
        "notifications/<uuid:notification_id>/read",
        notifications.NotificationRead.as_view(),
        name="notification-read",
    ),
    path("review/flags", review.FlagList.as_view(), name="flags"),
    path("review/flags/<uuid:flag_id>", review.FlagGet.as_view(), name="flag"),
    path("review/flags/<uuid:flag_id>/decide", review.FlagDecide.as_view(), name="flag-decide"),
    path("runs", runs.RunCollection.as_view(), name="runs"),
    path("runs/<uuid:run_id>", runs.RunGet.as_view(), name="run"),
    path("runs/<uuid:run_id>/events", runs.RunEvents.as_view(), name="run-events"),
    path("runs/<uuid:run_id>/statistics", runs.RunStatistics.as_view(), name="run-statistics"),
    path("runs/<uuid:run_id>/cancel", runs.RunCancel.as_view(), name="run-cancel"),
    path("runs/<uuid:run_id>/retry", runs.RunRetry.as_view(), name="run-retry"),
    path("resolve", resolve.ResolveCollection.as_view(), name="resolve"),
    path("vectors", discovery.VectorSearch.as_view(), name="vectors"),
    path("vectors/facets", discovery.VectorFacets.as_view(), name="vector-facets"),
    path("vectors/inspect", vectors.VectorInspect.as_view(), name="vector-inspect"),
    path("vectors/by-digest", resolve.ResolveDigests.as_view(), name="vectors-by-digest"),
    path(f"{VERSION}/<str:ref>/similar", discovery.VersionSimilar.as_view(), name="version-similar"),
    path(VECTOR, vectors.VectorItem.as_view(), name="vector"),
    path(f"{VECTOR}/flags", review.VectorFlag.as_view(), name="vector-flags"),
    path(f"{VECTOR}/import", runs.VectorImport.as_view(), name="vector-import"),
    path(f"{VECTOR}/publish", vectors.VersionPublish.as_view(), name="publish"),
    path(VERSION, vectors.VersionList.as_view(), name="versions"),
    path(f"{VERSION}/<str:ref>", versions.VersionGet.as_view(), name="version"),
    path(f"{VERSION}/<str:ref>/download", versions.VersionDownload.as_view(), name="version-download"),
    path(
        f"{VERSION}/<str:ref>/conformance",
        versions.VersionConformance.as_view(),
        name="version-conformance",
    ),
    path(f"{VECTOR}/downloads", downloads.VectorDownloadCounts.as_view(), name="vector-downloads"),
    path(f"{VERSION}/<str:ref>/formats", downloads.VersionForms.as_view(), name="version-formats"),
    path(f"{VERSION}/<str:ref>/blind-test", blind.VersionBlindTest.as_view(), name="version-blind-test"),
    path(f"{VERSION}/<str:ref>/diff/<str:other>", comparing.VersionDiff.as_view(), name="version-diff"),
    path(f"{VECTOR}/derive", lineage.VectorDerive.as_view(), name="vector-derive"),
    path(f"{VERSION}/<str:ref>/lineage", lineage.VersionLineage.as_view(), name="version-lineage"),
    path(f"{VERSION}/<str:ref>/referrers", comparing.VersionReferrers.as_view(), name="version-referrers"),
    path(f"{VERSION}/<str:ref>/report", comparing.VersionReport.as_view(), name="version-report"),
    path(f"{VERSION}/<str:version>/yank", lifecycle.VersionYank.as_view(), name="yank"),
    path(f"{VERSION}/<str:version>/unyank", lifecycle.VersionUnyank.as_view(), name="unyank"),
    path(
        f"{VERSION}/<str:version>/deprecate", lifecycle.VersionDeprecate.as_view(), name="version-deprecate"
    ),
    path(
        f"{VERSION}/<str:version>/undeprecate",
        lifecycle.VersionUndeprecate.as_view(),
        name="version-undeprecate",
    ),
    path(f"{VECTOR}/deprecate", lifecycle.VectorDeprecate.as_view(), name="vector-deprecate"),
    path(f"{VECTOR}/undeprecate", lifecycle.VectorUndeprecate.as_view(), name="vector-undeprecate"),
    path(f"{VECTOR}/transfer", lifecycle.VectorTransfer.as_view(), name="vector-transfer"),
    path(f"{VECTOR}/drafts", lifecycle.DraftList.as_view(), name="drafts"),
    path(f"{VECTOR}/aliases", aliases.AliasList.as_view(), name="aliases"),
    path(f"{VECTOR}/aliases/<str:alias>", aliases.AliasItem.as_view(), name="alias"),
    path(f"{VECTOR}/aliases/<str:alias>/history", aliases.AliasHistory.as_view(), name="alias-history"),
    path(f"{VECTOR}/access", gating.AccessItem.as_view(), name="access"),
    path(f"{VECTOR}/access-request", gating.AccessRequestItem.as_view(), name="access-request"),
    path(f"{VECTOR}/access-requests", gating.AccessRequestList.as_view(), name="access-requests"),
    path(
        f"{VECTOR}/access-requests/<str:username>",
        gating.AccessRequestDecide.as_view(),
        name="access-decision",
    ),
    path("versions/<uuid:version_id>", lifecycle.VersionByIdItem.as_view(), name="version-by-id"),
    path("versions/<uuid:version_id>/download", versions.DraftDownload.as_view(), name="draft-download"),
    path(
        "versions/<uuid:version_id>/conformance",
        versions.DraftConformance.as_view(),
        name="draft-conformance",
    ),
    path("versions/<uuid:version_id>/blind-test", blind.DraftBlindTest.as_view(), name="draft-blind-test"),
    path("presets", presets.PresetCollection.as_view(), name="presets"),
    path(PRESET, presets.PresetItem.as_view(), name="preset"),
    path(f"{PRESET}/flags", review.PresetFlag.as_view(), name="preset-flags"),
    path(f"{PRESET}/publish", presets.PresetPublish.as_view(), name="preset-publish"),
    path(f"{PRESET}/versions", presets.PresetVersionCollection.as_view(), name="preset-versions"),
    path(PRESET_VERSION, presets.PresetVersionItem.as_view(), name="preset-version"),
    path(f"{PRESET_VERSION}/download", presets.PresetDownload.as_view(), name="preset-download"),
    path(f"{PRESET_VERSION}/measure", presets.PresetMeasure.as_view(), name="preset-measure"),
    path(f"{PRESET_VERSION}/uses", presets.PresetUses.as_view(), name="preset-uses"),
    path(f"{PRESET}/versions/<str:version>/yank", presets.PresetYank.as_view(), name="preset-yank"),
    path(f"{PRESET}/versions/<str:version>/unyank", presets.PresetUnyank.as_view(), name="preset-unyank"),
    path("playground/requests", playground.PlaygroundStart.as_view(), name="playground-requests"),
    path(
        "playground/requests/<str:request_id>", playground.PlaygroundItem.as_view(), name="playground-request"
    ),
    path(
        "playground/requests/<str:request_id>/stream",
        playground.PlaygroundStream.as_view(),
        name="playground-stream",
    ),
    path("dumps", dumps.DumpList.as_view(), name="dumps"),
    path("dumps/<str:day>", dumps.DumpDownload.as_view(), name="dump"),
    path("webhooks", webhooks.WebhookCollection.as_view(), name="webhooks"),
    path(WEBHOOK, webhooks.WebhookItem.as_view(), name="webhook"),
    path(f"{WEBHOOK}/rotate", webhooks.WebhookRotate.as_view(), name="webhook-rotate"),
    path(f"{WEBHOOK}/test", webhooks.WebhookTest.as_view(), name="webhook-test"),
    path(f"{WEBHOOK}/replay", webhooks.FailedReplay.as_view(), name="webhook-replay"),
    path(f"{WEBHOOK}/deliveries", webhooks.DeliveryList.as_view(), name="webhook-deliveries"),
    path(
        f"{WEBHOOK}/deliveries/<uuid:delivery_id>/replay",
        webhooks.DeliveryReplay.as_view(),
        name="webhook-delivery-replay",
    ),
    path("blobs/sha256:<sha256:sha256>", versions.BlobDownload.as_view(), name="blob"),
    re_path("", UnknownPath.as_view()),
]
