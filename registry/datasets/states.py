"""What may be done to the rows of an upload before it is saved."""

from django.db import models


class EditKind(models.TextChoices):
    """Each can be undone. `raw` and `turns` say how the model is to read the texts, and hold for all rows."""

    EDIT = "edit", "written anew"
    ADD = "add", "added"
    SWAP = "swap", "swapped"
    EXCLUDE = "exclude", "left out"
    RESTORE = "restore", "brought back"
    RAW = "raw", "read as raw text"
    TURNS = "turns", "read as chat turns"
