-- name: unified
-- revision: 5
-- order: id
-- text: raw
-- format: unified
-- consumer: datasets
-- media: audio, video
-- empty columns: kept
-- optional: extra
--
-- Unified rows: one JSON object per line. `text` is the transcript or the description. Every row has all five keys;
-- a medium that a sample does not have is null. `extra` holds every field of the source that is not a column of the
-- sample; a file whose samples have none has no such key.

SELECT id,
       description AS text,
       audio_paths[1] AS audio,
       video_paths[1] AS video,
       modality,
       CASE WHEN cardinality(extra) > 0 THEN to_json(extra) END AS extra,
       CASE WHEN len(audio_paths) > 1 OR len(video_paths) > 1 THEN 'more_than_one_medium'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN modality IS DISTINCT FROM 'text' AND audio_paths IS NULL AND video_paths IS NULL THEN 'no_media'
            WHEN modality = 'text' AND description IS NULL THEN 'no_text' END AS skip
FROM prepared
