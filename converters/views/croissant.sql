-- name: croissant
-- revision: 2
-- order: id
-- text: raw
-- format: unified
-- consumer: mlcroissant
-- media: audio, video
-- empty columns: kept
-- optional: extra
--
-- The rows of `unified`, with `croissant.json`: a description of their files, columns, licences and splits in Croissant
-- 1.0, the vocabulary by which dataset search and loaders know a dataset.
-- Source: the Croissant format specification 1.0 (MLCommons).

SELECT id,
       description AS text,
       audio_paths[1] AS audio,
       video_paths[1] AS video,
       modality,
       dataset,
       effective_split AS split,
       nullif(language, '') AS language,
       nullif(license, '') AS license,
       CASE WHEN cardinality(extra) > 0 THEN to_json(extra) END AS extra,
       CASE WHEN len(audio_paths) > 1 OR len(video_paths) > 1 THEN 'more_than_one_medium'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN modality IS DISTINCT FROM 'text' AND audio_paths IS NULL AND video_paths IS NULL THEN 'no_media'
            WHEN modality = 'text' AND description IS NULL THEN 'no_text' END AS skip
FROM prepared
