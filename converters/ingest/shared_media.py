"""Store media shared by several candidates only once, whichever thread reaches it first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from ...shards.media.media import MediaError, StoredMedia
from ..candidate import Blob

_REMEMBERED = 256


class SharedMedia:
    """Results of the most recent shared files: one video of many questions, one recording of many segments."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, str], Future[StoredMedia | MediaError]] = OrderedDict()

    def store(self, kind: str, blob: Blob, put: Callable[[str, Blob], StoredMedia]) -> StoredMedia:
        """The stored media of a blob; `put` is called only for the first blob of a shared file.

        Raises:
            MediaError: Raised by `put`; all blobs of the file get the same error.
        """
        if blob.shared is None:
            return put(kind, blob)
        with self._lock:
            future = self._known.get((blob.shared, kind))
            is_first = future is None
            if future is None:
                future = self._known[(blob.shared, kind)] = Future()
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if is_first:
            self._put(future, kind, blob, put)
        elif blob.temporary and blob.path is not None:
            blob.path.unlink(missing_ok=True)
        result = future.result()
        if isinstance(result, MediaError):
            # An error raised again and again would collect the frames of all its raisers, and the bytes in them.
            raise MediaError(result.reason, result.detail)
        return result

    @staticmethod
    def _put(
        future: Future[StoredMedia | MediaError], kind: str, blob: Blob, put: Callable[[str, Blob], StoredMedia]
    ) -> None:
        try:
            future.set_result(put(kind, blob))
        except MediaError as error:
            future.set_result(MediaError(error.reason, error.detail))
        finally:
            # Threads that wait for this file must not wait forever, whatever went wrong here.
            if not future.done():
                future.cancel()
