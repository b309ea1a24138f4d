-- How many tokens media become in a model, from the headers of files: closed formulas, each stated here only.
--
-- Sources: the processors of transformers 5.23 (qwen2_audio, qwen2_5_omni, qwen3_omni_moe), the published checkpoints'
-- preprocessor_config.json, and qwen-omni-utils 0.0.9, with which ms-swift 4.6 samples and resizes frames. Divisions
-- are of numbers that are never negative, where DuckDB's // rounds as Python's does. Null is what no header says, and
-- media that the model's own code refuses.

-- Samples at 16 kHz after resampling, as librosa counts them: in floating point, and rounded up.
CREATE OR REPLACE MACRO resampled_length(frames, sample_rate) AS
  CASE WHEN frames > 0 AND sample_rate > 0
       THEN ceil(frames::DOUBLE * (16000.0::DOUBLE / sample_rate::DOUBLE))::BIGINT END;
-- A clip whose header gives seconds only; a span of one, as it is cut; a clip without a span.
CREATE OR REPLACE MACRO length_of_seconds(s) AS CASE WHEN s > 0 THEN ceil(round(s * 16000, 3))::BIGINT END;
CREATE OR REPLACE MACRO length_of_span(total, start_s, end_s) AS
  greatest(least(round_even(coalesce(end_s, 1e9) * 16000, 0)::BIGINT, total)
           - round_even(coalesce(start_s, 0) * 16000, 0)::BIGINT, 0);

-- Mel frames of a clip of n samples: one per 160 samples. Qwen2-Audio and Qwen2.5-Omni pad to the longest that their
-- extractor takes (30 s and 300 s) and cut what is longer. Qwen3-Omni cuts nothing and drops an incomplete frame;
-- reflection at the edges needs more than 200 samples. (In a batch without ms-swift's trimming, transformers gives
-- least(ceil(n / 160), floor(longest / 160)): one frame more for some clips.)
CREATE OR REPLACE MACRO mel_frames_qwen2_audio(n) AS CASE WHEN n > 480000 THEN 3000 ELSE (n + 159) // 160 END;
CREATE OR REPLACE MACRO mel_frames_qwen2_5_omni(n) AS CASE WHEN n > 4800000 THEN 30000 ELSE (n + 159) // 160 END;
CREATE OR REPLACE MACRO mel_frames_qwen3_omni(n) AS CASE WHEN n > 200 THEN n // 160 END;

-- Audio tokens of l mel frames. A convolution and a pooling of stride 2: ((l-1)//2+1-2)//2+1 in Python, whose division
-- rounds down. Qwen3-Omni: three convolutions of stride 2 over windows of 100 frames, 13 tokens each.
CREATE OR REPLACE MACRO encoded_qwen2_audio(l) AS (l + 1) // 4;
CREATE OR REPLACE MACRO encoded_qwen2_5_omni(l) AS encoded_qwen2_audio(l);
CREATE OR REPLACE MACRO encoded_qwen3_omni(l) AS (l // 100) * 13 + (l % 100 + 7) // 8;

CREATE OR REPLACE MACRO audio_tokens_qwen2_audio(n) AS encoded_qwen2_audio(mel_frames_qwen2_audio(n));
CREATE OR REPLACE MACRO audio_tokens_qwen2_5_omni(n) AS encoded_qwen2_5_omni(mel_frames_qwen2_5_omni(n));
CREATE OR REPLACE MACRO audio_tokens_qwen3_omni(n) AS encoded_qwen3_omni(mel_frames_qwen3_omni(n));

-- Frames that a model sees of a video: 2 a second, at least 4, at most 768 and no more than there are; an even number.
CREATE OR REPLACE MACRO sampled_frames(frames, fps) AS
  CASE WHEN frames >= 2 AND fps > 0
       THEN 2 * floor(least(greatest(frames::DOUBLE / fps::DOUBLE * 2.0::DOUBLE, 4), 2 * (least(768, frames) // 2),
                            frames) / 2)::BIGINT END;

-- The size of a frame or an image as the model sees it: sides that are multiples of `side` (the patch's, times 2 that
-- are merged), with as many pixels as allowed, in the same proportion; refused beyond 200 : 1. As tokens of one frame.
CREATE OR REPLACE MACRO resized_tokens(width, height, side, least_pixels, most_pixels) AS
  CASE WHEN width > 0 AND height > 0 AND greatest(width, height)::DOUBLE / least(width, height) <= 200
       THEN CASE WHEN nearest_sides(height, side) * nearest_sides(width, side) * (side * side) > most_pixels
                 THEN floor(height / sqrt(height * width / most_pixels::DOUBLE) / side)::BIGINT
                      * floor(width / sqrt(height * width / most_pixels::DOUBLE) / side)::BIGINT
                 WHEN nearest_sides(height, side) * nearest_sides(width, side) * (side * side) < least_pixels
                 THEN ceil(height * sqrt(least_pixels / (height * width)::DOUBLE) / side)::BIGINT
                      * ceil(width * sqrt(least_pixels / (height * width)::DOUBLE) / side)::BIGINT
                 ELSE nearest_sides(height, side) * nearest_sides(width, side) END END;
CREATE OR REPLACE MACRO nearest_sides(pixels, side) AS greatest(1, round_even(pixels::DOUBLE / side, 0)::BIGINT);

-- Tokens of an image: 4 to 16,384.
CREATE OR REPLACE MACRO image_tokens_of(width, height, side) AS
  resized_tokens(width::BIGINT, height::BIGINT, side, 4 * side * side, 16384 * side * side);

-- Tokens of a video of which n frames are seen: pairs of frames of 128 to 768 tokens each; long videos share 90 % of
-- 128,000 tokens, but never below 1.05 times the least.
CREATE OR REPLACE MACRO most_pixels_of(n, side) AS
  greatest(least(768 * side * side, 128000 * side * side * 0.9::DOUBLE / n * 2), floor(128 * side * side * 1.05::DOUBLE));
CREATE OR REPLACE MACRO video_tokens_of(n, width, height, side) AS
  n // 2 * resized_tokens(width::BIGINT, height::BIGINT, side, 128 * side * side, most_pixels_of(n, side));

-- Frames of a span of a video whose frames have equal distances.
CREATE OR REPLACE MACRO frames_of_span(frames, fps, start_s, end_s) AS
  greatest(least(ceil(round(coalesce(end_s, 1e9) * fps, 6))::BIGINT, frames)
           - ceil(round(coalesce(start_s, 0) * fps, 6))::BIGINT, 0);
