/* json: see json.h. */
#include "json.h"

#include <math.h>
#include <stdio.h>

json_t *cr_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

cr_status cr_json_put(json_t *object, const char *key, json_t *value)
{
    CR_CHECK(json_object_set_new(object, key, value) == 0, CR_INTERNAL, "cannot make JSON of %s",
             key);
    return CR_OK;
}

cr_status cr_json_put_part(json_t *object, const char *part, const char *name, json_t *value)
{
    char key[CR_WORD_MAX];
    (void)snprintf(key, sizeof key, "%s_%s", part, name);
    return cr_json_put(object, key, value);
}

cr_status cr_json_put_rates(json_t *object, const cr_run *run, int64_t labels, double seconds)
{
    double rate = (double)labels / seconds;
    double positions = cr_data_steps(&run->data.train, 0);
    CR_TRY(cr_json_put(object, "samples_per_s", cr_json_real(rate / positions)));
    if (run->data.train.text.tokens != NULL)
        CR_TRY(cr_json_put(object, "words_per_s", cr_json_real(rate)));
    return CR_OK;
}
