-- name: conversation
-- revision: 5
-- order: hash
-- text: clean
-- format: conversation-sharegpt
-- consumer: ms-swift
-- media: images, videos, audios
-- optional: system, tools
--
-- ShareGPT rows: `conversations` of human, gpt, function_call and observation, which take turns; the system message and
-- the tools (JSON) have columns of their own; each medium has its tag.

SELECT id,
       sharegpt_turns(without_system(turns)) AS conversations,
       system_of(turns) AS system,
       tools,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN NOT has_pairs(without_system(turns)) THEN 'no_alternation'
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch' END AS skip
FROM prepared
