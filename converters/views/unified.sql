-- name: unified
-- revision: 1
-- order: id
-- text: raw
-- format: unified
-- media: audio, video
-- empty columns: kept
--
-- Unified rows: one JSON object per line. `text` is the transcript or the description. Every row has all five keys;
-- a medium that a sample does not have is null.

SELECT id,
       description AS text,
       audio_paths[1] AS audio,
       video_paths[1] AS video,
       modality,
       CASE WHEN len(audio_paths) > 1 OR len(video_paths) > 1 THEN 'more_than_one_medium'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN modality IS DISTINCT FROM 'text' AND audio_paths IS NULL AND video_paths IS NULL THEN 'no_media'
            WHEN modality = 'text' AND description IS NULL THEN 'no_text' END AS skip
FROM prepared
