"""The upload handler: bytes are counted while they arrive, and an upload over the limit is cut, not
stored.
"""

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Streams to a temporary file and stops at `UPLOAD_MAX_BYTES` for all files of the request together.

    A cut upload leaves the form without its file and sets `request.upload_was_cut`.
    """

    received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MAX_BYTES:
            self.request.upload_was_cut = True  # type: ignore[union-attr]  # a plain attribute, read by the forms
            raise StopUpload(connection_reset=False)
        super().receive_data_chunk(raw_data, start)
