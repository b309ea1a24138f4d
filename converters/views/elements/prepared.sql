-- `prepared`: the relation that every view selects from, one row per sample. It has the sample's columns and these:
--
--   sample_id        the sample's id; `id` is the row's, which is another one where a sample has several rows
--   image_paths, video_paths, audio_paths   VARCHAR[], final paths in tag order; null if there are none
--   audio_frames, audio_rate, audio_channels   of the file of audio_paths[1]; null if unknown
--   tags             `<audio>` and so on, one per path: images first, then videos, then audios
--   effective_task   the sample's task; inferred from its fields if the data has none
--   effective_split  the assigned split, else the corpus's
--   base_language    `zh` for `zh-HK`
--   upper            whether the corpus is all upper case
--   description      one text for the content: the text, else a caption, the answer, the labels, the translation, the
--                    last turn of a conversation if it is the assistant's
--   prompt           the text of the user turn without tags; null if the task has no prompt
--   rejected_answer  the other answer of a pair, with its reasoning as requested; null if there is none
--   label            whether the answer was liked; null if nothing says so
--   no_pair          why there is no pair: no_rejected, same_answers, model_token, tag_mismatch; null if there is one
--   dimension        what the chosen side is better at: factuality, instruction, safety, helpfulness; null if unknown
--   solution         the answer without its reasoning; null if there is none
--   thought          the reasoning of the answer: what stands in its `<think>`, else the field
--   turns            the whole conversation with its tags: a system turn if requested, user, assistant ...; messages
--                    have `loss` and `loss_scale` too if any sample has them
--   tools, objects   tools (JSON) and objects in images that came with a row for a trainer
--   loss_channel     the name under which a trainer reports the row's loss
--   mode             `voice-chat` if every user turn is sound alone, `analysis` if every user turn with sound has text
--                    too, else `mixed`; null without sound
--   reference, list_prompt   what a published evaluation list says of the sample: its reference, its prompt
--   item_modality, item_category, item_sub_category   what a benchmark calls `modality`, `category`, `sub-category`
--   no_sound         why media cannot be used as `--av` and `--modality` ask: sound_apart, silent_video, no_sound,
--                    no_video; null if it can
--   no_turns         why there is no conversation: no_prompt, no_answer, no_text, model_token, tag_mismatch, or not_voice_chat
--                    and not_analysis where `--mode` asks for the other; null if there is one
--   tool_turns       of each turn of a conversation that calls tools: whether it is said by the turn before, its calls, and
--                    the call that it answers; null if there are no tools
--   no_tools         why turns of tools have no place in messages: calls_without_answers, bad_tool_call, media_of_tools;
--                    null if they have, or if there are none
--   leaks_answer     whether a user template put the answer into the user turn
--
-- `sound` says where the sound of a video is: `apart` (a file of its own), `inside` the video, or `none`; null if unknown.
--
-- It is built from `samples_with_paths` and the tables of `views/prompts.py`, which are made from
-- `templates/prompts.yaml`. Where a sample has several rows with other prompts, `prompt_part` counts them from 0, and
-- `prompt_of` is the id that they share.

-- What is seen and heard of a video with sound, by `--av` and `--modality`: both, the video alone, or the sound alone.
WITH samples_alone AS (
SELECT *, chosen_av() = 'sound-only' AND modality = 'mixed' AND audio_paths IS NOT NULL AS sound_alone,
       chosen_modality() = 'video' AND modality = 'mixed' AND video_paths IS NOT NULL AS sight_alone
FROM samples_with_paths
),
samples_shown AS (
SELECT * REPLACE (CASE WHEN sound_alone THEN NULL ELSE video_paths END AS video_paths,
                  CASE WHEN sight_alone THEN NULL ELSE audio_paths END AS audio_paths,
                  CASE WHEN sound_alone THEN 'audio' WHEN sight_alone THEN 'video' ELSE modality END AS modality)
FROM samples_alone
),
samples_tagged AS (
SELECT * REPLACE (
         CASE WHEN has_turns(messages) AND sound IS NOT NULL
              THEN list_transform(messages, lambda m: struct_update(m, content :=
                     with_shown_tags(m.content, sound, sound_alone, sight_alone, audio_paths)))
              ELSE messages END AS messages,
         with_shown_tags(question, sound, sound_alone, sight_alone, audio_paths) AS question)
FROM samples_shown
),

-- Add the entries of `templates/prompts.yaml`: a phrasing of the task's prompt; the answer fields; the name of the target
-- language.
samples_with_prompts AS (
SELECT s.*,
       compute_once(tags_for('<image>', image_paths) || tags_for('<video>', video_paths) || tags_for('<audio>', audio_paths))
         AS tags,
       prompts.fixed AS fixed_prompt, prompts.pieces AS prompt_pieces,
       answers.first_field, answers.second_field,
       coalesce(target.name, target_language, '') AS target_name,
       phones_within(phones, start_s, end_s) AS own_phones,
       choice_introductions.introduction AS choice_introduction
FROM samples_tagged s
LEFT JOIN prompt_banks bank
  ON bank.task = effective_task AND bank.modality = CASE WHEN sight_alone THEN 'silent' ELSE prompt_modality(s.modality) END
     AND bank.language = prompt_language(base_language)
LEFT JOIN prompts ON prompts.number = bank.first + phrasing_of(prompt_of, prompt_part, bank.phrasings)
LEFT JOIN answers ON answers.task = effective_task
LEFT JOIN target_names target
  ON target.language = prompt_language(base_language) AND target.code = language_of(target_language)
LEFT JOIN choice_introductions ON choice_introductions.language = prompt_language(base_language)
),

-- Add the task's prompt (none if it asks for a translation of nothing, or into no language), the raw answer, and the
-- fields of a user template: texts and lists as requested by `--text`, all others unchanged.
samples_with_answers AS (
SELECT *,
       CASE WHEN prompt_pieces IS NULL THEN fixed_prompt
            WHEN not_blank(translation) IS NOT NULL
                 AND len([1 FOR p IN prompt_pieces IF p.field = 'target' AND target_name = ''
                                                   OR p.field = 'text' AND not_blank(text) IS NULL]) > 0 THEN NULL
            ELSE fill_template(prompt_pieces, MAP {
              'question': as_requested(question, upper), 'target': target_name, 'text': as_requested(text, upper),
              'choices': choice_lines(requested_choices(choices, upper), choice_introduction)}) END AS task_prompt,
       compute_once(coalesce(
           not_blank(answer_field(first_field, text, translation, answer, captions, labels, speaker, own_phones)),
           answer_field(second_field, text, translation, answer, captions, labels, speaker, own_phones))) AS raw_answer,
       MAP {
         'text': as_requested(text, upper), 'translation': as_requested(translation, upper),
         'question': as_requested(question, upper), 'answer': as_requested(answer, upper),
         'reasoning': as_requested(reasoning, upper), 'choices': as_requested(join_list(choices), upper),
         'captions': as_requested(join_list(captions), upper), 'labels': as_requested(join_list(labels), upper),
         'id': id, 'dataset': dataset, 'config': config, 'split': split, 'panel': panel, 'modality': modality,
         'task': effective_task, 'language': language, 'target_language': target_language, 'speaker': speaker} AS fields,
       compute_once(coalesce(not_blank(text), not_blank(first_text(captions)), not_blank(answer), not_blank(join_list(labels)),
                             not_blank(translation),
                             CASE WHEN messages[len(messages)].role = 'assistant'
                                  THEN not_blank(messages[len(messages)].content) END))
         AS raw_description
FROM samples_with_prompts
),

-- Add the text of the answer as requested, in a layer of its own: `not_blank` would compute it three times.
samples_with_texts AS (
SELECT *,
       compute_once(CASE WHEN chosen_task() = 'pretrain'
                           THEN as_requested(
                             pretraining_text(text, captions, labels, translation, answer, messages), upper)
                         WHEN has_turns(messages) THEN coalesce(given_chosen(chosen), messages[len(messages)].content)
                         ELSE as_requested(coalesce(given_chosen(chosen), raw_answer), upper) END) AS answer_text
FROM samples_with_answers
),

-- Add the prompt without tags, and the answer and its reasoning as given: in a conversation, the last turn takes
-- precedence over the fields, and in a pair the side that is chosen. One side of a pair has no reasoning that the other
-- lacks: a model would learn to tell them apart by it.
samples_with_given_answers AS (
SELECT *,
       compute_once(CASE WHEN user_template() IS NULL THEN task_prompt
                         WHEN task_prompt IS NULL AND len([1 FOR p IN user_template() IF p.field = 'prompt']) > 0 THEN NULL
                         ELSE fill_user_template('', task_prompt, fields) END) AS prompt,
       compute_once(not_blank(answer_text)) AS given_answer,
       CASE WHEN chosen_task() = 'pretrain' THEN NULL
            WHEN takes_pairs() AND chosen_reasoning() = 'think' AND NOT has_thought(rejected) THEN NULL
            WHEN has_turns(messages) THEN reasoning ELSE as_requested(reasoning, upper) END AS given_reasoning,
       CASE WHEN takes_pairs() THEN not_blank(CASE WHEN has_turns(messages) THEN rejected
                                                   ELSE as_requested(rejected, upper) END) END AS given_rejected,
       CASE WHEN has_turns(messages) THEN text_of_assistant(messages) ELSE NULL::VARCHAR END AS output_text
FROM samples_with_texts
),

-- Add the answer alone, which for rewards is the field `answer` if a conversation came with one; and the assistant turn.
samples_with_solutions AS (
SELECT *,
       CASE WHEN has_turns(messages) THEN text_of_others(messages) ELSE prompt END AS input_text,
       compute_once(without_thought(
         CASE WHEN has_turns(messages) AND chosen_task() = 'grpo' THEN coalesce(not_blank(answer), given_answer)
              ELSE given_answer END)) AS solution,
       compute_once(CASE WHEN takes_pairs() AND NOT has_thought(given_rejected) THEN without_thought(given_answer)
                         ELSE with_reasoning(given_answer, given_reasoning) END) AS given_turn,
       compute_once(CASE WHEN NOT (has_thought(given_answer) OR not_blank(given_reasoning) IS NOT NULL)
                         THEN without_thought(given_rejected)
                         ELSE with_reasoning(given_rejected, NULL) END) AS rejected_answer
FROM samples_with_given_answers
),

-- The texts of the turns, which stay columns: a statement that takes each turn of a conversation of two asks for them.
samples_with_last_turns AS (
SELECT *,
       CASE WHEN is_rejected_side(rejected, extra, labels) THEN rejected_answer ELSE given_turn END AS _last_turn,
       CASE WHEN chosen_mode() = 'voice-chat' AND NOT has_tag(prompt) THEN tags
            WHEN template_has_tags() THEN fill_user_template(tags, task_prompt, fields)
            WHEN has_tag(prompt) THEN prompt ELSE tags || prompt END AS _user_turn
FROM samples_with_solutions
)

SELECT * EXCLUDE (fixed_prompt, prompt_pieces, first_field, second_field, target_name, choice_introduction, task_prompt,
                  raw_answer, raw_description, fields, answer_text, given_answer, given_reasoning, given_rejected,
                  given_turn, input_text, output_text, own_phones, sound_alone, sight_alone, prompt_of,
                  prompt_part),
       as_requested(raw_description, upper) AS description,
       coalesce(thought_of(given_answer), not_blank(given_reasoning)) AS thought,
       has_other_thought(given_answer, given_reasoning) AS _other_thought,
       -- One message, of the type of those of conversations, which may have fields of loss.
       CASE WHEN chosen_task() = 'pretrain'
            THEN list_concat(messages[:0],
                             [turn('assistant', CASE WHEN has_tag(_last_turn) THEN _last_turn ELSE tags || _last_turn END)])
            WHEN has_turns(messages)
            THEN with_system_turn(with_tags_before_first_user_turn(
                   with_answer(messages, _last_turn), tags, NOT has_tag(input_text)))
            ELSE with_system_turn([{'role': 'user', 'content': _user_turn}, {'role': 'assistant', 'content': _last_turn}])
            END AS turns,
       CASE WHEN audio_paths IS NULL THEN NULL
            WHEN has_turns(messages) THEN mode_of(with_tags_before_first_user_turn(messages, tags, NOT has_tag(input_text)))
            WHEN has_words(prompt) THEN 'analysis'
            WHEN image_paths IS NULL AND video_paths IS NULL THEN 'voice-chat' ELSE 'mixed' END AS mode,
       CASE WHEN chosen_task() = 'pretrain'
            THEN CASE WHEN _last_turn IS NULL THEN 'no_text' WHEN has_model_token(_last_turn) THEN 'model_token'
                      WHEN has_tag(_last_turn) AND NOT has_tags_for(_last_turn, image_paths, video_paths, audio_paths)
                        THEN 'tag_mismatch' END
            WHEN has_turns(messages) AND NOT list_contains([m.role FOR m IN messages], 'user') THEN 'no_prompt'
            WHEN has_turns(messages) AND messages[len(messages)].role <> 'assistant' THEN 'no_answer'
            WHEN NOT has_turns(messages) AND (prompt IS NULL OR (tags = '' AND not_blank(prompt) IS NULL)) THEN 'no_prompt'
            WHEN _last_turn IS NULL THEN 'no_answer'
            WHEN has_model_token(input_text) OR has_model_token(_last_turn) OR has_model_token(output_text)
              THEN 'model_token'
            WHEN has_tag(_last_turn) OR has_tag(output_text) THEN 'tag_mismatch'
            WHEN has_tag(input_text) AND template_has_tags() AND NOT has_turns(messages) THEN 'tag_mismatch'
            WHEN has_tag(input_text) AND NOT has_tags_for(input_text, image_paths, video_paths, audio_paths)
              THEN 'tag_mismatch'
            WHEN chosen_mode() = 'voice-chat' AND mode IS DISTINCT FROM 'voice-chat' THEN 'not_voice_chat'
            WHEN chosen_mode() = 'analysis' AND mode <> 'analysis' THEN 'not_analysis'
       END AS no_turns,
       -- Of the messages as given: turns differ from them in a system turn and in tags alone, as far as tools go.
       CASE WHEN has_turns(messages) AND has_tool_turns(messages)
            THEN list_transform([with_system_turn(messages)], lambda all_turns: tool_turns_of(all_turns))[1]
            ELSE NULL::STRUCT(merged BOOLEAN, calls STRUCT(number BIGINT, name VARCHAR, arguments VARCHAR)[],
                              answered STRUCT(number BIGINT, name VARCHAR))[] END AS tool_turns,
       CASE WHEN has_turns(messages) AND has_tool_turns(messages) THEN no_tools_of(messages) ELSE NULL::VARCHAR END
         AS no_tools,
       no_pair_of(given_turn, rejected_answer, CASE WHEN NOT has_turns(messages) AND second_field = 'captions' THEN captions END,
                  upper) AS no_pair,
       given_label(extra, CASE WHEN first_field IS DISTINCT FROM 'labels' THEN labels END) AS label,
       dimension_of(extra['dimension'], labels) AS dimension,
       not_blank(extra['tools']) AS tools,
       objects_of(extra['objects']) AS objects,
       loss_channel_of(extra['channel'], messages) AS loss_channel,
       not_blank(extra['reference']) AS reference,
       not_blank(extra['evaluation_prompt']) AS list_prompt,
       extra['modality'] AS item_modality, extra['category'] AS item_category,
       extra['sub-category'] AS item_sub_category,
       CASE WHEN video_paths IS NULL
            THEN CASE WHEN chosen_modality() IN ('video', 'av') AND audio_paths IS NOT NULL THEN 'no_video' END
            WHEN chosen_modality() = 'av' AND chosen_av() <> 'in-video' AND audio_paths IS NULL THEN 'no_sound'
            WHEN chosen_av() = 'in-video' AND sound = 'apart' THEN 'sound_apart'
            WHEN chosen_av() = 'in-video' AND sound = 'none' THEN 'silent_video'
            WHEN chosen_av() = 'sound-only' THEN 'no_sound' END AS no_sound,
       CASE WHEN sight_alone THEN 'silent'
            WHEN video_paths IS NULL OR (modality <> 'mixed' AND chosen_av() <> 'in-video') THEN NULL
            WHEN audio_paths IS NOT NULL THEN 'separate'
            WHEN sound = 'inside' THEN 'in-video' END AS _sound,
       CASE WHEN has_turns(messages) THEN concat_ws(chr(10), input_text, output_text) ELSE NULL::VARCHAR END
         AS _conversation,
       CASE WHEN chosen_task() = 'pretrain'
            THEN CASE WHEN not_blank(text) IS NOT NULL THEN 'text'
                      WHEN not_blank(first_text(captions)) IS NOT NULL THEN 'captions'
                      WHEN not_blank(join_list(labels)) IS NOT NULL THEN 'labels' ELSE 'translation' END
            WHEN takes_pairs() AND given_chosen(chosen) IS DISTINCT FROM raw_answer
                 AND given_chosen(chosen) IS NOT NULL THEN 'chosen'
            WHEN not_blank(answer_field(first_field, text, translation, answer, captions, labels, speaker, own_phones))
                 IS NOT NULL
            THEN first_field ELSE second_field END AS _answer_field,
       CASE WHEN not_blank(text) IS NOT NULL THEN 'text' WHEN not_blank(first_text(captions)) IS NOT NULL THEN 'captions'
            WHEN not_blank(answer) IS NOT NULL THEN 'answer' WHEN not_blank(join_list(labels)) IS NOT NULL THEN 'labels'
            WHEN not_blank(translation) IS NOT NULL THEN 'translation' END AS _description_field,
       CASE WHEN prompt_pieces IS NOT NULL AND chosen_task() IS DISTINCT FROM 'pretrain'
            THEN [p.field FOR p IN prompt_pieces] END AS _prompt_fields,
       could_leak() AND NOT has_turns(messages) AND any_field_contains(leak_fields(), fields, solution)
         AS leaks_answer
FROM samples_with_last_turns
