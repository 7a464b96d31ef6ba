"""The transaction index of a segment, `<base offset>.txnindex`: there only where a transaction was aborted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ErrorCode, KafkaError
from .segment import TRANSACTION_INDEX, file_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .files import FilesStore
    from .segment import Segment


def read_beside(store: FilesStore, segments: Iterable[Segment]) -> Iterator[bytes]:
    """Those of these segments that are there. KAFKA_STORAGE_ERROR."""
    for segment in segments:
        try:
            yield store.disk.read_file(segment.path(TRANSACTION_INDEX))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, f"cannot read {segment.path(TRANSACTION_INDEX)}: {error.strerror}") from error


def write_beside(store: FilesStore, directory: str, base_offset: int, data: bytes) -> None:
    """Write one, or remove it where there is no data; it is safe when this returns. KAFKA_STORAGE_ERROR."""
    path = file_path(directory, base_offset, TRANSACTION_INDEX)
    try:
        if data:
            store.disk.write_file(path, data, sync=True)
        else:
            store.disk.unlink(path)
        store.disk.sync_path(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise store.refused(f"cannot write {path}", error) from error
