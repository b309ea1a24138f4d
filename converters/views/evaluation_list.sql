-- name: evaluation
-- revision: 4
-- order: id
-- text: raw
-- format: evaluation-list
-- media: audio
-- use: evaluation
--
-- Rows of Qwen2-Audio's evaluation scripts: `audio`, `prompt`, `gt`, `source`. The scripts put <|audio_bos|><|AUDIO|>
-- <|audio_eos|> before the prompt, and score each `source` by itself; of translations they take the language from its
-- last part but one. Prompts are those of its lists where a task has one, unless the request says how to ask. A sample of
-- a published list has the list's own prompt and reference.

SELECT id,
       audio_paths[1] AS audio,
       evaluation_prompt(effective_task, base_language, target_language, list_prompt, prompt, turns, messages) AS prompt,
       coalesce(reference, solution) AS gt,
       evaluation_source(effective_task, dataset, config, effective_split, base_language, target_language) AS source,
       CASE WHEN no_sound IS NOT NULL THEN no_sound
            WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN several_exchanges(messages) THEN 'several_exchanges'
            WHEN turns[1].role = 'system' THEN 'system_unsupported'
            WHEN chosen_mode() = 'voice-chat' THEN 'not_voice_chat'
            WHEN no_turns = 'not_analysis' THEN no_turns
            WHEN has_model_token(prompt) THEN 'model_token'
            WHEN evaluation_prompt(effective_task, base_language, target_language, list_prompt, prompt, turns, messages) IS NULL
              THEN CASE WHEN effective_task = 's2tt' OR (effective_task = 'asr' AND prompt IS NOT NULL) THEN 'no_language'
                        ELSE 'no_prompt' END
            WHEN coalesce(reference, solution) IS NULL THEN 'no_answer' END AS skip
FROM prepared
