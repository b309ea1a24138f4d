-- name: phoneme
-- revision: 3
-- order: hash
-- text: raw
-- format: phoneme
-- consumer: ms-swift
-- media: audio
-- options: phones, word_boundaries, drop_silence, phone_prompt
--
-- The phones of an utterance as the answer of a conversation, in the form of Qwen2-Audio: `audio`, and `conversations` of
-- human and gpt with one tag. Phones are those of the alignment, in the chosen set; `phones.json` beside these rows is
-- their inventory. `seconds` is how long the sound is.

SELECT id,
       audio_paths[1] AS audio,
       [{'from': 'human', 'value': '<audio>' || chr(10) || phone_prompt()},
        {'from': 'gpt', 'value': phone_text(folded_phones(phones_within(phones, start_s, end_s), words))}] AS conversations,
       chosen_phones() AS phone_set,
       round(coalesce(end_s, audio.duration, audio_frames / audio_rate) - coalesce(start_s, 0), 3) AS seconds,
       CASE WHEN video_paths IS NOT NULL THEN 'video_unsupported'
            WHEN image_paths IS NOT NULL THEN 'image_unsupported'
            WHEN audio_paths IS NULL THEN 'no_audio'
            WHEN len(audio_paths) > 1 THEN 'more_than_one_medium'
            WHEN no_sound IS NOT NULL THEN no_sound
            ELSE no_phone_text(phones_within(phones, start_s, end_s),
                               folded_phones(phones_within(phones, start_s, end_s), words), words,
                               coalesce(end_s, audio.duration, audio_frames / audio_rate),
                               start_s IS NOT NULL OR end_s IS NOT NULL) END AS skip
FROM prepared
