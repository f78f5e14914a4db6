"""App configs."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    """Users, organisations, roles, and API tokens."""

    name = "registry.accounts"
    label = "accounts"
    default = True


class StaffPagesConfig(admin_apps.AdminConfig):
    """Django's staff pages, behind our sign-in."""

    default_site = "registry.accounts.staff.StaffPages"
    default = False
