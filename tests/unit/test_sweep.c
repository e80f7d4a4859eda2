/* sweep: the runs that a plan makes, their names and configurations; what shortens it. */
#include "check.h"

#include "colrow/sweep.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/colrow-sweep-XXXXXX";
static char plan_path[CR_PATH_MAX];

static void put(const char *name, const char *text)
{
    char path[CR_PATH_MAX];
    ASSERT_OK(cr_path_join(path, folder, name));
    ASSERT_OK(cr_file_write(path, text, strlen(text)));
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || cr_path_join(plan_path, folder, "plan.yaml") != CR_OK)
        return -1;
    put("base.yaml", "network: {model: mlp, sizes: [64, 10]}\nepochs: 3\nbatch: 20\n"
                     "learning_rate: {base: 0.1}\n");
    put("other.yaml", "network: {model: mlp, sizes: [64, 32, 10]}\nepochs: 7\n"
                      "learning_rate: {base: 0.1}\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    const char *const names[] = {"base.yaml", "other.yaml", "plan.yaml"};
    char path[CR_PATH_MAX];
    for (int i = 0; i < 3; i++)
        if (cr_path_join(path, folder, names[i]) == CR_OK)
            (void)unlink(path); /* the folder's removal tells */
    return rmdir(folder);
}

static cr_sweep *load(const char *text, const char *const *overrides)
{
    cr_sweep *sweep = NULL;
    int count = 0;
    while (overrides[count] != NULL)
        count++;
    put("plan.yaml", text);
    ASSERT_OK(cr_sweep_load(&sweep, plan_path, overrides, count));
    return sweep;
}

static const char *const none[] = {NULL};

/* The names of all runs, with spaces between them. */
static void check_names(const cr_sweep *sweep, const char *expected)
{
    char names[1024] = "";
    for (int i = 0; i < sweep->run_count; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? " " : "",
                       sweep->runs[i].name);
    }
    assert_string_equal(names, expected);
}

static const char two_axes[] = "base: base.yaml\n"
                               "vary:\n"
                               "  draw: {a: {sampling.draw: top}, b: {epochs: 5}}\n"
                               "  sampling.ratio: [0.1, 0.5]\n"
                               "  seed: [1, 2]\n";

static void every_combination_is_a_run_and_the_last_axis_is_fastest(void **state)
{
    (void)state;
    cr_sweep *sweep = load(two_axes, none);
    check_names(sweep,
                "a,ratio=0.1,seed=1 a,ratio=0.1,seed=2 a,ratio=0.5,seed=1 a,ratio=0.5,seed=2 "
                "b,ratio=0.1,seed=1 b,ratio=0.1,seed=2 b,ratio=0.5,seed=1 b,ratio=0.5,seed=2");
    assert_string_equal(cr_sweep_choice(&sweep->runs[2], "sampling.ratio"), "0.5");
    assert_string_equal(cr_sweep_choice(&sweep->runs[2], "epochs"), "");
    cr_sweep_free(&sweep);
    assert_null(sweep);
}

static void maps_in_a_list_add_up(void **state)
{
    (void)state;
    cr_sweep *sweep = load("base: base.yaml\n"
                           "vary:\n"
                           "  - {method: {exact: {}}}\n"
                           "  - {method: {top: {}, wide: {}}, seed: [3]}\n",
                           none);
    check_names(sweep, "exact top,seed=3 wide,seed=3");
    assert_string_equal(cr_sweep_choice(&sweep->runs[0], "seed"), "");
    cr_sweep_free(&sweep);
}

static void labels_leave_axes_out(void **state)
{
    (void)state;
    const char *const seed[] = {"seed", NULL};
    const char *const most[] = {"seed", "draw", "sampling.ratio", NULL};
    char label[CR_RUN_NAME_MAX];
    cr_sweep *sweep = load(two_axes, none);
    cr_sweep_label(label, &sweep->runs[7], seed);
    assert_string_equal(label, "b,ratio=0.5");
    cr_sweep_label(label, &sweep->runs[7], most);
    assert_string_equal(label, "");
    cr_sweep_free(&sweep);
}

static void values_that_are_lists_have_names(void **state)
{
    (void)state;
    cr_sweep *sweep = load("base: base.yaml\n"
                           "vary: {network.sizes: [[64, 10], [64, 20, 10]]}\n",
                           none);
    cr_run_options options;
    check_names(sweep, "sizes=64-10 sizes=64-20-10");
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[1]));
    cr_sweep_free(&sweep);
}

/* base < set < choices, the later axis over the earlier < -s; whole values at each key. */
static void later_overrides_win(void **state)
{
    (void)state;
    const char *const overrides[] = {"log.every_steps=9", NULL};
    cr_run_options options;
    cr_sweep *sweep = load("base: base.yaml\n"
                           "set: {epochs: 4, seed: 8, log.every_steps: 5, checkpoint.keep: 1}\n"
                           "vary:\n"
                           "  first: {one: {epochs: 5, log.every_steps: 6, batch: 30}}\n"
                           "  second: {two: {batch: 40}}\n",
                           overrides);
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[0]));
    assert_int_equal(options.checkpoint.keep, 1);
    assert_int_equal(options.seed, 8);
    assert_int_equal(options.epochs, 5);
    assert_int_equal(options.batch, 40);
    assert_int_equal(options.log.every_steps, 9);
    cr_sweep_free(&sweep);
}

static void a_set_may_name_another_base(void **state)
{
    (void)state;
    cr_run_options options;
    cr_sweep *sweep = load("base: base.yaml\n"
                           "vary: {net: {small: {}, large: {base: other.yaml, batch: 5}}}\n",
                           none);
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[0]));
    assert_int_equal(options.epochs, 3);
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[1]));
    assert_int_equal(options.epochs, 7);
    assert_int_equal(options.batch, 5);
    cr_sweep_free(&sweep);
}

/* -s with an axis' name: in every map that has the axis, and nowhere else. */
static void overrides_shorten_axes(void **state)
{
    (void)state;
    const char text[] =
        "base: base.yaml\n"
        "vary:\n"
        "  - {method: {exact: {}}, seed: [1, 2]}\n"
        "  - {method: {top: {}, wide: {}}, sampling.ratio: [0.1, 0.2], seed: [1, 2]}\n";
    const char *const values[] = {"sampling.ratio=0.7", "seed=[5]", NULL};
    const char *const sets[] = {"method=[wide, exact]", "sampling.ratio=[0.1]", "seed=1", NULL};
    const char *const one[] = {"method=top", NULL};
    cr_run_options options;
    cr_sweep *sweep = load(text, values);
    check_names(sweep, "exact,seed=5 top,ratio=0.7,seed=5 wide,ratio=0.7,seed=5");
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[0]));
    assert_true(options.sampling.ratio == 1 && options.seed == 5);
    ASSERT_OK(cr_sweep_options(&options, sweep, &sweep->runs[1]));
    assert_true(options.sampling.ratio == 0.7);
    cr_sweep_free(&sweep);
    sweep = load(text, sets);
    check_names(sweep, "exact,seed=1 wide,ratio=0.1,seed=1");
    cr_sweep_free(&sweep);
    sweep = load(text, one);
    check_names(sweep, "top,ratio=0.1,seed=1 top,ratio=0.1,seed=2 top,ratio=0.2,seed=1 "
                       "top,ratio=0.2,seed=2");
    cr_sweep_free(&sweep);
}

/* Messages of bad plans are e2e/test_sweep.sh's; here, that limits hold. */
static void limits_are_refused(void **state)
{
    (void)state;
    char text[4096];
    cr_sweep *sweep = NULL;
    int used = snprintf(text, sizeof text, "base: base.yaml\nvary:\n");
    for (int axis = 0; axis < 3; axis++) { /* 20^3 runs */
        used += snprintf(text + used, sizeof text - (size_t)used, "  key%d: [", axis);
        for (int i = 0; i < 20; i++)
            used += snprintf(text + used, sizeof text - (size_t)used, "%d, ", i);
        used += snprintf(text + used, sizeof text - (size_t)used, "]\n");
    }
    put("plan.yaml", text);
    ASSERT_FAILS(cr_sweep_load(&sweep, plan_path, none, 0), CR_BAD_CONFIG, "at most 4096 runs");
    used = snprintf(text, sizeof text, "base: base.yaml\nvary: {seed: [");
    for (int i = 0; i <= CR_LIST_MAX; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%d, ", i);
    (void)snprintf(text + used, sizeof text - (size_t)used, "]}\n");
    put("plan.yaml", text);
    ASSERT_FAILS(cr_sweep_load(&sweep, plan_path, none, 0), CR_BAD_CONFIG, "at most 64 choices");
    used = snprintf(text, sizeof text, "base: base.yaml\nvary:\n");
    for (int axis = 0; axis <= CR_AXES_MAX; axis++)
        used += snprintf(text + used, sizeof text - (size_t)used, "  key%d: [1]\n", axis);
    put("plan.yaml", text);
    ASSERT_FAILS(cr_sweep_load(&sweep, plan_path, none, 0), CR_BAD_CONFIG, "at most 8 axes");
    assert_null(sweep);
}

/* Look at the folder of a run that is to be made from `text`, with an override. */
static cr_status look(cr_sweep_state *found, const char *run, const char *text,
                      const char *override)
{
    cr_run_options options;
    char *resolved = NULL;
    ASSERT_OK(cr_options_parse(&options, text, "text", &override, override != NULL));
    ASSERT_OK(cr_options_format(&resolved, &options));
    cr_status status = cr_sweep_look(found, run, resolved);
    CR_FREE(resolved);
    return status;
}

/* Where a run stands is told from what is in its folder. Its configuration need not have every key,
 * as one of an earlier build has not. */
static void a_folder_tells_where_its_run_stands(void **state)
{
    (void)state;
    char run[CR_PATH_MAX], path[CR_PATH_MAX], message[64];
    const char config[] = "epochs: 3\nlearning_rate: {base: 1}\nsampling: {ratio: 0.4}\nseed: 2\n";
    const char *const names[] = {"config.yaml", "failure.txt", "summary.json"};
    const cr_sweep_state states[] = {CR_SWEEP_BEGUN, CR_SWEEP_FAILED, CR_SWEEP_DONE};
    cr_sweep_state found = CR_SWEEP_DONE;
    ASSERT_OK(cr_path_join(run, folder, "run"));
    ASSERT_OK(look(&found, run, config, NULL));
    assert_int_equal(found, CR_SWEEP_NEW);
    ASSERT_OK(cr_folder_make(run));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(cr_path_join(path, run, names[i]));
        ASSERT_OK(cr_file_write(path, config, sizeof config - 1));
        ASSERT_OK(look(&found, run, config, NULL));
        assert_int_equal(found, states[i]);
    }
    ASSERT_FAILS(look(&found, run, config, "sampling.draw=systematic"), CR_BAD_CONFIG,
                 "expected sampling.draw: systematic, found top");
    ASSERT_FAILS(look(&found, run, config, "epochs=4"), CR_BAD_CONFIG,
                 "expected epochs: 4, found 3");
    ASSERT_OK(cr_sweep_note_failure(run, "the loss is nan"));
    cr_sweep_failure(message, sizeof message, run);
    assert_string_equal(message, "the loss is nan");
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(cr_path_join(path, run, names[i]));
        assert_int_equal(unlink(path), 0);
    }
    cr_sweep_failure(message, sizeof message, run);
    assert_string_equal(message, "");
    assert_int_equal(rmdir(run), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_is_a_run_and_the_last_axis_is_fastest),
        cmocka_unit_test(maps_in_a_list_add_up),
        cmocka_unit_test(labels_leave_axes_out),
        cmocka_unit_test(values_that_are_lists_have_names),
        cmocka_unit_test(later_overrides_win),
        cmocka_unit_test(a_set_may_name_another_base),
        cmocka_unit_test(overrides_shorten_axes),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(a_folder_tells_where_its_run_stands),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
