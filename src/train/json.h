/* json: values and keys of what a run reports. */
#ifndef TRAIN_JSON_H
#define TRAIN_JSON_H

#include "colrow/base.h"

#include <jansson.h>

/* JSON has no NaN: what was not measured is null. */
json_t *cr_json_real(double value);

/* object[key] = value, which is given away. */
cr_status cr_json_put(json_t *object, const char *key, json_t *value);

#endif
