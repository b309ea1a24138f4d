-- name: evaluation
-- revision: 4
-- order: id
-- text: raw
-- format: evaluation-items
-- media: audio_path
-- optional: modality, category, sub-category, labels, thinking
-- use: evaluation
--
-- Items of benchmarks such as MMAU and MMAR: a question, its choices and the answer. `modality`, `category` and
-- `sub-category` are fields of `extra`, or the labels of a sample whose first is one of MMAR's modalities.

SELECT id,
       audio_paths[1] AS audio_path,
       coalesce(not_blank(as_requested(question, upper)), last_question(turns)) AS question,
       coalesce(CASE WHEN reference IS NULL THEN answered_choices(messages, choices, upper) ELSE choices END, []) AS choices,
       coalesce(reference, solution) AS answer,
       coalesce(item_modality, CASE WHEN is_benchmark_labels(labels) THEN labels[1] END) AS modality,
       coalesce(item_category, CASE WHEN is_benchmark_labels(labels) THEN labels[2] END) AS category,
       coalesce(item_sub_category, CASE WHEN is_benchmark_labels(labels) THEN labels[3] END) AS "sub-category",
       CASE WHEN NOT is_benchmark_labels(labels) THEN nullif(labels, []) END AS labels,
       nullif(language, '') AS language,
       dataset AS source,
       thought AS thinking,
       CASE WHEN no_sound IS NOT NULL THEN no_sound
            WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN audio_paths IS NULL THEN 'no_media'
            WHEN several_exchanges(messages) THEN 'several_exchanges'
            WHEN turns[1].role = 'system' THEN 'system_unsupported'
            WHEN chosen_mode() = 'voice-chat' THEN 'not_voice_chat'
            WHEN no_turns = 'not_analysis' THEN no_turns
            WHEN coalesce(not_blank(question), last_question(turns)) IS NULL THEN 'no_prompt'
            WHEN coalesce(reference, solution) IS NULL THEN 'no_answer' END AS skip
FROM prepared
