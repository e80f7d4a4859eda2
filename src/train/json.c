/* json: see json.h. */
#include "json.h"

#include <math.h>

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
