-- name: messages
-- revision: 6
-- tasks: sft, completion, grpo, dpo, kto
-- order: hash
-- text: clean
-- format: messages-trl
-- consumer: trl
-- only sft: messages
-- only completion: prompt, completion
-- only grpo: prompt, solution, task, language
-- only dpo: prompt, chosen, rejected
-- only kto: prompt, completion, label
-- optional: tools
-- mixed: messages, prompt
-- message keys: dropped
--
-- TRL's conversational rows: `messages`; `prompt` and `completion`; `prompt` alone with `solution, task, language` for
-- reward functions; `prompt`, `chosen` and `rejected`; `prompt`, `completion` and `label`, of a pair two rows. A turn
-- with media is a list of typed parts, as in `--style hf`, any other is text. All of them are JSON, in Parquet too.
-- Source: TRL's dataset formats and data_utils, version 1.16.

SELECT id,
       messages_with_media(where_tools(tool_turns, mixed_tool_turns(turns, tool_turns), mixed_turns(turns)),
                           image_paths, video_paths, audio_paths, more_media) AS messages,
       CASE WHEN chosen_task() <> 'sft'
            THEN messages_with_media(where_tools(tool_turns, mixed_tool_turns(turns[:-2], tool_turns), mixed_turns(turns[:-2])),
                                     image_paths, video_paths, audio_paths, more_media) END AS prompt,
       trl_messages(turns[-1:], NULL, NULL, NULL, NULL) AS completion,
       trl_messages(turns[-1:], NULL, NULL, NULL, NULL) AS chosen,
       trl_messages([turn('assistant', rejected_answer)], NULL, NULL, NULL, NULL) AS rejected,
       label,
       solution,
       effective_task AS task,
       nullif(language, '') AS language,
       TRY_CAST(tools AS JSON) AS tools,
       CASE WHEN modality IS DISTINCT FROM 'text' AND tags = '' THEN 'no_media'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN no_turns IS NOT NULL THEN no_turns
            WHEN no_tools IS NOT NULL THEN no_tools
            WHEN tools IS NOT NULL AND TRY_CAST(tools AS JSON) IS NULL THEN 'bad_tools'
            WHEN chosen_task() = 'grpo' AND solution IS NULL THEN 'no_answer'
            WHEN chosen_task() = 'dpo' AND no_pair IS NOT NULL THEN no_pair
            WHEN chosen_task() = 'kto' AND label IS NULL THEN 'no_label'
       END AS skip
FROM prepared
