-- name: webdataset
-- revision: 3
-- order: hash
-- text: clean
-- format: webdataset
-- consumer: webdataset
-- media: images, videos, audios
-- options: shard_mb
-- optional: translation, language, speaker, question, answer, choices, captions, labels, extra
--
-- Samples for WebDataset: tar shards `shards/000000.tar` and so on beside these rows, each sample with its media and a
-- `json` of these columns under one key; `shards.json` lists them. A shard is closed when it reaches `--shard-mb`.
-- Source: webdataset 1.0, "the WebDataset format": a key is all of a member's name up to the first dot.

SELECT id,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       effective_split AS split,
       modality,
       effective_task AS task,
       nullif(as_requested(text, upper), '') AS text,
       nullif(as_requested(translation, upper), '') AS translation,
       nullif(language, '') AS language,
       nullif(speaker, '') AS speaker,
       nullif(as_requested(question, upper), '') AS question,
       nullif(as_requested(answer, upper), '') AS answer,
       nullif(requested_choices(choices, upper), []) AS choices,
       nullif(captions, []) AS captions,
       nullif(labels, []) AS labels,
       CASE WHEN cardinality(extra) > 0 THEN to_json(extra) END AS extra,
       CASE WHEN no_sound IS NOT NULL THEN no_sound
            WHEN image_paths IS NULL AND video_paths IS NULL AND audio_paths IS NULL AND description IS NULL
              THEN 'no_content' END AS skip
FROM prepared
