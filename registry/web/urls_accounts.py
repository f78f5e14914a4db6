"""The addresses of accounts and organisations: settings, tokens, webhooks, logs, members, teams, invitations;
of access to files, and of reports to staff.
"""

from django.urls import path

from registry.web.views import (
    access,
    imports,
    invitations,
    logs,
    moving,
    organisations,
    review,
    settings,
    teams,
    tokens,
    webhooks,
)

ORGANISATION = "organisations/<name:slug>"
TEAM = f"{ORGANISATION}/teams/<name:team>"
WEBHOOK = "settings/webhooks/<uuid:webhook_id>"

urlpatterns = [
    path("settings/", settings.profile_edit, name="settings"),
    path("settings/access", access.access_index, name="access_list"),
    path("settings/transfer", moving.transfer_page, name="transfer_page"),
    path("import", imports.import_page, name="import"),
    path("settings/close", settings.account_close, name="account_close"),
    path("settings/log", logs.log_page, name="log"),
    path("settings/log.jsonl", logs.log_file, name="log_file"),
    path("settings/webhooks/", webhooks.webhooks_page, name="webhook_list"),
    path("settings/webhooks/<uuid:webhook_id>", webhooks.webhook_page, name="webhook"),
    path(f"{WEBHOOK}/rotate", webhooks.webhook_secret, name="webhook_rotate"),
    path(f"{WEBHOOK}/switch", webhooks.webhook_switch, name="webhook_switch"),
    path(f"{WEBHOOK}/test", webhooks.webhook_try, name="webhook_test"),
    path(f"{WEBHOOK}/delete", webhooks.webhook_end, name="webhook_delete"),
    path(f"{WEBHOOK}/deliveries", webhooks.webhook_deliveries, name="webhook_deliveries"),
    path(f"{WEBHOOK}/deliveries/<uuid:delivery_id>/replay", webhooks.webhook_again, name="webhook_replay"),
    path("settings/tokens/", tokens.token_page, name="token_list"),
    path("settings/tokens/<uuid:token_id>/revoke", tokens.token_drop, name="token_revoke"),
    path("invitations/<str:text>", invitations.invitation_page, name="invitation"),
    path("organisations/", organisations.organisation_index, name="organisation_list"),
    path("organisations/new", organisations.organisation_new, name="organisation_new"),
    path(f"{ORGANISATION}/members", organisations.members_page, name="organisation_members"),
    path(f"{ORGANISATION}/members/<name:username>/role", organisations.member_role, name="member_role"),
    path(f"{ORGANISATION}/members/<name:username>/remove", organisations.member_drop, name="member_remove"),
    path(f"{ORGANISATION}/invitations", organisations.member_invite, name="invitation_create"),
    path(
        f"{ORGANISATION}/invitations/<uuid:invitation_id>/revoke",
        organisations.invitation_drop,
        name="invitation_revoke",
    ),
    path(f"{ORGANISATION}/log", logs.log_page, name="organisation_log"),
    path(f"{ORGANISATION}/log.jsonl", logs.log_file, name="organisation_log_file"),
    path(f"{ORGANISATION}/webhooks", webhooks.webhooks_page, name="organisation_webhooks"),
    path(f"{ORGANISATION}/settings", organisations.organisation_edit, name="organisation_settings"),
    path(f"{ORGANISATION}/teams", teams.teams_page, name="organisation_teams"),
    path(f"{ORGANISATION}/teams/<name:team>", teams.team_page, name="organisation_team"),
    path(f"{TEAM}/members", teams.team_change, {"what": "members"}, name="team_member_add"),
    path(f"{TEAM}/grants", teams.team_change, {"what": "grants"}, name="team_grant"),
    path(f"{TEAM}/name", teams.team_change, {"what": "name"}, name="team_rename"),
    path(f"{TEAM}/delete", teams.team_end, name="team_delete"),
    path(f"{TEAM}/members/<name:username>/remove", teams.team_member_drop, name="team_member_remove"),
    path(f"{TEAM}/grants/<name:name>/remove", teams.grant_drop, name="team_grant_remove"),
    path(
        "report/vectors/<name:owner>/<name:name>",
        review.report_page,
        {"kind": "vector"},
        name="report_vector",
    ),
    path(
        "report/presets/<name:owner>/<name:name>",
        review.report_page,
        {"kind": "preset"},
        name="report_preset",
    ),
    path(
        "report/datasets/<name:owner>/<name:name>",
        review.report_page,
        {"kind": "dataset"},
        name="report_dataset",
    ),
    path("staff/review", review.review_queue, name="review_queue"),
    path("staff/review/<uuid:flag_id>/decide", review.review_decide, name="review_decide"),
]
# These come after all words of our own.
vector_patterns = [
    path("<name:owner>/<name:name>/access", access.vector_access, name="vector_access"),
    path("<name:owner>/<name:name>/access/rule", access.vector_access_rule, name="vector_access_rule"),
    path(
        "<name:owner>/<name:name>/access/withdraw",
        access.vector_access_withdraw,
        name="vector_access_withdraw",
    ),
    path(
        "<name:owner>/<name:name>/access/requests/<name:username>",
        access.vector_access_decide,
        name="vector_access_decide",
    ),
]
