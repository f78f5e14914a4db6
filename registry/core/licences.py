"""Licences under which people here publish vectors and data sets."""

from django.db import models


class License(models.TextChoices):
    """Licences that a publisher may choose, by SPDX identifier."""

    CC_BY_4 = "CC-BY-4.0", "Creative Commons Attribution 4.0"
    CC0_1 = "CC0-1.0", "Creative Commons Zero 1.0 (public domain)"
    CC_BY_SA_4 = "CC-BY-SA-4.0", "Creative Commons Attribution ShareAlike 4.0"
    CC_BY_NC_4 = "CC-BY-NC-4.0", "Creative Commons Attribution NonCommercial 4.0"
    APACHE_2 = "Apache-2.0", "Apache License 2.0"
    MIT = "MIT", "MIT License"
