"""Shapes of messages that many rows of an export have, which are recognised instead of made."""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
from support.training import assistant
from triptych.validators.formats import shape_sql


def test_a_shape_is_the_same_where_it_was_seen_before() -> None:
    """Texts of a shape that many rows have are recognised by a pattern, and their shape is not made again."""
    said = ["x", "y", "", "a < b", "a\\n", 'a "quoted" word', '","text":"', "\\", "Ü<audio>", "/", "ends in \\"]
    paths = ["/a.wav", "a.wav", '/a "b".wav', "/", ""]
    parts = [[{"type": "text", "text": text}] for text in said]
    parts += [[{"type": "audio", "audio": path}, {"type": "text", "text": "x"}] for path in paths]
    parts += [[{"type": "audio_url", "audio_url": {"url": url}}] for url in ("file:///a.wav", "file:///", "file://a")]
    messages = [
        [{"role": role, "content": content}, assistant("y")] for content in [*parts, *said] for role in ("user", "tool")
    ]
    texts = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in messages]
    with duckdb.connect() as connection:
        connection.register("rows", pa.table({"messages": texts}))
        columns = {"messages": "JSON"}

        def made(shape: str) -> list[str]:
            sql = f"SELECT to_json({shape})::VARCHAR FROM (SELECT messages::JSON AS messages FROM rows)"
            return [text for (text,) in connection.execute(sql).fetchall()]

        anew = made(shape_sql("messages-hf", columns))
        assert 20 < len(set(anew)) < len(anew)
        again = shape_sql("messages-hf", columns, sorted(set(anew)))
        assert "regexp_matches" in again and made(again) == anew
