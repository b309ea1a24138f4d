-- name: cot
-- revision: 5
-- options: structure
-- order: hash
-- text: raw
-- format: cot-messages
-- consumer: ms-swift
-- media: images, videos, audios
-- optional: choices
--
-- Conversations that end in a chain of thought and a response: <think>, the chain, </think>, <RESPONSE>. A chain that has
-- the sections PLANNING, CAPTION, REASONING and SUMMARY keeps them in this order, each in its tags; any other chain
-- stands in <think> as it is, or has no row with `--structure`. `question`, `cot` and `answer` have the three apart.
-- User turns are texts with media tags: the chat template of Qwen3-Omni removes the chain after a turn that is a list.

SELECT id,
       with_chain(turns, chain_of(thought), response_of(solution)) AS messages,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       last_question(turns) AS question,
       chain_of(thought) AS cot,
       response_of(solution) AS answer,
       nullif(answered_choices(messages, choices, upper), []) AS choices,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            ELSE no_chain(thought, solution) END AS skip
FROM prepared
