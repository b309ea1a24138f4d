-- name: llamafactory
-- revision: 5
-- order: hash
-- text: clean
-- format: llamafactory-sharegpt
-- consumer: llamafactory
-- media: images, videos, audios
-- optional: system, tools
-- message keys: dropped
--
-- LLaMA-Factory's conversations: human and observation take turns with gpt and function_call, and a row has as many tags
-- as media: one that has not stops the whole load. `dataset_info.json` of the version says how they are read.
-- Source: LLaMA-Factory's converter and mm_plugin, version 0.9.5.

SELECT id,
       sharegpt_turns(without_system(turns)) AS conversations,
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
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch' END AS skip
FROM prepared
