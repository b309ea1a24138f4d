-- name: llamafactory
-- revision: 4
-- order: hash
-- text: clean
-- format: llamafactory-alpaca
-- consumer: llamafactory
-- media: images, videos, audios
-- optional: system, history
-- message keys: dropped
--
-- LLaMA-Factory's Alpaca rows: the last exchange in `instruction` and `output`, earlier ones as pairs in `history`, which
-- are trained on too. Tool calls have no place.
-- Source: LLaMA-Factory's converter and mm_plugin, version 0.9.5.

SELECT id,
       turns[-2].content AS instruction,
       '' AS input,
       turns[-1].content AS output,
       history_of(without_system(turns)) AS history,
       system_of(turns) AS system,
       image_paths AS images,
       video_paths AS videos,
       audio_paths AS audios,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN chosen_av() = 'in-video' AND video_paths IS NOT NULL THEN 'sound_in_video'
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN NOT has_pairs(without_system(turns)) THEN 'no_alternation'
            WHEN has_tool_turns(turns) THEN 'tools_unsupported'
            WHEN has_tag(system_of(turns)) THEN 'tag_mismatch' END AS skip
FROM prepared
