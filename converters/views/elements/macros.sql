-- Macros of views. The options of a request are macros too, created by `views/prepare.py`:
--   chosen_task()        `sft`, `grpo` or null             chosen_text()     `raw` or `clean`
--   chosen_system()      the system message, or null       user_template()   its pieces, or null
--   template_has_tags()  whether the template contains {modality_tag}
--   leak_fields()        fields of the template that could contain the answer
--   chosen_reasoning()   `think`, `drop` or `column`
--   chosen_av()          `separate`, `in-video` or `sound-only`
--   chosen_modality()    `own`, `audio`, `video` or `av`
--   asked_in()           the language in which tasks are asked, or null
--   asked_languages()    the languages that prompts have
--   has_varied_prompts() whether one of several phrasings is chosen, with prompt_seed()
--   evaluation_pieces()  pieces of the prompts of evaluation lists, by task
--   evaluation_languages()   names of target languages in these prompts, by code
--   switches()           the names of the view's own options that are on
--   model_token()        the regular expression of a model's own tokens
-- They are constants: branches that they exclude cost nothing.

-- Compute a value that several columns use only once: DuckDB merges the layers of a query and would repeat the
-- expression for every use, unless it calls a function that is not deterministic.
CREATE OR REPLACE MACRO compute_once(x) AS CASE WHEN random() >= 0 THEN x END;

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

-- Join a list to one text.
CREATE OR REPLACE MACRO join_list(l) AS array_to_string(l, ', ');

-- The primary subtag of a language: `zh` for `zh-HK`, `zh_CN` and `cmn`; empty if there is no language.
CREATE OR REPLACE MACRO primary_subtag(l) AS split_part(replace(lower(coalesce(l, '')), '_', '-'), '-', 1);
CREATE OR REPLACE MACRO language_of(l) AS CASE primary_subtag(l) WHEN 'cmn' THEN 'zh' ELSE primary_subtag(l) END;

-- A sample's task; inferred from its fields if the data has none. More than one exchange is a `chat`.
CREATE OR REPLACE MACRO task_of(task, question, answer, modality, messages) AS
  CASE WHEN coalesce(task, '') <> '' THEN task
       WHEN len(messages) > 2 AND len([1 FOR m IN messages IF m.role <> 'system']) > 2 THEN 'chat'
       WHEN coalesce(question, '') <> '' AND coalesce(answer, '') <> '' THEN 'qa'
       WHEN modality = 'audio' THEN 'asr' ELSE 'captioning' END;

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
CREATE OR REPLACE MACRO has_turns(messages) AS coalesce(len(messages), 0) > 0;
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

-- An answer with its reasoning where the request wants it: in front of it, or not in it.
CREATE OR REPLACE MACRO with_reasoning(answer, reasoning) AS
  CASE WHEN chosen_reasoning() <> 'think' THEN without_thought(answer)
       WHEN has_thought(answer) OR not_blank(reasoning) IS NULL THEN answer
       ELSE '<think>' || reasoning || '</think>' || answer END;

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
            WHEN 'captions' THEN captions[1] WHEN 'labels' THEN join_list(labels) WHEN 'speaker' THEN speaker
            WHEN 'phones' THEN array_to_string([p.text FOR p IN phones], ' ') END;

-- The options of a question, one per line below the introduction; empty if there are none.
CREATE OR REPLACE MACRO choice_lines(choices, introduction) AS
  CASE WHEN coalesce(len(list_filter(choices, lambda c: c IS NOT NULL)), 0) = 0 THEN ''
       ELSE introduction || array_to_string([chr(10) || '- ' || c FOR c IN choices], '') END;

-- A conversation with the request's system turn, unless it already has a system turn.
CREATE OR REPLACE MACRO with_system_turn(turns) AS
  CASE WHEN chosen_system() IS NULL OR turns[1].role = 'system' THEN turns
       ELSE list_concat([turn('system', chosen_system())], turns) END;

-- A conversation with the fields of its messages that trainers read: `keys` is a JSON list, one object per message.
CREATE OR REPLACE MACRO loss_keys(keys) AS
  from_json(TRY_CAST(keys AS JSON), '[{"loss": "BOOLEAN", "loss_scale": "DOUBLE"}]');
CREATE OR REPLACE MACRO with_loss_keys(messages, keys) AS
  CASE WHEN messages IS NOT NULL
       THEN [{'role': pair[1].role, 'content': pair[1].content, 'loss': pair[2].loss, 'loss_scale': pair[2].loss_scale}
             FOR pair IN list_zip(messages, CASE WHEN len(loss_keys(keys)) = len(messages) THEN loss_keys(keys) END)] END;

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
       THEN read_objects(t) END;

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

-- Names for Kaldi: no white space, no slash; the speaker is of one dataset, and the utterance begins with it.
CREATE OR REPLACE MACRO kaldi_name(t) AS regexp_replace(trim(t), '[\s/\\|;]+', '-', 'g');
CREATE OR REPLACE MACRO kaldi_utterance_of(dataset, id) AS
  kaldi_name(CASE WHEN starts_with(id, dataset || '/') THEN substr(id, len(dataset) + 2) ELSE id END);
CREATE OR REPLACE MACRO kaldi_speaker(dataset, speaker, id) AS
  dataset || '-' || CASE WHEN coalesce(speaker, '') <> '' THEN kaldi_name(speaker) ELSE kaldi_utterance_of(dataset, id) END;
CREATE OR REPLACE MACRO kaldi_utterance(dataset, speaker, id) AS
  dataset || '-' || CASE WHEN coalesce(speaker, '') <> '' THEN kaldi_name(speaker) || '-' ELSE '' END || kaldi_utterance_of(dataset, id);
