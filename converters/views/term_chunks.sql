-- name: term-chunks
-- revision: 4
-- order: hash
-- text: raw
-- format: term-chunks
-- media: audio
-- options: glossary, aliases, term_field, occurrences, context, no_term_share, test_terms, unseen_terms
-- optional: unseen_terms
--
-- Chunks for retrieving terms from speech: a term of a glossary with its context, cut from its utterance by the times of
-- its words, and some chunks that name no term. `term_level_chunks_<split>.json` beside these rows has them as InfiniSST
-- reads them, with `audio` named `term_chunk_audio`; `glossary.json`, `alt2main.json`, `glossary_term2idx.json` and
-- `term_set.txt` are its other files. Times count from the start of the utterance, those in `_abs` from the start of the
-- file; `extended_*` is what was cut, `actual_extended_*` what the context asked for.
-- Rows are made in views/terms: the column `chunk` is there in exports only.

SELECT id,
       chunk.segment_id AS segment_id,
       chunk.split AS split,
       audio_paths[1] AS audio,
       text AS term_chunk_text,
       chunk.terms AS term_chunk_audio_ground_truth_terms,
       chunk.other_terms AS other_terms,
       chunk.unseen_terms AS unseen_terms,
       chunk.term_start_time AS term_start_time,
       chunk.term_end_time AS term_end_time,
       chunk.term_start_time_abs AS term_start_time_abs,
       chunk.term_end_time_abs AS term_end_time_abs,
       chunk.term_duration AS term_duration,
       chunk.extended_start_time AS extended_start_time,
       chunk.extended_end_time AS extended_end_time,
       chunk.extended_duration AS extended_duration,
       chunk.context_seconds AS context_seconds,
       chunk.actual_extended_start AS actual_extended_start,
       chunk.actual_extended_end AS actual_extended_end,
       chunk.is_no_term_chunk AS is_no_term_chunk,
       CASE WHEN chunk IS NULL THEN 'export_only'
            WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound END AS skip
FROM prepared
