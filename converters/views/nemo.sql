-- name: nemo
-- revision: 3
-- order: id
-- text: clean
-- format: nemo
-- media: audio
-- optional: source_lang, target_lang, taskname, pnc, speaker, lang
--
-- Utterances for NeMo: `nemo_manifest.json` beside these rows is the manifest, with `audio` named `audio_filepath`. A
-- translation has Canary's fields (`taskname, source_lang, target_lang`) and its text is the translation; `lang` is the
-- language of the text, by which NeMo chooses a tokenizer, and `pnc` says whether it has punctuation or capitals. Durations are of the
-- file named, which is cut where a sample is a span. `text` is what is said or its translation: of a sample whose text is
-- a caption there is no row.
-- Source: NeMo's documentation of ASR datasets and of Canary, and nemo/collections/common/parts/preprocessing/manifest.py.

SELECT id,
       audio_paths[1] AS audio,
       round(audio_frames / audio_rate, 4) AS duration,
       coalesce(as_requested(CASE WHEN effective_task = 's2tt' THEN translation ELSE text END, upper), '') AS text,
       nullif(CASE WHEN effective_task = 's2tt' THEN target_language ELSE language END, '') AS lang,
       nullif(speaker, '') AS speaker,
       CASE WHEN effective_task = 's2tt' THEN 's2t_translation' END AS taskname,
       CASE WHEN effective_task = 's2tt' THEN nullif(language, '') END AS source_lang,
       CASE WHEN effective_task = 's2tt' THEN nullif(target_language, '') END AS target_lang,
       CASE WHEN effective_task = 's2tt' THEN
         CASE WHEN regexp_matches(translation, '[.,?!。，？！]') OR translation <> lower(translation) THEN 'yes' ELSE 'no' END
       END AS pnc,
       CASE WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN audio_frames IS NULL OR audio_rate IS NULL THEN 'unknown_length'
            WHEN effective_task = 's2tt' AND not_blank(translation) IS NULL THEN 'no_text'
            WHEN effective_task = 's2tt' AND nullif(target_language, '') IS NULL THEN 'no_target_language'
            WHEN effective_task <> 's2tt' AND not_blank(text) IS NULL THEN 'no_text'
            WHEN NOT is_spoken(effective_task) THEN 'no_transcript' END AS skip
FROM prepared
