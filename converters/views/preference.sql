-- name: preference
-- revision: 4
-- options: dimension, pairs, quota
-- order: hash
-- text: clean
-- format: preference
-- consumer: datasets
-- media: images, videos, audios
--
-- Pairs of answers for preference training: the conversation up to the answer, the answer that is better, one that is
-- worse, and what it is better at: factuality, instruction, safety or helpfulness. Both answers see the same media, whose
-- tags stand in the prompt.
-- Source: the explicit preference rows of TRL 1.16, conversational.

SELECT id,
       list_transform(turns[:-2], lambda m: turn(m.role, m.content)) AS prompt,
       [turn('assistant', turns[len(turns)].content)] AS chosen,
       [turn('assistant', rejected_answer)] AS rejected,
       dimension,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN no_pair IS NOT NULL THEN no_pair
            WHEN dimension IS NULL THEN 'no_dimension' END AS skip
FROM prepared
