-- name: llamafactory
-- revision: 3
-- tasks: kto
-- order: hash
-- text: clean
-- format: llamafactory-kto
-- consumer: llamafactory
-- media: images, videos, audios
-- optional: system, tools
-- message keys: dropped
--
-- LLaMA-Factory's rows for KTO: a conversation, and in `kto_tag` whether its last answer was liked; a pair gives two. The
-- answer has no tag: LLaMA-Factory also sets it beside the question of another row.
-- Source: LLaMA-Factory's converter and its processor of feedback, version 0.9.5.

SELECT id,
       sharegpt_turns(without_system(turns)) AS conversations,
       label AS kto_tag,
       system_of(turns) AS system,
       tools,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN chosen_av() = 'in-video' AND video_paths IS NOT NULL THEN 'sound_in_video'
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN NOT has_pairs(without_system(turns)) THEN 'no_alternation'
            WHEN no_pair = 'same_answers' THEN no_pair
            WHEN label IS NULL THEN 'no_label'
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch' END AS skip
FROM prepared
