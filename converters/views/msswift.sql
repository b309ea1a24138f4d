-- name: msswift
-- revision: 5
-- tasks: sft, grpo
-- order: hash
-- text: clean
-- format: msswift
-- consumer: ms-swift
-- media: images, videos, audios
-- only grpo: solution, task, language
-- optional: tools, objects, channel, reasoning
--
-- MS-SWIFT rows: a conversation and the media of its tags. GRPO rows end with the user turn and have `solution, task,
-- language` for the reward functions. MS-SWIFT matches tags and media by order within each kind, so every row has as
-- many tags as media. No key is an alias of another (ms-swift renames neither of two that collide).
-- Source: MS-SWIFT's dataset loader, row preprocessor and template, version 4.6.

SELECT id,
       CASE WHEN chosen_task() = 'grpo' THEN turns[:-2] ELSE turns END AS messages,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       solution,
       effective_task AS task,
       nullif(language, '') AS language,
       tools,
       objects,
       loss_channel AS channel,
       CASE WHEN chosen_reasoning() = 'column' THEN thought END AS reasoning,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN chosen_task() = 'grpo' AND solution IS NULL THEN 'no_answer' END AS skip
FROM prepared
