-- `prepared`: what every view selects from, one row a sample. It has the sample's own columns and its elements:
--
--   image_paths, video_paths, audio_paths   VARCHAR[], final paths in tag order; null where there are none
--   tags             `<audio>` and so on, one for every path: images first, then videos, then audios
--   effective_task   the sample's task, or what its fields suggest where the data named none
--   base_language    `zh` of `zh-HK`
--   upper            whether the corpus writes upper case throughout
--   description      what is said or shown in one text: the text, else a caption, the answer, the labels, the translation
--   prompt           what the user turn says, without tags; null where the task has no prompt
--   solution         what the assistant says; null where nothing answers
--   turns            the whole conversation, with its tags: a system turn where one is asked for, user, assistant ...
--   no_turns         why there is no conversation: no_prompt, no_answer, tag_mismatch; null where there is one
--   gives_it_away    whether a user template put the answer into the user turn
--
-- It is read from `samples_with_paths` and the tables `prompts`, `target_names` and `choice_introductions`, which
-- `views/prompts.py` makes of `templates/prompts.yaml`.

-- What `templates/prompts.yaml` says of a sample: its task's prompt in its language, else in English; which fields
-- answer; how the target language is called.
CREATE OR REPLACE VIEW samples_with_prompts AS
SELECT s.*,
       once(tags_for('<image>', image_paths) || tags_for('<video>', video_paths) || tags_for('<audio>', audio_paths))
         AS tags,
       CASE WHEN own.task IS NULL THEN english.fixed ELSE own.fixed END AS fixed_prompt,
       CASE WHEN own.task IS NULL THEN english.pieces ELSE own.pieces END AS prompt_pieces,
       answers.first_field, answers.second_field,
       coalesce(target.name, target_language, '') AS target_name,
       choice_introductions.introduction AS choice_introduction
FROM samples_with_paths s
LEFT JOIN prompts own
  ON own.task = effective_task AND own.modality = prompt_modality(s.modality) AND own.language = base_language
LEFT JOIN prompts english
  ON english.task = effective_task AND english.modality = prompt_modality(s.modality) AND english.language = 'en'
LEFT JOIN answers ON answers.task = effective_task
LEFT JOIN target_names target
  ON target.language = prompt_language(base_language) AND target.code = language_of(target_language)
LEFT JOIN choice_introductions ON choice_introductions.language = prompt_language(base_language);

-- The task's prompt, what answers it as the corpus has it, and what a user template may name: texts and lists as the
-- request wants them, all else as the sample has it.
CREATE OR REPLACE VIEW samples_with_answers AS
SELECT *,
       CASE WHEN prompt_pieces IS NULL THEN fixed_prompt
            ELSE filled(prompt_pieces, MAP {
              'question': as_wanted(question, upper), 'target': target_name,
              'choices': choice_lines(choices, choice_introduction)}) END AS task_prompt,
       once(coalesce(not_blank(answer_field(first_field, text, translation, answer, captions, labels)),
                     answer_field(second_field, text, translation, answer, captions, labels))) AS answered,
       MAP {
         'text': as_wanted(text, upper), 'translation': as_wanted(translation, upper),
         'question': as_wanted(question, upper), 'answer': as_wanted(answer, upper),
         'reasoning': as_wanted(reasoning, upper), 'choices': as_wanted(listed(choices), upper),
         'captions': as_wanted(listed(captions), upper), 'labels': as_wanted(listed(labels), upper),
         'id': id, 'dataset': dataset, 'config': config, 'split': split, 'panel': panel, 'modality': modality,
         'task': effective_task, 'language': language, 'target_language': target_language, 'speaker': speaker} AS fields,
       once(coalesce(not_blank(text), not_blank(captions[1]), not_blank(answer), not_blank(listed(labels)),
                     not_blank(translation), messages[len(messages)].content)) AS described
FROM samples_with_prompts;

-- The user turn without tags, and what the assistant says: a conversation's own last answer goes before the fields.
CREATE OR REPLACE VIEW samples_with_solutions AS
SELECT *,
       CASE WHEN has_turns(messages) THEN said_by_others(messages) ELSE prompt END AS asked,
       CASE WHEN has_turns(messages) THEN said_by_assistant(messages) END AS said
FROM (
  SELECT *,
         once(CASE WHEN user_template() IS NULL THEN task_prompt ELSE filled_turn('', task_prompt, fields) END) AS prompt,
         once(CASE WHEN has_turns(messages) THEN not_blank(messages[len(messages)].content)
                   ELSE not_blank(as_wanted(answered, upper)) END) AS solution
  FROM samples_with_answers
);

CREATE OR REPLACE VIEW prepared AS
SELECT * EXCLUDE (fixed_prompt, prompt_pieces, first_field, second_field, target_name, choice_introduction, task_prompt,
                  answered, described, fields, asked, said),
       not_blank(as_wanted(described, upper)) AS description,
       CASE WHEN has_turns(messages)
            THEN with_system_turn(with_tags_before_first_user_turn(messages, tags, NOT has_tag(asked)))
            ELSE with_system_turn([turn('user', CASE
                   WHEN template_has_tags() THEN filled_turn(tags, task_prompt, fields)
                   WHEN has_tag(prompt) THEN prompt ELSE tags || prompt END), turn('assistant', solution)]) END AS turns,
       CASE WHEN has_turns(messages) AND NOT list_contains([m.role FOR m IN messages], 'user') THEN 'no_prompt'
            WHEN has_turns(messages) AND messages[len(messages)].role <> 'assistant' THEN 'no_answer'
            WHEN NOT has_turns(messages) AND (prompt IS NULL OR (tags = '' AND not_blank(prompt) IS NULL)) THEN 'no_prompt'
            WHEN solution IS NULL THEN 'no_answer'
            WHEN has_tag(coalesce(said, solution)) THEN 'tag_mismatch'
            WHEN has_tag(asked) AND template_has_tags() AND NOT has_turns(messages) THEN 'tag_mismatch'
            WHEN has_tag(asked) AND NOT has_tags_for(asked, image_paths, video_paths, audio_paths) THEN 'tag_mismatch'
       END AS no_turns,
       len(told_fields()) > 0 AND NOT has_turns(messages) AND holds_any(told_fields(), fields, solution) AS gives_it_away
FROM samples_with_solutions;
