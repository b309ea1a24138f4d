-- name: lhotse
-- revision: 3
-- order: id
-- text: clean
-- format: lhotse
-- consumer: lhotse
-- media: audio
-- optional: caption, speaker, language, translation, words, phones, custom
--
-- Utterances for Lhotse: `recordings.jsonl.gz, supervisions.jsonl.gz, cuts.jsonl.gz` beside these rows, one recording,
-- one supervision and one cut for each. Word and phone times count from the start of the recording; of a sample that
-- is a span, the recording is the cut, so that its times are moved with it. The text of a supervision is what is said; any
-- other, such as a caption, is `custom["caption"]`.
-- Source: lhotse 1.33, `Recording`, `SupervisionSegment`, `MonoCut` and their JSON.

SELECT id,
       audio_paths[1] AS audio,
       audio_rate AS sampling_rate,
       audio_frames AS num_samples,
       audio_channels AS channels,
       CASE WHEN is_spoken(effective_task) THEN as_requested(text, upper) END AS text,
       CASE WHEN NOT is_spoken(effective_task) THEN nullif(as_requested(text, upper), '') END AS caption,
       nullif(speaker, '') AS speaker,
       nullif(language, '') AS language,
       nullif(as_requested(translation, upper), '') AS translation,
       moved_alignment(words, coalesce(start_s, 0), audio_frames / audio_rate) AS words,
       moved_alignment(phones, coalesce(start_s, 0), audio_frames / audio_rate) AS phones,
       CASE WHEN cardinality(extra) > 0 THEN to_json(extra) END AS custom,
       CASE WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN audio_frames IS NULL OR audio_rate IS NULL THEN 'unknown_length' END AS skip
FROM prepared
