-- name: cot
-- revision: 4
-- options: structure
-- order: hash
-- text: raw
-- format: cot-json
-- media: audio_feat
--
-- One object for each sample: `id`, `audio_feat`, `question`, `cot`, `answer`. `audio_feat` is the path of the sound, of
-- which features are taken. The chain is as in cot_messages.sql, without <think> around it.

SELECT id,
       audio_paths[1] AS audio_feat,
       last_question(turns) AS question,
       chain_of(thought) AS cot,
       response_of(solution) AS answer,
       CASE WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN several_exchanges(messages) THEN 'several_exchanges'
            WHEN turns[1].role = 'system' THEN 'system_unsupported'
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN last_question(turns) IS NULL THEN 'no_prompt'
            ELSE no_chain(thought, solution) END AS skip
FROM prepared
