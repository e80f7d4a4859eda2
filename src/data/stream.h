/* stream: a text as streams that are read side by side, inside data only. */
#ifndef CR_DATA_STREAM_H
#define CR_DATA_STREAM_H

#include "colrow/data.h"

/* What becomes of the words at a stream's end that fill no whole window. */
typedef enum cr_stream_end { CR_STREAM_DROP, CR_STREAM_KEEP } cr_stream_end;

/* Cut the text of `part`, whose windows have part->h words, into part->text.streams: fill `length`
 * and part->count. `what` names the key that says how many streams, and `path` the text.
 * CR_BAD_CONFIG when the text is too short for them. */
cr_status cr_stream_cut(cr_data_part *part, cr_stream_end end, const char *what, const char *path);

/* cr_data_fetch for a text. */
void cr_stream_fetch(float *x, int *labels, const cr_data_view *view, int64_t first, int rows);

#endif
