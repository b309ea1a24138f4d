-- Named expressions of views. The options of a request are macros too, made by `views/prepare.py`:
--   chosen_task()      `sft`, `grpo` or null             chosen_text()   `raw` or `clean`
--   chosen_system()    the system message, or null       user_template() its pieces, or null
--   template_has_tags()  whether {modality_tag} stands in the template
--   told_fields()      fields of the template that could give the answer away
-- They are constants: what they rule out costs nothing.

-- A value that several columns are made of, computed once: DuckDB joins the layers of a query into one and would compute
-- it wherever it stands, were it not for a function of which it knows that it must not.
CREATE OR REPLACE MACRO once(x) AS CASE WHEN random() >= 0 THEN x END;

-- A text that holds more than white space; else null. White space is Unicode's, which RE2's \s is not.
CREATE OR REPLACE MACRO not_blank(t) AS
  CASE WHEN regexp_matches(t, '[^\t\n\x{0B}\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]')
       THEN t END;

-- White space folded to single spaces, none at either end.
CREATE OR REPLACE MACRO fold_spaces(t) AS
  trim(regexp_replace(t, '[\t\n\x{0B}\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+', ' ', 'g'), ' ');

-- The punctuation tags of GigaSpeech and its kin as punctuation.
CREATE OR REPLACE MACRO tags_to_marks(t) AS
  replace(replace(replace(replace(t, '<COMMA>', ','), '<PERIOD>', '.'), '<QUESTIONMARK>', '?'), '<EXCLAMATIONPOINT>', '!');

-- No spaces between Han, kana, CJK and full-width punctuation. RE2 has no look-ahead: the second pass meets every second
-- pair of a run.
CREATE OR REPLACE MACRO join_once(t) AS
  regexp_replace(t, '([\x{2E80}-\x{303F}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF00}-\x{FFEF}]) ([\x{2E80}-\x{303F}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF00}-\x{FFEF}])', '\1\2', 'g');
CREATE OR REPLACE MACRO join_unspaced(t) AS join_once(join_once(t));

-- A text as a model should read and write it: the corpus's own habits undone, never the words. `upper` says that the
-- corpus writes upper case throughout. A text of plain ASCII words needs no regular expressions.
CREATE OR REPLACE MACRO without_habits(t) AS
  join_unspaced(regexp_replace(fold_spaces(tags_to_marks(t)), ' +([,.?!])', '\1', 'g'));
CREATE OR REPLACE MACRO clean_text(t, upper) AS
  CASE WHEN regexp_matches(t, '[^ -~]|  |<| [,.?!]|^ | $')
       THEN list_transform([without_habits(t)], lambda x: CASE WHEN upper THEN lower(x) ELSE x END)[1]
       WHEN upper THEN lower(t) ELSE t END;

-- A text as the request wants it.
CREATE OR REPLACE MACRO as_wanted(t, upper) AS CASE WHEN chosen_text() = 'clean' THEN clean_text(t, upper) ELSE t END;

-- A list as one text.
CREATE OR REPLACE MACRO listed(l) AS array_to_string(l, ', ');

-- The primary subtag of a language: `zh` of `zh-HK`, `zh_CN` and `cmn`; empty where there is none.
CREATE OR REPLACE MACRO primary_subtag(l) AS split_part(replace(lower(coalesce(l, '')), '_', '-'), '-', 1);
CREATE OR REPLACE MACRO language_of(l) AS CASE primary_subtag(l) WHEN 'cmn' THEN 'zh' ELSE primary_subtag(l) END;

-- A sample's task, or what its fields suggest where the data named none.
CREATE OR REPLACE MACRO task_of(task, question, answer, modality) AS
  CASE WHEN coalesce(task, '') <> '' THEN task
       WHEN coalesce(question, '') <> '' AND coalesce(answer, '') <> '' THEN 'qa'
       WHEN modality = 'audio' THEN 'asr' ELSE 'captioning' END;

-- Media tags: so many of one kind; how often one stands in a text; whether any does.
CREATE OR REPLACE MACRO tags_for(tag, paths) AS repeat(tag, coalesce(len(paths), 0));
CREATE OR REPLACE MACRO times_in(tag, t) AS (len(t) - len(replace(t, tag, ''))) // len(tag);
CREATE OR REPLACE MACRO has_tag(t) AS regexp_matches(t, '<(image|video|audio)>');
CREATE OR REPLACE MACRO has_tags_for(t, image_paths, video_paths, audio_paths) AS
  times_in('<image>', t) = coalesce(len(image_paths), 0) AND times_in('<video>', t) = coalesce(len(video_paths), 0)
  AND times_in('<audio>', t) = coalesce(len(audio_paths), 0);

-- Conversations: one turn; what some of the turns say, a line each.
CREATE OR REPLACE MACRO turn(role, content) AS {'role': role, 'content': content};
CREATE OR REPLACE MACRO has_turns(messages) AS coalesce(len(messages), 0) > 0;
CREATE OR REPLACE MACRO said_by_assistant(messages) AS
  array_to_string([coalesce(m.content, '') FOR m IN messages IF m.role = 'assistant'], chr(10));
CREATE OR REPLACE MACRO said_by_others(messages) AS
  array_to_string([coalesce(m.content, '') FOR m IN messages IF m.role <> 'assistant'], chr(10));

-- A template filled: `pieces` are literals and names of fields in order, `fields` a map from name to text.
CREATE OR REPLACE MACRO filled(pieces, fields) AS
  array_to_string([coalesce(CASE WHEN p.field IS NULL THEN p.literal ELSE fields[p.field] END, '') FOR p IN pieces], '');

-- A user template filled: beside the sample's fields it may name the tags and the prompt of the task.
CREATE OR REPLACE MACRO filled_turn(tags, prompt, fields) AS
  array_to_string([coalesce(CASE WHEN p.field IS NULL THEN p.literal WHEN p.field = 'modality_tag' THEN tags
                                 WHEN p.field = 'prompt' THEN prompt ELSE fields[p.field] END, '')
                   FOR p IN user_template()], '');

-- Keys of `templates/prompts.yaml`: a modality that has prompts of its own, and a language of names and introductions.
CREATE OR REPLACE MACRO prompt_modality(m) AS
  CASE WHEN m IN ('audio', 'video', 'mixed', 'image') THEN m ELSE 'other' END;
CREATE OR REPLACE MACRO prompt_language(base_language) AS CASE base_language WHEN 'zh' THEN 'zh' ELSE 'en' END;

-- Whether any of these fields holds a text.
CREATE OR REPLACE MACRO holds_any(names, fields, t) AS
  len([1 FOR name IN names IF contains(fields[name], t)]) > 0;

-- The field of a sample that answers, by its name in `templates/prompts.yaml`: of several captions the first.
CREATE OR REPLACE MACRO answer_field(name, text, translation, answer, captions, labels) AS
  CASE name WHEN 'text' THEN text WHEN 'translation' THEN translation WHEN 'answer' THEN answer
            WHEN 'captions' THEN captions[1] WHEN 'labels' THEN listed(labels) END;

-- The options of a question, a line each under their introduction; empty where there are none.
CREATE OR REPLACE MACRO choice_lines(choices, introduction) AS
  CASE WHEN coalesce(len(list_filter(choices, lambda c: c IS NOT NULL)), 0) = 0 THEN ''
       ELSE introduction || array_to_string([chr(10) || '- ' || c FOR c IN choices], '') END;

-- A conversation with the request's system turn, unless it has one of its own.
CREATE OR REPLACE MACRO with_system_turn(turns) AS
  CASE WHEN chosen_system() IS NULL OR turns[1].role = 'system' THEN turns
       ELSE list_concat([turn('system', chosen_system())], turns) END;

-- A conversation with media tags put before its first user turn, where that is so.
CREATE OR REPLACE MACRO with_tags_before_first_user_turn(messages, tags, put) AS
  list_transform(messages, lambda m, i: turn(m.role, CASE
    WHEN put AND i = list_position([n.role FOR n IN messages], 'user') THEN tags || m.content ELSE m.content END));
