/*
 * stream: a text of N words in S streams of L = floor((N - 1) / S) words, cut one after another; it
 * is read window by window of T words, all streams side by side:
 *
 *     x[s, t]     = word s L + w T + t         of window w, stream s, step t
 *     label[s, t] = the word after it
 *
 * What is left of the text behind the last stream is not read. In training a stream ends with its
 * last whole window, in evaluation with a shorter one.
 */
#include "stream.h"

/* Streams of one word at least, or of a whole window where what is shorter is dropped. */
cr_status cr_stream_cut(cr_data_part *part, cr_stream_end end, const char *what, const char *path)
{
    cr_data_text *text = &part->text;
    int least = end == CR_STREAM_DROP ? part->h : 1;
    text->length = (text->count - 1) / text->streams;
    CR_CHECK(text->length >= least, CR_BAD_CONFIG,
             "%s: expected streams of at least %d words, found %lld words for %d of them in %s, "
             "enough for %lld",
             what, least, (long long)text->count, text->streams, path,
             (long long)((text->count - 1) / least));
    int64_t windows = (text->length + (end == CR_STREAM_KEEP ? part->h - 1 : 0)) / part->h;
    part->count = windows * text->streams;
    CR_CHECK(part->count <= UINT32_MAX, CR_BAD_CONFIG,
             "%s: expected at most %u windows of %d words, found %lld in %s", what, UINT32_MAX,
             part->h, (long long)part->count, path);
    return CR_OK;
}

int64_t cr_data_side(const cr_data_part *part)
{
    return part->text.tokens != NULL ? part->text.streams : part->count;
}

int cr_data_steps(const cr_data_part *part, int64_t sample)
{
    if (part->text.tokens == NULL)
        return 1;
    int64_t left = part->text.length - sample / part->text.streams * part->h;
    return left < part->h ? (int)left : part->h;
}

void cr_stream_fetch(float *x, int *labels, const cr_data_view *view, int64_t first, int rows)
{
    const cr_data_part *part = view->part;
    const cr_data_text *text = &part->text;
    int steps = rows > 0 ? cr_data_steps(part, first) : 0;
    for (int row = 0; row < rows; row++) {
        int64_t sample = view->order != NULL ? view->order[first + row] : first + row;
        int64_t window = sample / text->streams;
        const uint32_t *from =
            text->tokens + sample % text->streams * text->length + window * part->h;
        CR_ASSERT(cr_data_steps(part, sample) == steps);
        for (int t = 0; t < steps; t++) {
            x[row * steps + t] = (float)from[t];
            labels[row * steps + t] = (int)from[t + 1];
        }
    }
}
