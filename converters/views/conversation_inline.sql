-- name: conversation
-- revision: 4
-- order: hash
-- text: clean
-- format: conversation-inline
-- consumer: datasets
-- message keys: dropped
--
-- The phoneme form: the path of the sound stands in the text of the first turn, `<audio>/path.wav</audio>prompt`. Its
-- reader takes one sound from the first turn and nothing from a system message, and puts a prompt of its own where there
-- is none; later turns are read by the successor of the first reader only.

SELECT id,
       inline_turns(turns, audio_paths[1]) AS conversations,
       CASE WHEN audio_paths IS NULL AND (image_paths IS NOT NULL OR video_paths IS NOT NULL) THEN 'no_audio'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN turns[1].role = 'system' THEN 'system_unsupported'
            WHEN NOT has_pairs(turns) THEN 'no_alternation'
            WHEN has_tool_turns(turns) THEN 'tools_unsupported'
            WHEN count_tag('<audio>', turns[1].content) <> 1 THEN 'sound_not_first'
            WHEN not_blank(replace(turns[1].content, '<audio>', '')) IS NULL THEN 'no_prompt'
            WHEN regexp_matches(audio_paths[1], '[<>\n\r]|^\s|\s$') THEN 'path_unsupported' END AS skip
FROM prepared
