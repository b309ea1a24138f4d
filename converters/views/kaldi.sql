-- name: kaldi
-- revision: 3
-- order: id
-- text: clean
-- format: kaldi
-- consumer: lhotse
-- media: audio
-- optional: gender
--
-- Utterances for a Kaldi data directory: `wav.scp, text, utt2spk, spk2utt, utt2dur, utt2lang` beside these rows, in
-- the byte order that Kaldi's tools demand. The utterance begins with its speaker; `utt2id` gives the sample's id
-- back. A sample without a speaker is its own speaker, as Kaldi's recipes do it. `text` is what is said: of a sample
-- whose text is a caption there is no row.
-- Source: Kaldi, "Data preparation", and utils/validate_data_dir.sh.

SELECT id,
       kaldi_speaker(dataset, speaker, id) AS speaker,
       kaldi_utterance(dataset, speaker, id) AS utterance,
       audio_paths[1] AS audio,
       round(audio_frames / audio_rate, 4) AS duration,
       kaldi_text(as_requested(text, upper)) AS text,
       nullif(language, '') AS language,
       CASE WHEN lower(extra['gender'])[1] IN ('m', 'f') THEN lower(extra['gender'])[1] END AS gender,
       CASE WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN audio_frames IS NULL OR audio_rate IS NULL THEN 'unknown_length'
            WHEN no_sound IS NOT NULL THEN no_sound
            WHEN has_kaldi_space(audio_paths[1]) THEN 'space_in_path'
            WHEN not_blank(kaldi_text(text)) IS NULL THEN 'no_text'
            WHEN NOT is_spoken(effective_task) THEN 'no_transcript' END AS skip
FROM prepared
