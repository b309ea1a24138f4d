-- name: features
-- revision: 3
-- order: hash
-- text: clean
-- format: features
-- options: features, extractor, encoder, layer, file_format, shard_mb
-- optional: start, key, text, translation, language, speaker, question, answer, choices, captions, labels
--
-- What a model takes in place of sound: a row names the shard in which the features of its clip lie (`shard`, a path in
-- the version's folder), where in it (`start`, a first frame of a .npy; `key`, a tensor of a safetensors), and their
-- shape, beside the texts of the sample. `index.parquet` lists the same without texts, in the order of the shards.

SELECT id,
       effective_split AS split,
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
       CASE WHEN no_sound IS NOT NULL THEN no_sound
            WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium' END AS skip
FROM prepared
