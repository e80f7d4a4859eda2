/* json: values and keys of what a run reports. */
#ifndef TRAIN_JSON_H
#define TRAIN_JSON_H

#include "colrow/train.h"

#include <jansson.h>

/* JSON has no NaN: what was not measured is null. */
json_t *cr_json_real(double value);

/* object[key] = value, which is given away. */
cr_status cr_json_put(json_t *object, const char *key, json_t *value);

/* The same under the key PART_NAME: "valid_accuracy". */
cr_status cr_json_put_part(json_t *object, const char *part, const char *name, json_t *value);

/* Samples a second and, of texts, words a second; `labels` in `seconds`. */
cr_status cr_json_put_rates(json_t *object, const cr_run *run, int64_t labels, double seconds);

#endif
