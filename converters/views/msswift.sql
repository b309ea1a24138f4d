-- name: msswift
-- revision: 10
-- tasks: sft, grpo, dpo, kto, pretrain
-- order: hash
-- text: clean
-- format: msswift
-- consumer: ms-swift
-- media: images, videos, audios
-- only grpo: solution, task, language, choices
-- only dpo: rejected_response
-- only kto: label
-- optional: choices, tools, objects, channel, reasoning
--
-- MS-SWIFT rows: a conversation and the media of its tags. GRPO rows end with the user turn and have `solution, task,
-- language, choices` for the reward functions. DPO rows have the other answer as `rejected_response`, which takes the place of
-- everything after the last user turn and sees the same media; a conversation that calls tools there has none. KTO rows
-- have a `label`; a pair gives two of them. Rows for pre-training are one assistant message. MS-SWIFT matches tags and media by order within each kind, so every row has as
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
       nullif(answered_choices(messages, choices, upper), []) AS choices,
       rejected_answer AS rejected_response,
       label,
       tools,
       objects,
       loss_channel AS channel,
       CASE WHEN chosen_reasoning() = 'column' THEN thought ELSE NULL::VARCHAR END AS reasoning,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN chosen_task() = 'grpo' AND solution IS NULL THEN 'no_answer'
            WHEN chosen_task() = 'dpo' AND no_pair IS NOT NULL THEN no_pair
            WHEN chosen_task() = 'dpo' AND turns[len(turns) - 1].role <> 'user' THEN 'tools_before_answer'
            WHEN chosen_task() = 'kto' AND no_pair = 'same_answers' THEN no_pair
            WHEN chosen_task() = 'kto' AND label IS NULL THEN 'no_label' END AS skip
FROM prepared
