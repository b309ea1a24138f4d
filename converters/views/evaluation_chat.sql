-- name: evaluation
-- revision: 4
-- order: id
-- text: raw
-- format: evaluation-chat
-- media: audio
-- use: evaluation
--
-- Rows of Qwen2-Audio's chat evaluation, as AIR-Bench has them: `audio` and `query`. Its script makes a user turn of the
-- query as it is, so the tokens of the sound stand in it. A question that is only heard has no text. A judge scores the
-- responses: rows have no reference.

SELECT id,
       audio_paths[1] AS audio,
       'Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>' || chr(10) || coalesce(last_question(turns), '') AS query,
       CASE WHEN no_sound IS NOT NULL THEN no_sound
            WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN several_exchanges(messages) THEN 'several_exchanges'
            WHEN turns[1].role = 'system' THEN 'system_unsupported'
            WHEN no_turns IS NOT NULL AND no_turns <> 'no_answer' THEN no_turns
            WHEN prompt IS NULL AND NOT has_turns(messages) THEN 'no_prompt' END AS skip
FROM prepared
