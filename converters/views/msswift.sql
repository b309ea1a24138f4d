-- name: msswift
-- revision: 1
-- tasks: sft, grpo
-- order: hash
-- text: clean
-- format: msswift
-- media: images, videos, audios
-- only grpo: solution, task, language
--
-- MS-SWIFT rows: a conversation and the media that its tags name. GRPO rows end in the user turn and carry `solution,
-- task, language` for the reward functions. Tags and media are matched by order, kind by kind, so every row has as many
-- tags as media. No key is a second name of another (ms-swift renames neither of two that collide).
-- Rules: MS-SWIFT's dataset loader, row preprocessor and template, as read at version 4.6.

SELECT id,
       CASE WHEN chosen_task() = 'grpo' THEN turns[:-2] ELSE turns END AS messages,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       solution,
       effective_task AS task,
       nullif(language, '') AS language,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media' ELSE no_turns END AS skip
FROM prepared
