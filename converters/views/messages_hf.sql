-- name: messages
-- revision: 5
-- order: hash
-- text: clean
-- format: messages-hf
-- consumer: datasets
-- optional: tools
-- message keys: dropped
--
-- Messages as the processors of transformers take them: every content is a list of typed parts, a medium is
-- `{"type": "audio", "audio": path}`. `messages` is JSON, in Parquet too: in a typed column every text part would have a
-- null under `audio`, and templates that ask for the key would print a sound in place of the text.

SELECT id,
       messages_with_media(where_tools(tool_turns, typed_tool_turns(turns, tool_turns), typed_turns(turns)),
                           image_paths, video_paths, audio_paths, more_media) AS messages,
       TRY_CAST(tools AS JSON) AS tools,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN no_tools IS NOT NULL THEN no_tools
            WHEN tools IS NOT NULL AND TRY_CAST(tools AS JSON) IS NULL THEN 'bad_tools' END AS skip
FROM prepared
