-- name: messages
-- revision: 5
-- order: hash
-- text: clean
-- format: messages-openai
-- consumer: datasets
-- optional: tools
-- mixed: messages
-- message keys: dropped
--
-- Messages as servers of OpenAI's protocol take them (vLLM, SGLang): a turn with media is a list of parts, with the
-- media as `audio_url`, `video_url`, `image_url`; files are named by `file://`, which vLLM reads below the folder of
-- `--allowed-local-media-path`.

SELECT id,
       messages_with_urls(where_tools(tool_turns, served_tool_turns(turns, tool_turns), mixed_turns(turns)),
                          image_paths, video_paths, audio_paths, more_media) AS messages,
       server_tools(tools) AS tools,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN no_tools IS NOT NULL THEN no_tools
            WHEN tools IS NOT NULL AND server_tools(tools) IS NULL THEN 'bad_tools' END AS skip
FROM prepared
