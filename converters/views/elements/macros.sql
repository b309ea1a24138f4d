-- Macros of views. The options of a request are macros too, made by `views/prepare.py`:
--   chosen_task()        `sft`, `grpo` ... or null         chosen_text()     `raw` or `clean`
--   takes_pairs()        whether rows are made of `chosen` and `rejected`
--   chosen_dimension()   the dimension of pairs that state none, or null
--   chosen_system()      the system message, or null       user_template()   its pieces, or null
--   template_has_tags()  whether the template contains {modality_tag}
--   leak_fields()        fields of the template that could contain the answer; could_leak(): whether there are any
--   chosen_reasoning()   `think`, `drop` or `column`
--   chosen_av()          `separate`, `in-video` or `sound-only`
--   chosen_modality()    `own`, `audio`, `video` or `av`
--   asked_in()           the language in which tasks are asked, or null
--   asked_languages()    the languages that prompts have
--   has_varied_prompts() whether one of several phrasings is chosen, with prompt_seed()
--   evaluation_pieces()  pieces of the prompts of evaluation lists, by task
--   evaluation_languages()   names of target languages in these prompts, by code
--   switches()           the names of the view's own options that are on
--   chosen_mode()        `analysis`, `voice-chat` or null
--   spoken_tasks()       the tasks whose `text` is what is said
--   model_token()        the regular expression of a model's own tokens
--   chosen_phones()      `39`, `48`, `61` or `own`         chosen_boundary() between the phones of words, or null
--   drops_silence()      whether pauses are left out       chosen_phone_prompt()  or null
--   phone_of_label()     label -> phone of the chosen set, or ''; null for `own`
-- They are constants: branches that they exclude cost nothing.

-- Compute a value that several columns use only once: DuckDB merges the layers of a query and would repeat the
-- expression for every use, unless it calls a function that is not deterministic.
CREATE OR REPLACE MACRO compute_once(x) AS CASE WHEN random() >= 0 THEN x END;

-- A value, for which another that takes less time stands if `x` is null in every row of a request: both must then be the
-- same. A CASE would take longer than either.
CREATE OR REPLACE MACRO where_any(x, value, instead) AS value;

-- The text, or null if it is only white space. White space is Unicode's, which RE2's \s does not cover. A text that
-- starts with a visible ASCII character needs no look at the rest.
CREATE OR REPLACE MACRO not_blank(t) AS
  CASE WHEN ascii(t) BETWEEN 33 AND 126
         OR regexp_matches(t, '[^\t\n\x{0B}\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]')
       THEN t END;

-- Collapse white space to single spaces and trim both ends.
CREATE OR REPLACE MACRO fold_spaces(t) AS
  trim(regexp_replace(t, '[\t\n\x{0B}\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]+', ' ', 'g'), ' ');

-- Replace the punctuation tags of GigaSpeech and similar corpora by punctuation.
CREATE OR REPLACE MACRO tags_to_punctuation(t) AS
  replace(replace(replace(replace(t, '<COMMA>', ','), '<PERIOD>', '.'), '<QUESTIONMARK>', '?'), '<EXCLAMATIONPOINT>', '!');

-- Remove spaces between Han, kana, CJK and full-width punctuation. RE2 has no look-ahead: a second pass handles every
-- other pair of a sequence.
CREATE OR REPLACE MACRO join_once(t) AS
  regexp_replace(t, '([\x{2E80}-\x{303F}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF00}-\x{FFEF}]) ([\x{2E80}-\x{303F}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF00}-\x{FFEF}])', '\1\2', 'g');
CREATE OR REPLACE MACRO join_unspaced(t) AS join_once(join_once(t));

-- Normalize a text for training: spaces, punctuation tags and case, but never the words. `upper`: the corpus is all
-- upper case. Plain ASCII words skip the regular expressions.
CREATE OR REPLACE MACRO normalize_text(t) AS
  join_unspaced(regexp_replace(fold_spaces(tags_to_punctuation(t)), ' +([,.?!])', '\1', 'g'));
CREATE OR REPLACE MACRO clean_text(t, upper) AS
  CASE WHEN regexp_matches(t, '[^ -~]|  |<| [,.?!]|^ | $')
       THEN list_transform([normalize_text(t)], lambda x: CASE WHEN upper THEN lower(x) ELSE x END)[1]
       WHEN upper THEN lower(t) ELSE t END;

-- A text as requested by `--text`: `lower` is `clean` with every corpus taken for one in upper case.
CREATE OR REPLACE MACRO as_requested(t, upper) AS
  CASE chosen_text() WHEN 'clean' THEN clean_text(t, upper) WHEN 'lower' THEN clean_text(t, true) ELSE t END;

-- Join the texts of a list that are not blank to one; the first of them.
CREATE OR REPLACE MACRO join_list(l) AS
  CASE WHEN len(l) > 1 THEN array_to_string([x FOR x IN l IF not_blank(x) IS NOT NULL], ', ') ELSE l[1] END;
CREATE OR REPLACE MACRO first_text(l) AS
  CASE WHEN len(l) > 1 AND not_blank(l[1]) IS NULL THEN list_filter(l, lambda x: not_blank(x) IS NOT NULL)[1] ELSE l[1] END;

-- The primary subtag of a language: `zh` for `zh-HK`, `zh_CN` and `cmn`; empty if there is no language.
CREATE OR REPLACE MACRO primary_subtag(l) AS split_part(replace(lower(coalesce(l, '')), '_', '-'), '-', 1);
CREATE OR REPLACE MACRO language_of(l) AS CASE primary_subtag(l) WHEN 'cmn' THEN 'zh' ELSE primary_subtag(l) END;

-- A sample's task; inferred from its fields if the data has none. More than one exchange is a `chat`.
CREATE OR REPLACE MACRO task_of(task, question, answer, modality, messages) AS
  CASE WHEN coalesce(task, '') <> '' THEN task
       WHEN len(messages) > 2 AND len([1 FOR m IN messages IF m.role <> 'system']) > 2 THEN 'chat'
       WHEN coalesce(question, '') <> '' AND coalesce(answer, '') <> '' THEN 'qa'
       WHEN modality = 'audio' THEN 'asr' ELSE 'captioning' END;

-- Whether the text of a task is what is said: a tool that learns from transcripts takes any other for one.
CREATE OR REPLACE MACRO is_spoken(task) AS list_contains(spoken_tasks(), task);

-- Media tags: one tag per path; number of occurrences in a text; whether a text has any; whether tags match the media.
CREATE OR REPLACE MACRO tags_for(tag, paths) AS repeat(tag, coalesce(len(paths), 0));
CREATE OR REPLACE MACRO count_tag(tag, t) AS (len(t) - len(replace(t, tag, ''))) // len(tag);
CREATE OR REPLACE MACRO has_tag(t) AS contains(t, '<') AND regexp_matches(t, '<(image|video|audio)>');
-- Whether a text has a token by which models mark media or turns: a tokenizer takes it for the token, not for text.
CREATE OR REPLACE MACRO has_model_token(t) AS contains(t, '<|') AND regexp_matches(t, model_token());
CREATE OR REPLACE MACRO has_tags_for(t, image_paths, video_paths, audio_paths) AS
  count_tag('<image>', t) = coalesce(len(image_paths), 0) AND count_tag('<video>', t) = coalesce(len(video_paths), 0)
  AND count_tag('<audio>', t) = coalesce(len(audio_paths), 0);

-- Conversations: one turn; whether there are turns; the text of the assistant's or the other turns, one line each.
CREATE OR REPLACE MACRO turn(role, content) AS {'role': role, 'content': content};
CREATE OR REPLACE MACRO has_turns(messages) AS coalesce(len(messages) > 0, false);
CREATE OR REPLACE MACRO text_of_assistant(messages) AS
  array_to_string([coalesce(m.content, '') FOR m IN messages IF m.role = 'assistant'], chr(10));
CREATE OR REPLACE MACRO text_of_others(messages) AS
  array_to_string([coalesce(m.content, '') FOR m IN messages IF m.role <> 'assistant'], chr(10));

-- Reasoning in a text: `<think>...</think>`, also without the opening tag (some templates put it into the prompt) or the
-- closing one (the text was cut off). The reasoning, and the answer without it; either is null if there is none.
CREATE OR REPLACE MACRO has_thought(t) AS contains(t, '<') AND regexp_matches(t, '(?i)</?think>');
CREATE OR REPLACE MACRO without_blocks(t) AS regexp_replace(t, '(?is)<think>.*?</think>', '', 'g');
CREATE OR REPLACE MACRO trimmed(t) AS regexp_replace(t, '^\s+|\s+$', '', 'g');
CREATE OR REPLACE MACRO thought_of(t) AS
  CASE WHEN has_thought(t) THEN not_blank(trimmed(array_to_string(list_concat(
    regexp_extract_all(t, '(?is)<think>(.*?)</think>', 1),
    regexp_extract_all(without_blocks(t), '(?is)^(.*)</think>', 1),
    regexp_extract_all(without_blocks(t), '(?is)<think>(.*)$', 1)), chr(10)))) END;
CREATE OR REPLACE MACRO without_thought(t) AS
  CASE WHEN has_thought(t)
       THEN not_blank(trimmed(regexp_replace(without_blocks(t), '(?is)^.*</think>|<think>.*$', '', 'g')))
       ELSE t END;

-- An answer with its reasoning where the request wants it: in front of it, or not in it. What an answer thinks itself
-- goes first; an empty `<think></think>` is no reasoning.
CREATE OR REPLACE MACRO with_reasoning(answer, reasoning) AS
  CASE WHEN chosen_reasoning() <> 'think' THEN without_thought(answer)
       WHEN thought_of(answer) IS NOT NULL OR not_blank(reasoning) IS NULL THEN answer
       ELSE '<think>' || reasoning || '</think>' || without_thought(answer) END;
-- Whether an answer thinks itself, and something else than the field of its reasoning says.
CREATE OR REPLACE MACRO has_other_thought(answer, reasoning) AS
  not_blank(reasoning) IS NOT NULL AND has_thought(answer)
  AND NOT coalesce(contains(fold_spaces(thought_of(answer)), fold_spaces(reasoning)), true);

-- A chain of thought: its sections in order, each in its tags, or the whole text; null if its tags do not fit together.
CREATE OR REPLACE MACRO count_matches(t, pattern) AS len(regexp_extract_all(t, pattern));
CREATE OR REPLACE MACRO section_tags(t) AS count_matches(t, '(?i)</?(?:planning|caption|reasoning|summary)>');
CREATE OR REPLACE MACRO section(name, t) AS
  '<' || name || '>' || chr(10) || not_blank(trimmed(t)) || chr(10) || '</' || name || '>';
CREATE OR REPLACE MACRO sections_of(t) AS
  list_transform([regexp_extract(t, '(?is)^\s*<planning>(.*)</planning>\s*<caption>(.*)</caption>\s*<reasoning>(.*)</reasoning>\s*<summary>(.*)</summary>\s*$', ['p', 'c', 'r', 's'])],
    lambda x: section('PLANNING', x.p) || chr(10) || section('CAPTION', x.c) || chr(10) || section('REASONING', x.r)
              || chr(10) || section('SUMMARY', x.s))[1];
CREATE OR REPLACE MACRO chain_in(t) AS
  CASE WHEN regexp_matches(t, '(?i)</?(?:think|response)>') THEN NULL
       WHEN section_tags(t) = 0 THEN not_blank(trimmed(t))
       WHEN section_tags(t) = 8 THEN sections_of(t) END;
CREATE OR REPLACE MACRO chain_of(thought) AS
  CASE WHEN contains(thought, '<') THEN chain_in(CASE WHEN has_thought(thought) THEN thought_of(thought) ELSE thought END)
       ELSE not_blank(trimmed(thought)) END;

-- The response to a question, which may be in <RESPONSE>; null if its tags do not fit together.
CREATE OR REPLACE MACRO response_of(t) AS
  CASE WHEN NOT contains(t, '<') THEN not_blank(trimmed(t))
       ELSE CASE count_matches(t, '(?i)</?response>')
            WHEN 0 THEN not_blank(trimmed(t))
            WHEN 2 THEN not_blank(trimmed(regexp_extract(t, '(?is)^\s*<response>(.*)</response>\s*$', 1))) END END;

-- Why there is no chain with a response; null if there is one.
CREATE OR REPLACE MACRO no_chain(thought, solution) AS
  CASE WHEN thought IS NULL THEN 'no_reasoning'
       WHEN solution IS NULL THEN 'no_answer'
       WHEN chain_of(thought) IS NULL THEN 'broken_chain'
       WHEN response_of(solution) IS NULL THEN 'broken_response'
       WHEN list_contains(switches(), 'structure') AND NOT starts_with(chain_of(thought), '<PLANNING>') THEN 'no_sections'
  END;

-- A conversation whose last turn is a chain and a response, with the white space of Qwen3's chat template; and the text
-- of the last user turn without tags.
CREATE OR REPLACE MACRO with_chain(turns, chain, response) AS
  list_concat(turns[:-2], [struct_update(turns[-1], content :=
    '<think>' || chr(10) || chain || chr(10) || '</think>' || chr(10) || chr(10) || '<RESPONSE>' || chr(10) || response
    || chr(10) || '</RESPONSE>')]);
CREATE OR REPLACE MACRO last_question(turns) AS
  not_blank(trimmed(regexp_replace(list_filter(turns, lambda m: m.role = 'user')[-1].content,
                                   '<(?:image|video|audio)>', '', 'g')));

-- Rows of evaluations: the prompt of a list, of a task, or of a conversation; and the group in which a row is scored.
CREATE OR REPLACE MACRO several_exchanges(messages) AS
  has_turns(messages) AND len(list_filter(messages, lambda m: m.role <> 'system')) > 2;
CREATE OR REPLACE MACRO evaluation_prompt(task, language, target, list_prompt, prompt, turns, messages) AS
  CASE WHEN list_prompt IS NOT NULL THEN list_prompt
       WHEN has_turns(messages) THEN last_question(turns)
       WHEN evaluation_pieces()[task] IS NOT NULL AND asked_in() IS NULL AND NOT has_varied_prompts()
            AND user_template() IS NULL
         THEN CASE WHEN task IN ('asr', 's2tt') AND language = '' THEN NULL
                   WHEN task = 's2tt' AND evaluation_languages()[language_of(target)] IS NULL THEN NULL
                   ELSE fill_template(evaluation_pieces()[task], MAP {
                     'language': language, 'target': evaluation_languages()[language_of(target)]}) END
       ELSE not_blank(trimmed(regexp_replace(prompt, '<(?:image|video|audio)>', '', 'g'))) END;
CREATE OR REPLACE MACRO evaluation_source(task, dataset, config, split, language, target) AS
  CASE task WHEN 's2tt' THEN concat_ws('_', replace(dataset, '-', '_'), language, language_of(target),
                                       replace(coalesce(nullif(split, ''), 'test'), '_', '-'))
            ELSE replace(concat_ws('_', dataset, nullif(config, ''), nullif(split, '')), '-', '_') END;
CREATE OR REPLACE MACRO is_benchmark_labels(labels) AS
  coalesce(len(labels) >= 3 AND list_contains(['sound', 'music', 'speech', 'mix-sound-music', 'mix-sound-speech',
    'mix-music-speech', 'mix-sound-music-speech'], labels[1]), false);

-- Fill a template: `pieces` are literals and field names in order, `fields` maps names to texts.
CREATE OR REPLACE MACRO fill_template(pieces, fields) AS
  array_to_string([coalesce(CASE WHEN p.field IS NULL THEN p.literal ELSE fields[p.field] END, '') FOR p IN pieces], '');

-- Fill the user template, which may use the tags and the task's prompt in addition to the sample's fields.
CREATE OR REPLACE MACRO fill_user_template(tags, prompt, fields) AS
  array_to_string([coalesce(CASE WHEN p.field IS NULL THEN p.literal WHEN p.field = 'modality_tag' THEN tags
                                 WHEN p.field = 'prompt' THEN prompt ELSE fields[p.field] END, '')
                   FOR p IN user_template()], '');

-- Keys of `templates/prompts.yaml`: the modality and the language of a prompt.
CREATE OR REPLACE MACRO prompt_modality(m) AS
  CASE WHEN m IN ('audio', 'video', 'mixed', 'image') THEN m ELSE 'other' END;
CREATE OR REPLACE MACRO prompt_language(base_language) AS
  CASE WHEN asked_in() IS NOT NULL THEN asked_in()
       WHEN list_contains(asked_languages(), base_language) THEN base_language ELSE 'en' END;

-- The place of a phrasing among those of a prompt: the first, or chosen by a hash; rows of one sample have others.
CREATE OR REPLACE MACRO phrasing_of(id, part, phrasings) AS
  CASE WHEN has_varied_prompts()
       THEN (('0x' || sha256(prompt_seed() || ':prompt:' || id)[1:8])::UINTEGER::BIGINT + part) % phrasings ELSE 0 END;

-- Whether any of these fields contains the text.
CREATE OR REPLACE MACRO any_field_contains(names, fields, t) AS
  len([1 FOR name IN names IF contains(fields[name], t)]) > 0;

-- The answer field of a sample, by its name in `templates/prompts.yaml`; of several captions the first.
CREATE OR REPLACE MACRO answer_field(name, text, translation, answer, captions, labels, speaker, phones) AS
  CASE name WHEN 'text' THEN text WHEN 'translation' THEN translation WHEN 'answer' THEN answer
            WHEN 'captions' THEN first_text(captions) WHEN 'labels' THEN join_list(labels) WHEN 'speaker' THEN speaker
            WHEN 'phones' THEN array_to_string([p.text FOR p IN phones], ' ') END;

-- The options of a question as its answer is written; those of a conversation, whose answer is as it was given.
CREATE OR REPLACE MACRO requested_choices(choices, upper) AS
  CASE WHEN len(choices) > 0 AND chosen_text() <> 'raw' THEN [as_requested(c, upper) FOR c IN choices] ELSE choices END;
CREATE OR REPLACE MACRO answered_choices(messages, choices, upper) AS
  CASE WHEN has_turns(messages) THEN choices ELSE requested_choices(choices, upper) END;

-- The options of a question, one per line below the introduction; empty if there are none.
CREATE OR REPLACE MACRO choice_lines(choices, introduction) AS
  CASE WHEN coalesce(len(list_filter(choices, lambda c: c IS NOT NULL)), 0) = 0 THEN ''
       ELSE introduction || array_to_string([chr(10) || '- ' || c FOR c IN choices], '') END;

-- A conversation with the request's system turn, unless it already has a system turn.
CREATE OR REPLACE MACRO with_system_turn(turns) AS
  CASE WHEN chosen_system() IS NULL OR turns[1].role = 'system' THEN turns
       ELSE list_concat([{'role': 'system', 'content': chosen_system()}], turns) END;

-- A conversation with the fields of its messages that trainers read: `keys` is a JSON list, one object per message. The
-- fields are taken out of lists of their own: of the null structs that `list_zip` makes, DuckDB gives fields of other rows.
CREATE OR REPLACE MACRO loss_keys(keys) AS
  from_json(TRY_CAST(keys AS JSON), '[{"loss": "BOOLEAN", "loss_scale": "DOUBLE"}]');
CREATE OR REPLACE MACRO fitting_keys(keys, messages) AS CASE WHEN len(loss_keys(keys)) = len(messages) THEN loss_keys(keys) END;
CREATE OR REPLACE MACRO with_losses(messages, losses, scales) AS
  list_transform(messages, lambda m, i: {'role': m.role, 'content': m.content, 'loss': losses[i], 'loss_scale': scales[i]});
CREATE OR REPLACE MACRO with_loss_keys(messages, keys) AS
  with_losses(messages, [CASE WHEN k IS NOT NULL THEN k.loss END FOR k IN fitting_keys(keys, messages)],
              [CASE WHEN k IS NOT NULL THEN k.loss_scale END FOR k IN fitting_keys(keys, messages)]);

-- The keys of messages that `with_loss_keys` does not read, as `messages.name`; `loss` too if there is not one object
-- for each message.
CREATE OR REPLACE MACRO unread_message_keys(keys, messages) AS
  CASE WHEN keys IS NULL THEN []::VARCHAR[]
       ELSE ['messages.' || k
             FOR k IN list_distinct(flatten([json_keys(x) FOR x IN from_json(TRY_CAST(keys AS JSON), '["JSON"]')]))
             IF k NOT IN ('loss', 'loss_scale') OR len(loss_keys(keys)) IS DISTINCT FROM messages] END;

-- A conversation whose last turn has this text, and whose earlier answers have no reasoning if none is wanted.
CREATE OR REPLACE MACRO with_answer(messages, answer) AS
  list_transform(messages, lambda m, i: struct_update(m, content := CASE
    WHEN i = len(messages) THEN answer
    WHEN chosen_reasoning() = 'drop' AND m.role = 'assistant' THEN coalesce(without_thought(m.content), '')
    ELSE m.content END));

-- Pairs: whether an answer was liked, from a label; the chosen side; whether a row for KTO is that of the other side.
CREATE OR REPLACE MACRO label_of(t) AS
  CASE WHEN lower(trim(t)) IN ('true', '1') THEN true WHEN lower(trim(t)) IN ('false', '0') THEN false END;
CREATE OR REPLACE MACRO given_label(extra, labels) AS
  coalesce(label_of(extra['label']), label_of(extra['kto_tag']), CASE WHEN len(labels) = 1 THEN label_of(labels[1]) END);
CREATE OR REPLACE MACRO given_chosen(chosen) AS CASE WHEN takes_pairs() THEN not_blank(chosen) END;
CREATE OR REPLACE MACRO is_rejected_side(rejected, extra, labels) AS
  chosen_task() = 'kto' AND not_blank(rejected) IS NOT NULL AND NOT given_label(extra, labels);

-- Why two answers are no pair; null if they are one. `captions`: those of a sample that is to be described, each of which
-- is as good as the chosen one.
CREATE OR REPLACE MACRO no_pair_of(chosen, rejected, captions, upper) AS
  CASE WHEN not_blank(rejected) IS NULL THEN 'no_rejected'
       WHEN fold_spaces(chosen) = fold_spaces(rejected) THEN 'same_answers'
       WHEN len(captions) > 0 AND is_caption(without_thought(rejected), captions, upper) THEN 'same_answers'
       WHEN has_model_token(rejected) THEN 'model_token'
       WHEN has_tag(rejected) THEN 'tag_mismatch' END;

CREATE OR REPLACE MACRO is_caption(t, captions, upper) AS
  list_contains([fold_spaces(as_requested(c, upper)) FOR c IN captions], fold_spaces(as_requested(t, upper)));

-- What the chosen side of a pair is better at: stated, else a label, else what the request says; null if they say nothing
-- that is known, or two things.
CREATE OR REPLACE MACRO dimension_named(t) AS
  CASE WHEN regexp_replace(lower(trim(t)), '[ _-]+', '_', 'g') IN ('instruction', 'instruction_following') THEN 'instruction'
       WHEN lower(trim(t)) IN ('factuality', 'safety', 'helpfulness') THEN lower(trim(t)) END;
CREATE OR REPLACE MACRO one_dimension(named) AS CASE len(named) WHEN 0 THEN chosen_dimension() WHEN 1 THEN named[1] END;
CREATE OR REPLACE MACRO dimension_of(stated, labels) AS
  CASE WHEN not_blank(stated) IS NOT NULL THEN dimension_named(stated)
       ELSE one_dimension(list_distinct([dimension_named(x) FOR x IN coalesce(labels, []) IF dimension_named(x) IS NOT NULL]))
  END;

-- What stands beside media in pre-training: one message of its own, or what is said or seen in them. An answer says
-- nothing without its question.
CREATE OR REPLACE MACRO pretraining_text(text, captions, labels, translation, answer, messages) AS
  CASE WHEN len(messages) = 1 AND messages[1].role = 'assistant' THEN messages[1].content
       WHEN not_blank(text) IS NOT NULL THEN text
       WHEN not_blank(first_text(captions)) IS NOT NULL THEN first_text(captions)
       WHEN not_blank(answer) IS NOT NULL OR has_turns(messages) THEN NULL
       ELSE coalesce(not_blank(join_list(labels)), not_blank(translation)) END;

-- A text whose tags fit what is shown of a video with sound: its own sound as audio, nothing but the sound, or nothing
-- but the pictures.
CREATE OR REPLACE MACRO with_shown_tags(t, sound, sound_alone, sight_alone, audio_paths) AS
  CASE WHEN t IS NULL THEN t
       WHEN sight_alone THEN replace(t, '<audio>', '')
       WHEN NOT contains(t, '<video>') THEN t
       WHEN sound_alone AND sound = 'inside' THEN replace(t, '<video>', '<audio>')
       WHEN sound_alone THEN replace(t, '<video>', '')
       WHEN sound = 'inside' AND len(audio_paths) = 1 AND NOT contains(t, '<audio>')
         THEN replace(t, '<video>', '<video><audio>')
       ELSE t END;

-- Objects in images (`ref`, `bbox` ...), from JSON; null if they have no boxes of two or four numbers.
CREATE OR REPLACE MACRO read_objects(t) AS
  from_json(TRY_CAST(t AS JSON),
            '{"ref": ["VARCHAR"], "bbox": [["DOUBLE"]], "bbox_type": "VARCHAR", "image_id": ["BIGINT"]}');
CREATE OR REPLACE MACRO objects_of(t) AS
  CASE WHEN t IS NOT NULL AND len(list_filter(flatten(read_objects(t).bbox), lambda x: x IS NULL)) = 0
             AND len(list_filter(read_objects(t).bbox, lambda box: box IS NULL OR len(box) NOT IN (2, 4))) = 0
       THEN read_objects(t)
       ELSE NULL::STRUCT(ref VARCHAR[], bbox DOUBLE[][], bbox_type VARCHAR, image_id BIGINT[]) END;

-- The name under which a trainer reports the loss of a row. Tables and manifests keep the channel of a recording under
-- the same key: without a conversation, what `spans.channels_in` reads as a channel is one of the audio.
CREATE OR REPLACE MACRO loss_channel_of(t, messages) AS
  CASE WHEN has_turns(messages)
         OR NOT regexp_full_match(lower(trim(t)), '[a-h]|l|left|r|right|average|mean|mono|mix|all|both|[0-9\[\], ]+')
       THEN not_blank(t) END;

-- A conversation with media tags at the start of its first user turn, if `put` is true.
CREATE OR REPLACE MACRO with_tags_before_first_user_turn(messages, tags, put) AS
  list_transform(messages, lambda m, i: struct_update(m, content := CASE
    WHEN put AND i = list_position([n.role FOR n IN messages], 'user') THEN tags || m.content ELSE m.content END));

-- An alignment whose times count from the start of a part of the media: the items inside it, moved; null if none is.
CREATE OR REPLACE MACRO moved_alignment(items, start, seconds) AS
  nullif([{'text': i.text, 'start_s': round(greatest(i.start_s - start, 0), 6), 'end_s': round(least(i.end_s - start, seconds), 6)}
          FOR i IN items IF i.start_s IS NOT NULL AND i.end_s IS NOT NULL AND i.end_s > start AND i.start_s < start + seconds], []);

-- Names for Kaldi: no white space, no slash; the speaker is of one dataset, and the utterance begins with it. White space
-- is Unicode's, and control characters are some: toolkits in Python part lines at both.
CREATE OR REPLACE MACRO has_kaldi_space(t) AS regexp_matches(t, '[\x00-\x20\x{7F}-\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]');
CREATE OR REPLACE MACRO kaldi_name(t) AS regexp_replace(trim(t), '[\x00-\x20\x{7F}-\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}/\\|;]+', '-', 'g');
CREATE OR REPLACE MACRO kaldi_text(t) AS fold_spaces(regexp_replace(t, '[\x00-\x20\x{7F}-\x{9F}]+', ' ', 'g'));
CREATE OR REPLACE MACRO kaldi_utterance_of(dataset, id) AS
  kaldi_name(CASE WHEN starts_with(id, dataset || '/') THEN substr(id, len(dataset) + 2) ELSE id END);
CREATE OR REPLACE MACRO kaldi_speaker(dataset, speaker, id) AS
  dataset || '-' || CASE WHEN coalesce(speaker, '') <> '' THEN kaldi_name(speaker) ELSE kaldi_utterance_of(dataset, id) END;
CREATE OR REPLACE MACRO kaldi_utterance(dataset, speaker, id) AS
  dataset || '-' || CASE WHEN coalesce(speaker, '') <> '' THEN kaldi_name(speaker) || '-' ELSE '' END || kaldi_utterance_of(dataset, id);

-- Phones. A label as ARPABET has it, without case, stress (`AH0`) and position (`AH0_B`).
CREATE OR REPLACE MACRO phone_label(t) AS regexp_replace(lower(trim(t)), '^([a-z-]+?)[0-2]?(?:_[bies])?$', '\1');
CREATE OR REPLACE MACRO is_silence_label(t) AS phone_label(t) IN ('', 'sil', 'sp', 'silence', '<sil>', '<eps>');
-- A label in the chosen set: null if that does not have it, empty if it is to be left out.
CREATE OR REPLACE MACRO chosen_phone(t) AS
  CASE WHEN chosen_phones() <> 'own' THEN phone_of_label()[phone_label(t)]
       WHEN drops_silence() AND is_silence_label(t) THEN ''
       WHEN trim(t) <> coalesce(chosen_boundary(), '') AND NOT regexp_matches(trim(t), '\s|<|>') THEN trim(t) END;
-- Those of a span; one that it cuts belongs to it with its middle.
CREATE OR REPLACE MACRO phones_within(phones, low, high) AS
  list_filter(phones, lambda p: p.text IS NOT NULL AND (p.start_s IS NULL OR p.end_s IS NULL
    OR ((p.start_s + p.end_s) / 2 >= coalesce(low, 0) AND (p.start_s + p.end_s) / 2 < coalesce(high, 'inf'::DOUBLE))));
-- The number of the word that is said at a time; 0 if none is.
CREATE OR REPLACE MACRO word_at(words, t) AS
  coalesce(list_max(list_transform(words, lambda w, i:
    CASE WHEN w.start_s <= t AND t < w.end_s AND NOT is_silence_label(w.text) THEN i END)), 0);
-- The phones in the chosen set, in order, each with its word.
CREATE OR REPLACE MACRO folded_phones(phones, words) AS
  list_filter(list_transform(phones, lambda p: {
      'phone': chosen_phone(p.text),
      'word': CASE WHEN chosen_boundary() IS NULL THEN 0 ELSE word_at(words, (p.start_s + p.end_s) / 2) END}),
    lambda x: x.phone IS DISTINCT FROM '');
-- The phones as one text, with a boundary before the first phone of each word but the first.
CREATE OR REPLACE MACRO phone_text(folded) AS
  nullif(array_to_string(list_transform(folded, lambda x, i:
    CASE WHEN x.word > 0 AND list_max([y.word FOR y IN folded[:i - 1]]) BETWEEN 1 AND x.word - 1
         THEN chosen_boundary() || ' ' || x.phone ELSE x.phone END), ' '), '');
-- Whether the items of an alignment stand in the order of their times; and whether one that is said has no times.
CREATE OR REPLACE MACRO in_order(items) AS
  coalesce(list_reverse_sort([i.start_s FOR i IN items IF i.start_s IS NOT NULL]), [])
  = coalesce(list_reverse([i.start_s FOR i IN items IF i.start_s IS NOT NULL]), []);
CREATE OR REPLACE MACRO has_untimed(items) AS
  len(list_filter(items, lambda i: i.text IS NOT NULL AND NOT is_silence_label(i.text)
                                   AND NOT coalesce(i.end_s > i.start_s, false))) > 0;
-- Why phones cannot be learned from a sound; null if they can. Phones without times are those of a whole sound alone.
CREATE OR REPLACE MACRO no_phone_text(phones, folded, words, ends, is_part) AS
  CASE WHEN coalesce(len(folded), 0) = 0 THEN 'no_phones'
       WHEN NOT in_order(phones) THEN 'phones_out_of_order'
       WHEN is_part AND has_untimed(phones) THEN 'untimed_phone'
       WHEN chosen_boundary() IS NOT NULL AND has_untimed(words) THEN 'untimed_word'
       WHEN chosen_boundary() IS NOT NULL AND NOT in_order(words) THEN 'words_out_of_order'
       WHEN len(list_filter(folded, lambda x: x.phone IS NULL)) > 0 THEN 'unknown_phone'
       WHEN list_max([p.end_s FOR p IN phones]) > ends + 0.1 THEN 'phones_after_end'
       WHEN chosen_boundary() IS NOT NULL AND list_max([x.word FOR x IN folded]) = 0 THEN 'no_words' END;
CREATE OR REPLACE MACRO phone_prompt() AS coalesce(chosen_phone_prompt(), '请对该音频进行语音评测');
-- How a conversation is held: `voice-chat` if every user turn is sound alone, `analysis` if every user turn with sound has
-- text too, else `mixed`; null if it has no sound.
CREATE OR REPLACE MACRO is_sound_alone(t) AS contains(t, '<audio>') AND not_blank(replace(t, '<audio>', '')) IS NULL;
CREATE OR REPLACE MACRO has_words(t) AS
  not_blank(t) IS NOT NULL AND (NOT has_tag(t) OR not_blank(regexp_replace(t, '<(image|video|audio)>', '', 'g')) IS NOT NULL);
CREATE OR REPLACE MACRO is_sound_without_text(t) AS contains(t, '<audio>') AND NOT has_words(t);
CREATE OR REPLACE MACRO mode_of(turns) AS
  CASE WHEN len([1 FOR m IN turns IF m.role = 'user' AND contains(m.content, '<audio>')]) = 0 THEN NULL
       WHEN len([1 FOR m IN turns IF m.role = 'user' AND NOT is_sound_alone(m.content)]) = 0 THEN 'voice-chat'
       WHEN len([1 FOR m IN turns IF m.role = 'user' AND is_sound_without_text(m.content)]) = 0 THEN 'analysis'
       ELSE 'mixed' END;

-- The forms of conversations. `sharegpt_turn(m)` is made with the request: with the fields of loss if a message has any.
CREATE OR REPLACE MACRO system_of(turns) AS CASE WHEN turns[1].role = 'system' THEN turns[1].content END;
CREATE OR REPLACE MACRO without_system(turns) AS CASE WHEN turns[1].role = 'system' THEN turns[2:] ELSE turns END;
CREATE OR REPLACE MACRO sharegpt_turns(turns) AS [sharegpt_turn(m) FOR m IN turns];
CREATE OR REPLACE MACRO has_tool_turns(turns) AS
  list_has_any([m.role FOR m IN turns], ['tool_call', 'tool_response']);

-- Whether what is said to the model and what it says take turns, and it has the last word.
CREATE OR REPLACE MACRO has_pairs(turns) AS
  len(turns) > 0 AND len(turns) % 2 = 0
  AND len(list_filter(turns, lambda m, i: (i % 2 = 1) <> (m.role IN ('user', 'tool_response')) OR m.role = 'system')) = 0;

-- The exchanges before the last as pairs of question and answer; null if there are none.
CREATE OR REPLACE MACRO history_of(turns) AS
  CASE WHEN len(turns) > 2
       THEN [[turns[2 * i - 1].content, turns[2 * i].content] FOR i IN range(1, len(turns) // 2)] END;

-- The path of the one sound in the text of the first turn.
CREATE OR REPLACE MACRO inline_turns(turns, path) AS
  list_transform(turns, lambda m, i: {'from': m.role, 'value': CASE
    WHEN i = 1 THEN replace(m.content, '<audio>', '<audio>' || path || '</audio>') ELSE m.content END});

-- Contents as lists of parts, made as JSON text: texts are escaped in it, so that a raw control character can mark a medium.
-- At first there is a text on both sides of each mark; the empty ones are removed. The n-th tag of a kind in the
-- conversation is its n-th medium: `more` is null if there is at most one of each kind. A conversation with more tags than
-- media has no row; one in which nothing stands for a mark is null.
CREATE OR REPLACE MACRO json_text(t) AS coalesce(to_json(t)::VARCHAR, 'null');
CREATE OR REPLACE MACRO chat_message(role, content) AS '{"role":' || json_text(role) || ',"content":' || content || '}';
CREATE OR REPLACE MACRO text_parts(t) AS '[{"type":"text","text":' || json_text(t) || '}]';
CREATE OR REPLACE MACRO with_mark(parts, tag, mark) AS replace(parts, tag, '"},' || mark || ',{"type":"text","text":"');
CREATE OR REPLACE MACRO without_empty_texts(parts) AS
  replace(replace(parts, '{"type":"text","text":""},', ''), ',{"type":"text","text":""}', '');
CREATE OR REPLACE MACRO typed_content(t) AS
  CASE WHEN contains(t, '<')
       THEN without_empty_texts(with_mark(with_mark(with_mark(text_parts(t), '<image>', chr(1)), '<video>', chr(2)), '<audio>', chr(3)))
       ELSE text_parts(t) END;
CREATE OR REPLACE MACRO file_url(path) AS 'file://' || replace(url_encode(path), '%2F', '/');
CREATE OR REPLACE MACRO medium(kind, path, as_url) AS
  CASE WHEN as_url THEN '{"type":"' || kind || '_url","' || kind || '_url":{"url":' || json_text(file_url(path)) || '}}'
       ELSE '{"type":"' || kind || '","' || kind || '":' || json_text(path) || '}' END;
CREATE OR REPLACE MACRO with_media(t, mark, kind, media, more, as_url) AS
  where_any(media,
    where_any(more, array_to_string(list_transform(string_split(t, mark), lambda p, j:
                      CASE WHEN j = 1 THEN p ELSE medium(kind, media[j - 1], as_url) || p END), ''),
              replace(t, mark, medium(kind, media[1], as_url))),
    t);
CREATE OR REPLACE MACRO messages_with(messages, images, videos, audios, more, as_url) AS
  TRY_CAST('[' || with_media(with_media(with_media(array_to_string(messages, ','), chr(1), 'image', images, more, as_url),
                                        chr(2), 'video', videos, more, as_url),
                             chr(3), 'audio', audios, more, as_url) || ']' AS JSON);
CREATE OR REPLACE MACRO messages_with_media(messages, images, videos, audios, more) AS
  messages_with(messages, images, videos, audios, more, false);
CREATE OR REPLACE MACRO messages_with_urls(messages, images, videos, audios, more) AS
  messages_with(messages, images, videos, audios, more, true);

-- Tools: of each turn the calls that it says, or the call that it answers. What the assistant calls in a row is said by one
-- turn, the one before the calls if it is the assistant's: the others are `merged` into it. The n-th answer is that of the
-- n-th call. The texts are JSON.
CREATE OR REPLACE MACRO valid_json(t) AS CASE WHEN json_valid(t) THEN t END;
CREATE OR REPLACE MACRO call_function(call) AS json_text(json_extract_string(valid_json(call), '$.name'));
CREATE OR REPLACE MACRO call_arguments(call) AS
  coalesce(json_extract(valid_json(call), '$.arguments')::VARCHAR, '{}');
CREATE OR REPLACE MACRO turns_of_role(turns, wanted) AS list_filter(turns, lambda m: m.role = wanted);
CREATE OR REPLACE MACRO calls_from(turns, i) AS
  turns[i : i + coalesce(list_position([m.role = 'tool_call' FOR m IN turns[i:]], false) - 1, len(turns)) - 1];
CREATE OR REPLACE MACRO tool_turn_of(turns, m, i, first) AS {
  'merged': coalesce(m.role = 'tool_call' AND turns[i - 1].role IN ('assistant', 'tool_call'), false),
  'calls': CASE WHEN turns[first].role = 'tool_call' THEN list_transform(calls_from(turns, first), lambda c, n: {
             'number': len(turns_of_role(turns[:first - 1], 'tool_call')) + n, 'name': call_function(c.content),
             'arguments': call_arguments(c.content)}) END,
  'answered': CASE WHEN m.role = 'tool_response' THEN list_transform(
                     [len(turns_of_role(turns[:i], 'tool_response'))], lambda n: {
                       'number': n, 'name': call_function(turns_of_role(turns, 'tool_call')[n].content)})[1] END};
CREATE OR REPLACE MACRO tool_turns_of(turns) AS
  list_transform(turns, lambda m, i: tool_turn_of(turns, m, i, CASE WHEN m.role = 'assistant' THEN i + 1 ELSE i END));

-- Why turns of tools have no place in messages; null if they have. A call is a name and an object of arguments, and every
-- call has its answer, which is text.
CREATE OR REPLACE MACRO is_call(t) AS
  coalesce(len(list_filter(json_keys(valid_json(t)), lambda k: k NOT IN ('name', 'arguments'))) = 0
           AND json_type(valid_json(t), '$.name') = 'VARCHAR'
           AND coalesce(json_type(valid_json(t), '$.arguments'), 'OBJECT') = 'OBJECT', false);
CREATE OR REPLACE MACRO tool_letters(turns) AS array_to_string(
  [CASE m.role WHEN 'tool_call' THEN 'c' WHEN 'tool_response' THEN 'r' ELSE ' ' END FOR m IN turns], '');
CREATE OR REPLACE MACRO no_tools_of(turns) AS
  CASE WHEN len([1 FOR m IN turns IF m.role IN ('tool_call', 'tool_response') AND has_tag(m.content)]) > 0 THEN 'media_of_tools'
       WHEN len([1 FOR m IN turns IF m.role = 'tool_call' AND NOT is_call(m.content)]) > 0 THEN 'bad_tool_call'
       WHEN len([1 FOR t IN regexp_extract_all(tool_letters(turns), 'c+r*|r+')
                 IF len(replace(t, 'c', '')) <> len(replace(t, 'r', ''))]) > 0 THEN 'calls_without_answers' END;

-- Messages with tools: servers want calls with ids, and arguments as a text; templates want arguments as an object.
CREATE OR REPLACE MACRO calls_for_servers(calls) AS array_to_string(
  ['{"id":"call_' || c.number || '","type":"function","function":{"name":' || c.name || ',"arguments":'
   || json_text(c.arguments) || '}}' FOR c IN calls], ',');
CREATE OR REPLACE MACRO calls_for_templates(calls) AS array_to_string(
  ['{"type":"function","function":{"name":' || c.name || ',"arguments":' || c.arguments || '}}' FOR c IN calls], ',');
CREATE OR REPLACE MACRO tool_message(role, content, unsaid, calls, answered) AS
  CASE WHEN calls IS NOT NULL THEN '{"role":"assistant","content":' || CASE role WHEN 'tool_call' THEN unsaid ELSE content END
                                   || ',"tool_calls":[' || calls || ']}'
       WHEN answered IS NOT NULL THEN '{"role":"tool",' || answered || ',"content":' || content || '}'
       ELSE chat_message(role, content) END;
CREATE OR REPLACE MACRO said_turns(turns, tools) AS list_filter(range(1, len(turns) + 1), lambda i: NOT tools[i].merged);
CREATE OR REPLACE MACRO server_messages(turns, tools, contents) AS
  list_transform(said_turns(turns, tools), lambda i: tool_message(turns[i].role, contents[i], 'null',
    calls_for_servers(tools[i].calls), '"tool_call_id":"call_' || tools[i].answered.number || '"'));
CREATE OR REPLACE MACRO template_messages(turns, tools, contents, unsaid) AS
  list_transform(said_turns(turns, tools), lambda i: tool_message(turns[i].role, contents[i], unsaid,
    calls_for_templates(tools[i].calls), '"name":' || tools[i].answered.name));

-- The tools of a conversation as servers take them, from JSON: a function by itself is put into its type; null if they are
-- no functions with names.
CREATE OR REPLACE MACRO server_tool(tool) AS
  CASE WHEN json_type(tool, '$.function.name') = 'VARCHAR' THEN tool::VARCHAR
       WHEN json_type(tool, '$.name') = 'VARCHAR' AND json_type(tool, '$.function') IS NULL
         THEN '{"type":"function","function":' || tool::VARCHAR || '}' END;
CREATE OR REPLACE MACRO listed_tools(tools) AS
  from_json(CASE WHEN json_type(valid_json(tools)) = 'ARRAY' THEN valid_json(tools) ELSE '[' || valid_json(tools) || ']' END,
            '["JSON"]');
CREATE OR REPLACE MACRO server_tools(tools) AS
  CASE WHEN len(listed_tools(tools)) > 0 AND len([1 FOR t IN listed_tools(tools) IF server_tool(t) IS NULL]) = 0
       THEN CAST('[' || array_to_string([server_tool(t) FOR t IN listed_tools(tools)], ',') || ']' AS JSON) END;

CREATE OR REPLACE MACRO text_or_parts(t) AS CASE WHEN has_tag(t) THEN typed_content(t) ELSE json_text(t) END;
CREATE OR REPLACE MACRO typed_turns(turns) AS [chat_message(m.role, typed_content(m.content)) FOR m IN turns];
CREATE OR REPLACE MACRO mixed_turns(turns) AS [chat_message(m.role, text_or_parts(m.content)) FOR m IN turns];
CREATE OR REPLACE MACRO typed_messages(turns, images, videos, audios, more) AS
  messages_with_media(typed_turns(turns), images, videos, audios, more);
CREATE OR REPLACE MACRO trl_messages(turns, images, videos, audios, more) AS
  messages_with_media(mixed_turns(turns), images, videos, audios, more);
CREATE OR REPLACE MACRO url_messages(turns, images, videos, audios, more) AS
  messages_with_urls(mixed_turns(turns), images, videos, audios, more);

-- Where no conversation of a request calls a tool, `tools` is a null, and nothing of the first is ever bound.
CREATE OR REPLACE MACRO where_tools(tools, with_tools, plain) AS
  CASE WHEN tools IS NOT NULL THEN with_tools ELSE plain END;
CREATE OR REPLACE MACRO typed_tool_turns(turns, tools) AS
  template_messages(turns, tools, [typed_content(m.content) FOR m IN turns], '[]');
CREATE OR REPLACE MACRO mixed_tool_turns(turns, tools) AS
  template_messages(turns, tools, [text_or_parts(m.content) FOR m IN turns], '""');
CREATE OR REPLACE MACRO served_tool_turns(turns, tools) AS
  server_messages(turns, tools, [text_or_parts(m.content) FOR m IN turns]);
