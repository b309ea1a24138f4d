"""Content that is stored more than once, in any dataset: what the rules on repeats read.

One row per sample whose media another sample of the store has, too, with the columns `COLUMNS`, and two by which an
export finds the copies among its rows:

copies           the number of samples with the same media, span, channel and question, this one included
held_out_share   for a sample outside validation and test: the largest share that a validation or test sample has of its
                 sound, as overlap / the shorter of the two; null if none has any
content          a hash of the media, span, channel and question
place            the dataset and split

The sound of a sample is its audio, else its video, else its image; media is equal if its bytes are. A sample without a
split counts as training data, because an export takes it as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..shards.split_roles import HELD_OUT, CardRoles, card_roles, effective_role_sql, read_corpora
from ..shards.store.annotations import ASSIGNED_SPLIT
from ..shards.store.sql import quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

COLUMNS = ("copies", "held_out_share")
NO_REPEATS = "(SELECT '' AS id, '' AS dataset, 0 AS copies, 0.0 AS held_out_share WHERE false)"
"""The relation of a store without repeats, for readers that do not look at them."""

_MORE = "array_to_string([m.sha256 FOR m IN more_media], ' ')"
_MEDIA = f"concat_ws('|', coalesce(audio.sha256, ''), coalesce(video.sha256, ''), coalesce(image.sha256, ''), {_MORE})"
_FIRST = "coalesce(audio.sha256, video.sha256, image.sha256)"
_SOUND = f"concat_ws('|', {_FIRST}, {_MORE})"
_LENGTH = "coalesce(audio.duration, video.duration, 'infinity'::DOUBLE)"
_ANNOTATED_SPLIT = f"coalesce({ASSIGNED_SPLIT}, split)"


def twice_sql(samples: str = "samples") -> str:
    """Return the SELECT of the hashes of media that several samples of a relation have: `first`."""
    return (
        f"SELECT hash({_FIRST}) AS first FROM {samples} WHERE {_FIRST} IS NOT NULL GROUP BY first HAVING count(*) > 1"
    )


def repeats_sql(
    samples: str = "samples",
    *,
    roles: CardRoles | None = None,
    split: str = _ANNOTATED_SPLIT,
    twice: str | None = None,
) -> str:
    """Return the SELECT of the repeats among the samples of a relation.

    Media is compared by 128-bit hashes, after 64-bit hashes have shown which samples share any: 8 bytes per sample.

    Args:
        roles: The roles of splits on the cards.
        split: SQL for the split of a sample.
        twice: The relation of `twice_sql`, if it is known.
    """
    held_out = ", ".join(map(quote, HELD_OUT))
    assigned = ASSIGNED_SPLIT if split == _ANNOTATED_SPLIT else "NULL"
    role = effective_role_sql(roles or {}, assigned=assigned, split=split)
    return f"""(
        WITH twice AS ({twice_sql(samples) if twice is None else f"FROM {twice}"}), keyed AS (
            SELECT id, dataset, concat_ws('/', dataset, {split}) AS place, md5_number({_MEDIA}) AS media,
                   md5_number({_SOUND}) AS sound, start_s, end_s, channel, question,
                   coalesce(start_s, 0) AS starts, coalesce(end_s, {_LENGTH}) AS ends,
                   coalesce({role} IN ({held_out}), false) AS is_held_out
            FROM {samples} SEMI JOIN twice ON hash({_FIRST}) = twice.first
        ), shared AS (
            SELECT * FROM keyed SEMI JOIN (SELECT sound FROM keyed GROUP BY sound HAVING count(*) > 1) USING (sound)
        ), held AS (
            SELECT DISTINCT sound, channel, starts, ends FROM shared WHERE is_held_out
        ), common AS (
            SELECT s.dataset, s.id, max(CASE WHEN isinf(least(s.ends, h.ends)) THEN 1.0
                ELSE (least(s.ends, h.ends) - greatest(s.starts, h.starts))
                     / least(s.ends - s.starts, h.ends - h.starts) END) AS held_out_share
            FROM shared s JOIN held h USING (sound)
            WHERE NOT s.is_held_out AND coalesce(s.channel = h.channel, true)
                AND least(s.ends, h.ends) > greatest(s.starts, h.starts)
            GROUP BY s.dataset, s.id
        )
        SELECT s.dataset, s.id, count(*) OVER (PARTITION BY media, start_s, end_s, channel, question) AS copies,
               o.held_out_share, hash(media, start_s, end_s, channel, question) AS content, place
        FROM shared s LEFT JOIN common o ON o.dataset = s.dataset AND o.id = s.id
    )"""


def find_repeats(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the repeats of a whole store; `connection` has its views."""
    roles: Mapping[str, Mapping[str, str]] = card_roles(read_corpora(connection))
    return connection.sql(f"FROM {repeats_sql(roles=roles)}").to_arrow_table()
