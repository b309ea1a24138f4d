-- name: llamafactory
-- revision: 5
-- order: hash
-- text: clean
-- format: llamafactory-ranking
-- consumer: llamafactory
-- media: images, videos, audios
-- optional: system, tools
-- message keys: dropped
--
-- LLaMA-Factory's preference pairs: `conversations` up to the last question, and one message each in `chosen` and
-- `rejected`; both see the same media, so neither may have a tag.
-- Source: LLaMA-Factory's converter and mm_plugin, version 0.9.5.

SELECT id,
       sharegpt_turns(without_system(turns)[:-2]) AS conversations,
       sharegpt_turn(turns[-1]) AS chosen,
       {'from': 'gpt', 'value': rejected_answer} AS rejected,
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
            WHEN no_pair IS NOT NULL THEN no_pair
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch' END AS skip
FROM prepared
