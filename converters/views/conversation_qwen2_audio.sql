-- name: conversation
-- revision: 5
-- order: hash
-- text: clean
-- format: conversation-qwen2-audio
-- consumer: ms-swift
-- media: audio
-- singular: audio
--
-- Qwen2-Audio rows: `audio`, and `conversations` of human and gpt with a tag for each sound. `audio` is a path; in a file
-- of which any row has more than one sound, a list of paths. QwenLM publishes no format for training: this is a ShareGPT
-- row with a singular key, as MS-SWIFT reads it, and LLaMA-Factory with `"audios": "audio"` among its columns.
-- There is no place for pictures, tools and their answers.

SELECT id,
       audio_paths AS audio,
       sharegpt_turns(turns) AS conversations,
       CASE WHEN audio_paths IS NULL AND (image_paths IS NOT NULL OR video_paths IS NOT NULL) THEN 'no_audio'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN NOT has_pairs(without_system(turns)) THEN 'no_alternation'
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch'
            WHEN has_tool_turns(turns) THEN 'tools_unsupported' END AS skip
FROM prepared
