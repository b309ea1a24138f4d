-- name: lhotse
-- revision: 2
-- order: hash
-- text: clean
-- format: lhotse
-- consumer: lhotse
-- media: audio
-- options: shard_mb
-- optional: caption, speaker, language, translation, words, phones, custom
--
-- Utterances for Lhotse with their sound inside: `shar/cuts.000000.jsonl.gz, shar/recording.000000.tar` and so on, which
-- `CutSet.from_shar` reads one after the other. Recordings, supervisions and cuts are those of `lhotse.sql`. The name of
-- a member is the id of its cut, and Lhotse compares them as paths: an id that is not the same as a path has no row.
-- Source: lhotse 1.33, `lhotse.shar`.

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
       CASE WHEN regexp_matches(id, '(^|/)\.?(/|$)') THEN 'id_is_no_path'
            WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN audio_frames IS NULL OR audio_rate IS NULL THEN 'unknown_length' END AS skip
FROM prepared
