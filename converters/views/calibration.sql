-- name: calibration
-- revision: 5
-- order: hash
-- text: clean
-- format: calibration
-- consumer: datasets
-- model: qwen3-omni
-- counts: audio_tokens, image_tokens, video_tokens, text_tokens, tokens
-- options: per_file, per_stratum
-- message keys: dropped
--
-- Rows on which the experts of a mixture-of-experts model are scored, for pruning: conversations as the processors of
-- transformers take them, the stratum of each, and its tokens in the model. Of their order every prefix is balanced by
-- tokens over the strata (`converters/composition/balanced_order.py`); `audio.jsonl`, `video.jsonl` and `mixed.jsonl` beside
-- these rows hold those of one modality, in the same order. Of a video whose sound is heard in it (`--av in-video`) the
-- modality is `mixed`, whatever the sample is called: its row is both.
-- Source: REAP (S1, S2, S3: sound, video, both); llm-compressor and the omni toolkits read the first rows of a file.

SELECT id,
       typed_messages(turns, image_paths, video_paths, audio_paths, more_media) AS messages,
       CASE WHEN modality = 'video' AND chosen_av() = 'in-video' AND sound = 'inside' THEN 'mixed' ELSE modality END AS modality,
       dataset,
       coalesce(nullif(language, ''), 'und') AS language,
       coalesce(nullif(effective_task, ''), 'other') AS task,
       CASE WHEN modality NOT IN ('audio', 'video', 'mixed') OR tags = '' THEN 'no_sound_or_video'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN modality = 'mixed' AND video_paths IS NULL THEN 'no_video'
            WHEN modality = 'mixed' AND audio_paths IS NULL AND chosen_av() <> 'in-video' THEN 'no_sound'
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN has_tool_turns(turns) OR tools IS NOT NULL THEN 'tools_unsupported' END AS skip
FROM prepared
