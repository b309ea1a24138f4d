-- name: hf
-- revision: 2
-- order: hash
-- text: clean
-- format: hf
-- media: image, video, audio
-- options: shard_mb
-- optional: translation, language, speaker, question, answer, choices, captions, labels, extra
--
-- A dataset for Hugging Face `datasets`: `data/<split>-00000-of-00001.parquet` beside these rows holds the media itself,
-- typed as audio, video and image, with `README.md` for the splits, so that `datasets.load_dataset(folder)` gives it.
-- Source: the documentation of datasets 5 and of the hub: "Structure your repository", "Parquet", "Audio features".

SELECT id,
       image_paths[1] AS image,
       video_paths[1] AS video,
       audio_paths[1] AS audio,
       coalesce(effective_split, 'train') AS split,
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
            WHEN len(audio_paths) > 1 OR len(video_paths) > 1 OR len(image_paths) > 1 THEN 'more_than_one_medium'
            WHEN image_paths IS NULL AND video_paths IS NULL AND audio_paths IS NULL AND description IS NULL
              THEN 'no_content' END AS skip
FROM prepared
