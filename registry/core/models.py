"""Abstract bases for rows."""

import uuid

from django.db import models


class UUIDModel(models.Model):
    """A row whose id may stand in a URL without telling how many there are."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
