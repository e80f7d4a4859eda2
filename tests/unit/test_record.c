/* record: what run folders tell, means over seeds, and the files that pictures are made of. */
#include "check.h"

#include "colrow/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/colrow-record-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, folder, name));
    ASSERT_OK(cr_file_write(path, text, strlen(text)));
}

static void drop(const char *name)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, folder, name));
    assert_int_equal(unlink(path), 0);
}

/* Is there a file with this text in it? The folder loses it. */
static void check_file(const char *name, const char *part)
{
    char path[CR_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    ASSERT_OK(cr_path_join(path, folder, name));
    ASSERT_OK(cr_file_read(&text, &bytes, path));
    if (strstr(text, part) == NULL)
        fail_msg("%s: expected '%s', found: %s", name, part, text);
    CR_FREE(text);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void marks_and_figures_are_read(void **state)
{
    (void)state;
    cr_record record;
    put("metrics.jsonl", "{\"step\":4,\"epoch\":0.5,\"seconds\":0.25,\"loss\":2.5}\n"
                         "{\"step\":8,\"epoch\":1.0,\"train_loss\":2,\"test_accuracy\":0.75,"
                         "\"valid_accuracy\":0.5}\n"
                         "{\"step\":9,\"lo");
    ASSERT_OK(cr_record_read(&record, folder));
    assert_int_equal(record.count, 2); /* without the line cut off */
    assert_false(record.finished);
    assert_true(isnan(record.figures[CR_FIGURE_TEST]));
    assert_true(record.marks[0].step == 4 && record.marks[0].epoch == 0.5);
    assert_true(record.marks[0].seconds == 0.25 && record.marks[0].loss == 2.5);
    assert_true(isnan(record.marks[1].loss) && isnan(record.marks[1].seconds));
    assert_true(isnan(cr_record_error(&record, 0)));
    assert_true(cr_record_error(&record, 1) == 25);
    cr_record_free(&record);
    put("summary.json", "{\"test_accuracy\": 0.875, \"valid_accuracy\": null, \"seconds\": 12,"
                        "\"reduction\": {\"paper\": 0.5, \"executed\": 0.75},"
                        "\"step_ms\": {\"median\": 3}, \"phase_ms\": {\"forward\": 1.5}}");
    ASSERT_OK(cr_record_read(&record, folder));
    assert_true(record.finished && record.figures[CR_FIGURE_TEST] == 0.875);
    assert_true(record.figures[CR_FIGURE_PAPER] == 0.5);
    assert_true(record.figures[CR_FIGURE_EXECUTED] == 0.75);
    assert_true(record.figures[CR_FIGURE_STEP_MS] == 3);
    assert_true(record.figures[CR_FIGURE_SECONDS] == 12);
    assert_true(isnan(record.figures[CR_FIGURE_VALID]));
    assert_true(record.phase_ms[CR_PHASE_FORWARD] == 1.5 && isnan(record.phase_ms[CR_PHASE_WAIT]));
    cr_record_free(&record);
    drop("summary.json");
    drop("metrics.jsonl");
}

/* With a test set looked at only where the validation is best, curves are the validation's. */
static void curves_are_of_one_set(void **state)
{
    (void)state;
    cr_record record;
    put("metrics.jsonl", "{\"step\":1,\"valid_accuracy\":0.5,\"test_accuracy\":0.75}\n"
                         "{\"step\":2,\"valid_accuracy\":0.25}\n");
    ASSERT_OK(cr_record_read(&record, folder));
    assert_true(cr_record_error(&record, 0) == 50 && cr_record_error(&record, 1) == 75);
    cr_record_free(&record);
    drop("metrics.jsonl");
}

/* A text's runs have perplexities where others have errors. */
static void perplexities_are_read(void **state)
{
    (void)state;
    cr_record record;
    put("metrics.jsonl", "{\"step\":1,\"loss\":5}\n"
                         "{\"step\":1,\"valid_perplexity\":150.5,\"test_perplexity\":140}\n"
                         "{\"step\":2,\"valid_perplexity\":160}\n");
    put("summary.json", "{\"test_perplexity\": 140, \"valid_perplexity\": 150.5}");
    ASSERT_OK(cr_record_read(&record, folder));
    assert_true(isnan(cr_record_perplexity(&record, 0)) && isnan(cr_record_error(&record, 1)));
    assert_true(cr_record_perplexity(&record, 1) == 150.5);
    assert_true(cr_record_perplexity(&record, 2) == 160);
    assert_true(record.figures[CR_FIGURE_TEST_PERPLEXITY] == 140);
    assert_true(record.figures[CR_FIGURE_VALID_PERPLEXITY] == 150.5);
    assert_true(isnan(record.figures[CR_FIGURE_TEST]));
    cr_record_free(&record);
    drop("summary.json");
    drop("metrics.jsonl");
}

static void values_that_are_no_objects_are_told(void **state)
{
    (void)state;
    cr_record record;
    put("metrics.jsonl", "{\"step\":1}\n[2]\n");
    ASSERT_FAILS(cr_record_read(&record, folder), CR_BAD_DATA,
                 "metrics.jsonl:2: expected a JSON object: found another value");
    put("metrics.jsonl", "{\"step\":1}\n");
    put("summary.json", "[1]");
    ASSERT_FAILS(cr_record_read(&record, folder), CR_BAD_DATA,
                 "summary.json:1: expected a JSON object: found another value");
    drop("summary.json");
    drop("metrics.jsonl");
}

static void means_have_errors(void **state)
{
    (void)state;
    const double values[] = {1, NAN, 2, 3, 6};
    cr_mean all = cr_mean_of(values, 5);
    assert_int_equal(all.count, 4);
    assert_true(all.mean == 3);
    ASSERT_NEAR(all.error, sqrt(14.0 / 3 / 4), 1e-15); /* squares: 4 + 1 + 0 + 9 */
    cr_mean one = cr_mean_of(values, 2);
    assert_true(one.count == 1 && one.mean == 1 && isnan(one.error));
    cr_mean no = cr_mean_of(values + 1, 1);
    assert_true(no.count == 0 && isnan(no.mean) && isnan(no.error));
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    assert_non_null(file);
    cr_csv_text(file, "plain words");
    cr_csv_text(file, ";");
    cr_csv_text(file, "a,\"b\"");
    cr_csv_number(file, NAN);
    cr_csv_number(file, 0.1);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "plain words;\"a,\"\"b\"\"\"0.1");
    free(text);
}

/* More points than fit at first; a level; a name that gnuplot would trip over. */
static void pictures_are_written_as_data_and_script(void **state)
{
    (void)state;
    cr_picture picture = {.name = "p", .title = "t", .x = "epoch", .y = "error, %"};
    for (int i = 0; i < 100; i++)
        ASSERT_OK(cr_picture_add(&picture, i % 2 == 0 ? "it's" : "b", i, 2 * i, NAN));
    ASSERT_OK(cr_picture_add(&picture, "exact", NAN, 7.5, 0.5));
    assert_int_equal(picture.count, 101);
    assert_int_equal(picture.series_count, 3);
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0); /* without gnuplot */
    ASSERT_OK(cr_picture_write(&picture, folder));
    check_file("p.csv", "series,epoch,\"error, %\",standard error\nit's,0,0,\nb,1,2,\n");
    check_file("p.csv", "b,99,198,\nexact,,7.5,0.5\n");
    check_file("p.gp", "$points1 << END\n1 2 nan\n");
    check_file("p.gp", "title 'it''s'");
    check_file("p.gp", "7.5 with lines");
    drop("p.csv");
    drop("p.gp");
    cr_picture_free(&picture);
    ASSERT_OK(cr_picture_write(&picture, folder)); /* nothing in it: no files, says tear_down */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_and_figures_are_read),
        cmocka_unit_test(curves_are_of_one_set),
        cmocka_unit_test(perplexities_are_read),
        cmocka_unit_test(values_that_are_no_objects_are_told),
        cmocka_unit_test(means_have_errors),
        cmocka_unit_test(csv_quotes_what_needs_it),
        cmocka_unit_test(pictures_are_written_as_data_and_script),
    };
    cr_log_setup(CR_LOG_ERROR, 0, 1);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
