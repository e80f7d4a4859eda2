/* text: words, their numbers, the streams they are cut into, and what is refused. */
#include "check.h"
#include "idx_files.h"
#include "node.h"

#include "colrow/data.h"

#include <math.h>

static const char *const names[] = {"train.txt", "valid.txt", "test.txt"};

typedef struct texts {
    char folder[CR_PATH_MAX];
    cr_data_options options;
    cr_data_wanted wanted;
} texts;

static void put(const texts *t, const char *name, const char *text)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, t->folder, name));
    ASSERT_OK(cr_file_write(path, text, strlen(text)));
}

/* Three texts in a fresh folder, windows of `steps` words, `streams` streams of the first. */
static texts make(const char *train, const char *valid, const char *test, int steps, int streams)
{
    texts t = {.options = {.kind = "text"},
               .wanted = {.h = steps, .w = 1, .c = 1, .streams = streams, .evaluation = 1}};
    const char *const contents[] = {train, valid, test};
    idx_folder(t.folder);
    (void)snprintf(t.options.path, sizeof t.options.path, "%s", t.folder);
    for (int i = 0; i < 3; i++)
        put(&t, names[i], contents[i]);
    return t;
}

static void clean(const texts *t)
{
    char command[CR_PATH_MAX + 16];
    (void)snprintf(command, sizeof command, "rm -r %s", t->folder);
    assert_int_equal(system(command), 0);
}

static cr_status open_texts(cr_data *data, const texts *t)
{
    return cr_data_open(data, &t->options, &t->wanted, NULL);
}

static void assert_tokens(const cr_data_text *text, const uint32_t *tokens, int64_t count)
{
    assert_int_equal(text->count, count);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(text->tokens[i], tokens[i]);
}

#define ASSERT_TOKENS(text, ...)                                                                   \
    assert_tokens(text, (const uint32_t[]){__VA_ARGS__},                                           \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* ---- words ----------------------------------------------------------------------------------- */

static void words_are_numbered_by_frequency(void **state)
{
    (void)state;
    cr_data data;
    /* b 3, <eos> 2, a 2, <unk> 1, c 1: equals by their bytes, '<' before letters */
    texts t = make(" b a b \n c b a\n<unk>", "zzz a\n", "c\n\n  a", 1, 1);
    ASSERT_OK(open_texts(&data, &t));
    ASSERT_TOKENS(&data.train.text, 0, 2, 0, 1, 4, 0, 2, 1, 3);
    ASSERT_TOKENS(&data.valid.text, 3, 2, 1); /* zzz is unknown */
    ASSERT_TOKENS(&data.test.text, 4, 1, 1, 2);
    assert_int_equal(data.train.classes, 5);
    assert_int_equal(data.test.classes, 5);
    cr_data_free(&data);
    assert_null(data.train.text.tokens);
    clean(&t);
}

/* Any white space of ASCII separates; all other bytes make words, UTF-8 or not. */
static void bytes_are_kept_as_they_are(void **state)
{
    (void)state;
    cr_data data;
    texts t = make("\xff\xfe\t\x80 \r\n\xff\xfe \xc3\xa9\n", "\x80\n", "\xc3\xa9 \xff\xfe", 1, 1);
    ASSERT_OK(open_texts(&data, &t));
    /* <eos> 2, ff fe 2, 80 1, c3 a9 1 */
    ASSERT_TOKENS(&data.train.text, 1, 2, 0, 1, 3, 0);
    ASSERT_TOKENS(&data.valid.text, 2, 0);
    ASSERT_TOKENS(&data.test.text, 3, 1);
    cr_data_free(&data);
    clean(&t);
}

/* Words that lie across the pieces a file is read in, and many of them: against plain counting. */
static void long_texts_are_read_whole(void **state)
{
    (void)state;
    enum { WORDS = 40000, KINDS = 3000 };
    char *text = NULL;
    size_t used = 0;
    cr_data data;
    ASSERT_OK(cr_alloc((void **)&text, WORDS * sizeof "w9999  "));
    for (int i = 0; i < WORDS; i++) /* word k comes more often the smaller it is */
        used +=
            (size_t)sprintf(text + used, "w%04d%s", (int)(sqrt(i) * 7919) % KINDS % (1 + i % KINDS),
                            i % 11 == 10 ? "\n" : "  ");
    texts t = make(text, "w0000\n", "w0000\n", 7, 3);
    ASSERT_OK(open_texts(&data, &t));
    assert_int_equal(data.train.text.count, WORDS + WORDS / 11);
    int64_t counts[KINDS + 1] = {0};
    for (int64_t i = 0; i < data.train.text.count; i++)
        counts[data.train.text.tokens[i]]++;
    for (int k = 1; k < data.train.classes; k++)
        assert_true(counts[k] >= 1 && counts[k] <= counts[k - 1]);
    cr_data_free(&data);
    CR_FREE(text);
    clean(&t);
}

static void names_may_be_those_of_the_penn_treebank(void **state)
{
    (void)state;
    cr_data data;
    texts t = make("other words", "words", "words", 1, 1);
    put(&t, "ptb.train.txt", "a b c\n");
    ASSERT_FAILS(open_texts(&data, &t), CR_BAD_DATA, "ptb.test.txt: expected this file");
    put(&t, "ptb.valid.txt", "a\n");
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, t.folder, "ptb.test.txt.gz"));
    idx_write_gzip(path, &(idx_text){.bytes = 6, .at = "b a b\n"});
    ASSERT_OK(open_texts(&data, &t));
    ASSERT_TOKENS(&data.train.text, 1, 2, 3, 0);
    ASSERT_TOKENS(&data.test.text, 2, 1, 2, 0);
    cr_data_free(&data);
    clean(&t);
}

/* The hash is of the words, not of the blanks between them. */
static void texts_are_told_apart(void **state)
{
    (void)state;
    static const char *const contents[] = {"a b c\nd e", " a  b c \n d\te ", "a c b\nd e",
                                           "a b c\nd f"};
    uint64_t hashes[4];
    for (int i = 0; i < 4; i++) {
        cr_data data;
        texts t = make(contents[i], "a\n", "a\n", 1, 1);
        ASSERT_OK(open_texts(&data, &t));
        hashes[i] = data.train.text.hash;
        cr_data_free(&data);
        clean(&t);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2] && hashes[0] != hashes[3] && hashes[2] != hashes[3]);
}

/* ---- streams --------------------------------------------------------------------------------- */

/* Words 0 1 2 ... so that tokens tell where they stand. */
static void number_words(char *out, int count)
{
    for (int i = 0; i < count; i++)
        out += sprintf(out, "%02d ", i);
}

/* 23 words in 2 streams of 11, in windows of 4: two whole ones in training. */
static void training_reads_whole_windows(void **state)
{
    (void)state;
    char text[128];
    float x[8];
    int labels[8];
    cr_data data;
    number_words(text, 23);
    texts t = make(text, "00\n", "00 01\n", 4, 2);
    t.wanted.classes = 30; /* a larger vocabulary than the text has */
    put(&t, "valid.txt", "00 01");
    put(&t, "test.txt", "00 01");
    ASSERT_OK(open_texts(&data, &t));
    cr_data_view view = {.part = &data.train, .training = true};
    assert_int_equal(data.train.count, 4);
    assert_int_equal(data.train.classes, 30);
    assert_int_equal(cr_data_side(&data.train), 2);
    for (int64_t window = 0; window < 2; window++) {
        assert_int_equal(cr_data_steps(&data.train, 2 * window + 1), 4);
        cr_data_fetch(x, labels, &view, 2 * window, 2);
        for (int i = 0; i < 8; i++) {
            assert_int_equal((int)x[i], 11 * (i / 4) + 4 * (int)window + i % 4);
            assert_int_equal(labels[i], (int)x[i] + 1);
        }
    }
    cr_data_fetch(x, labels, &view, 3, 1); /* the second stream alone, as another rank has it */
    assert_int_equal((int)x[0], 15);
    cr_data_free(&data);
    clean(&t);
}

/* 23 words: one stream of 22 in windows of 4, the last of 2; or 3 streams of 7, the last of 3. */
static void evaluation_reads_to_the_end(void **state)
{
    (void)state;
    char text[128];
    float x[12];
    int labels[12];
    number_words(text, 23);
    for (int streams = 1; streams <= 3; streams += 2) {
        cr_data data;
        texts t = make(text, text, text, 4, 1);
        t.wanted.evaluation = streams;
        ASSERT_OK(open_texts(&data, &t));
        cr_data_view view = {.part = &data.test};
        int length = streams == 1 ? 22 : 7, seen = 0;
        assert_int_equal(data.test.count, 6);
        for (int64_t first = 0; first < data.test.count; first += streams) {
            int steps = cr_data_steps(&data.test, first);
            assert_int_equal(steps, length - seen < 4 ? length - seen : 4);
            cr_data_fetch(x, labels, &view, first, streams);
            for (int i = 0; i < streams * steps; i++) {
                assert_int_equal((int)x[i], length * (i / steps) + seen + i % steps);
                assert_int_equal(labels[i], (int)x[i] + 1);
            }
            seen += steps;
        }
        assert_int_equal(seen, length);
        cr_data_free(&data);
        clean(&t);
    }
}

/* ---- the ranks of a node --------------------------------------------------------------------- */

static void ranks_of_a_node_share_a_text(void **state)
{
    (void)state;
    node n = {.fail_at = -1};
    cr_data leader, follower;
    texts t = make("a b c d e\n", "a b\n", "c d\n", 2, 2);
    ASSERT_OK(node_play(&n, true, &leader, &t.options, &t.wanted));
    int agreed = n.agreed, allocated = n.allocated;
    assert_int_equal(allocated, 3);
    put(&t, "train.txt", ""); /* a follower reads no file */
    ASSERT_OK(node_play(&n, false, &follower, &t.options, &t.wanted));
    assert_int_equal(n.agreed, agreed);
    assert_memory_equal(&leader, &follower, sizeof leader);
    ASSERT_TOKENS(&follower.train.text, 1, 2, 3, 4, 5, 0);
    cr_data_free(&follower);
    cr_data_free(&leader);
    assert_int_equal(n.released, 2 * allocated);
    node_free(&n);
    clean(&t);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void refuse(const char *train, const char *valid, cr_status code, const char *message)
{
    cr_data data;
    texts t = make(train, valid, "a\n", 3, 2);
    ASSERT_FAILS(open_texts(&data, &t), code, message);
    clean(&t);
}

static void bad_texts_are_refused(void **state)
{
    (void)state;
    char word[1100] = "";
    refuse("", "a\n", CR_BAD_DATA, "train.txt: expected a text, found no word");
    refuse(" \t ", "a\n", CR_BAD_DATA, "train.txt: expected a text, found no word");
    refuse("a b c d e f g\n", "", CR_BAD_DATA, "valid.txt: expected a text, found no word");
    refuse("a b c d e f g\n", "a\nb nowhere\n", CR_BAD_DATA, "valid.txt:2: expected a word");
    refuse("a b c d e f\n", "a", CR_BAD_CONFIG, "evaluate.streams: expected streams of at least 1");
    /* 6 words make 5 with a successor, enough for one stream of 3 */
    refuse("a b c d e\n", "a\n", CR_BAD_CONFIG,
           "batch: expected streams of at least 3 words, found 6 words for 2 of them");
    (void)memset(word, 'a', sizeof word - 1);
    refuse(word, "a\n", CR_BAD_DATA, "train.txt:1: expected words of at most 1024 bytes");
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    cr_data data;
    char path[CR_PATH_MAX];
    texts t = make("a b c d e f g\n", "a\n", "a\n", 3, 2);
    ASSERT_OK(cr_path_join(path, t.folder, "test.txt"));
    assert_int_equal(unlink(path), 0);
    ASSERT_FAILS(open_texts(&data, &t), CR_BAD_DATA, "test.txt: expected this file");
    ASSERT_OK(cr_path_join(path, t.folder, "test.txt.gz"));
    idx_write_gzip(path, &(idx_text){.bytes = 10, .at = "a b c d e\n"});
    ASSERT_OK(open_texts(&data, &t));
    cr_data_free(&data);
    assert_int_equal(truncate(path, 20), 0);
    ASSERT_FAILS(open_texts(&data, &t), CR_BAD_DATA, "test.txt.gz: expected sound data");
    clean(&t);
}

static void options_must_fit_a_text(void **state)
{
    (void)state;
    cr_data data;
    texts t = make("a b c d e f g\n", "a\n", "a\n", 3, 2);
    texts bad = t;
    bad.options.validation = 10;
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_CONFIG, "data.validation: expected 0");
    bad = t;
    bad.options.augment.flip = true;
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_CONFIG, "data.augment");
    bad = t;
    bad.wanted.classes = 7;
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_CONFIG, "at least the 8 words of");
    bad = t;
    bad.wanted.h = bad.wanted.w = 28;
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_CONFIG, "expected a network that reads a text");
    bad.wanted = (cr_data_wanted){0};
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_CONFIG, "expected a network that reads a text");
    (void)snprintf(bad.options.path, sizeof bad.options.path, "/nowhere");
    bad.wanted = t.wanted;
    ASSERT_FAILS(open_texts(&data, &bad), CR_BAD_DATA, "/nowhere: expected train.txt");
    clean(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_numbered_by_frequency),
        cmocka_unit_test(bytes_are_kept_as_they_are),
        cmocka_unit_test(long_texts_are_read_whole),
        cmocka_unit_test(names_may_be_those_of_the_penn_treebank),
        cmocka_unit_test(texts_are_told_apart),
        cmocka_unit_test(training_reads_whole_windows),
        cmocka_unit_test(evaluation_reads_to_the_end),
        cmocka_unit_test(ranks_of_a_node_share_a_text),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(options_must_fit_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
