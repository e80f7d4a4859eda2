/*
 * text: words and what comes after them, from three files of text in data.path: train.txt,
 * valid.txt and test.txt, or those names with "ptb." before them, plain or gzip.
 *
 * The vocabulary is that of the training text, numbered by frequency. A word of the others that is
 * not in it counts as <unk>, where the training text has that.
 */
#include "lexer.h"
#include "source.h"
#include "stream.h"
#include "vocabulary.h"

#include <stdio.h>
#include <string.h>

typedef struct text_set {
    const cr_data_options *options;
    char paths[SOURCE_TEXTS][CR_PATH_MAX];
    cr_vocabulary vocabulary;
    cr_lexer lexer; /* of the file under way; large, so kept here */
} text_set;

/* How a part is cut into streams. */
static const struct {
    const char *name, *key;
    cr_stream_end end;
} kinds[] = {[SOURCE_TRAIN] = {"train.txt", "batch", CR_STREAM_DROP},
             [SOURCE_VALID] = {"valid.txt", "evaluate.streams", CR_STREAM_KEEP},
             [SOURCE_TEST] = {"test.txt", "evaluate.streams", CR_STREAM_KEEP}};

/* ---- where they are -------------------------------------------------------------------------- */

static cr_status find_files(text_set *set)
{
    static const char *const before[] = {"ptb.", ""};
    char found[CR_PATH_MAX];
    char name[CR_WORD_MAX];
    const char *folder = set->options->path;
    int which = 0;
    for (; which < 2; which++) {
        (void)snprintf(name, sizeof name, "%s%s", before[which], kinds[SOURCE_TRAIN].name);
        CR_TRY(cr_path_join(set->paths[SOURCE_TRAIN], folder, name));
        if (cr_reader_find(found, set->paths[SOURCE_TRAIN]))
            break;
    }
    CR_CHECK(which < 2, CR_BAD_DATA,
             "%s: expected train.txt or ptb.train.txt, plain or .gz, found neither", folder);
    for (int i = 0; i < SOURCE_TEXTS; i++) {
        (void)snprintf(name, sizeof name, "%s%s", before[which], kinds[i].name);
        CR_TRY(cr_path_join(set->paths[i], folder, name));
    }
    return CR_OK;
}

/* ---- what there is --------------------------------------------------------------------------- */

/* Read a text through: its length and hash, and into `vocabulary` its words, unless that is NULL.
 */
static cr_status count_words(cr_data_text *text, cr_lexer *lexer, const char *path,
                             cr_vocabulary *vocabulary)
{
    cr_status status = CR_OK;
    bool found = true;
    CR_TRY_GOTO(cr_lexer_open(lexer, path));
    CR_TRY_GOTO(cr_lexer_next(lexer, &found));
    for (; found; text->count++) {
        text->hash = cr_hash(lexer->word, (size_t)lexer->length, text->hash);
        if (vocabulary != NULL)
            CR_TRY_GOTO(cr_vocabulary_add(vocabulary, lexer->word, lexer->length));
        CR_TRY_GOTO(cr_lexer_next(lexer, &found));
    }
    CR_CHECK_GOTO(text->count > 0, CR_BAD_DATA, "%s: expected a text, found no word in it",
                  lexer->reader.path);
done:
    cr_lexer_close(lexer);
    return status;
}

static cr_status describe_part(text_set *set, cr_data_part *part, int which)
{
    const char *path = set->paths[which];
    bool trains = which == SOURCE_TRAIN;
    CR_TRY(count_words(&part->text, &set->lexer, path, trains ? &set->vocabulary : NULL));
    int words = set->vocabulary.count; /* the training text comes first */
    CR_CHECK(words <= CR_VOCABULARY_MOST, CR_BAD_DATA,
             "%s: expected at most %d different words, found %d", path, CR_VOCABULARY_MOST, words);
    CR_CHECK(part->classes == 0 || part->classes >= words, CR_BAD_CONFIG,
             "network: expected a vocabulary of at least the %d words of %s, found %d", words, path,
             part->classes);
    if (part->classes == 0)
        part->classes = words;
    return cr_stream_cut(part, kinds[which].end, kinds[which].key, path);
}

static cr_status describe(void *self, cr_data_part parts[])
{
    text_set *set = self;
    CR_TRY(find_files(set));
    for (int i = 0; i < SOURCE_TEXTS; i++)
        CR_TRY(describe_part(set, &parts[i], i));
    cr_vocabulary_sort(&set->vocabulary);
    return CR_OK;
}

/* ---- its words as numbers -------------------------------------------------------------------- */

/* The number of the word under way. */
static cr_status encode(uint32_t *token, const text_set *set)
{
    const cr_lexer *lexer = &set->lexer;
    int number = cr_vocabulary_find(&set->vocabulary, lexer->word, lexer->length);
    if (number < 0)
        number = cr_vocabulary_find(&set->vocabulary, CR_LEXER_OTHER, (int)strlen(CR_LEXER_OTHER));
    CR_CHECK(number >= 0, CR_BAD_DATA,
             "%s:%lld: expected a word of the training text, which has no " CR_LEXER_OTHER
             ", found '%.*s'",
             lexer->reader.path, (long long)lexer->line, lexer->length, lexer->word);
    *token = (uint32_t)number;
    return CR_OK;
}

static cr_status fill(void *self, void *values, uint8_t *labels, const cr_data_part *part,
                      int which)
{
    (void)labels;
    text_set *set = self;
    uint32_t *tokens = values;
    cr_status status = CR_OK;
    bool found = true;
    int64_t count = 0;
    CR_TRY_GOTO(cr_lexer_open(&set->lexer, set->paths[which]));
    CR_TRY_GOTO(cr_lexer_next(&set->lexer, &found));
    for (; found && count < part->text.count; count++) {
        CR_TRY_GOTO(encode(&tokens[count], set));
        CR_TRY_GOTO(cr_lexer_next(&set->lexer, &found));
    }
    CR_CHECK_GOTO(!found && count == part->text.count, CR_BAD_DATA,
                  "%s: expected the %lld words read before, found another number",
                  set->lexer.reader.path, (long long)part->text.count);
done:
    cr_lexer_close(&set->lexer);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

static cr_status check(const cr_data *data, const cr_data_options *options)
{
    const cr_data_part *train = &data->train;
    const cr_augment_options *augment = &options->augment;
    CR_CHECK(options->validation == 0, CR_BAD_CONFIG,
             "data.validation: expected 0, as a text has a file for validation, found %d",
             options->validation);
    CR_CHECK(augment->pad == 0 && !augment->flip && !augment->whiten, CR_BAD_CONFIG,
             "data.augment: expected nothing for a text, found changes to images");
    CR_CHECK(train->h >= 1 && train->w == 1 && train->c == 1 && train->text.streams >= 1,
             CR_BAD_CONFIG,
             "data: expected a network that reads a text, so many words x 1 x 1 at a time, found "
             "%d x %d x %d",
             train->h, train->w, train->c);
    return CR_OK;
}

static cr_status open_set(cr_data *data, const cr_data_options *options, const cr_data_share *share)
{
    cr_status status = CR_OK;
    text_set *set = NULL;
    cr_data_source source = {.parts = SOURCE_TEXTS, .describe = describe, .fill = fill};
    CR_TRY(check(data, options));
    CR_TRY(cr_alloc((void **)&set, sizeof *set));
    set->options = options;
    source.self = set;
    status = cr_data_source_load(data, &source, share);
    cr_vocabulary_free(&set->vocabulary);
    CR_FREE(set);
    return status;
}

const cr_data_set cr_data_set_text = {
    .name = "text", .needs_path = true, .text = true, .open = open_set};
