/* contents: lists the data sets of an open file and recomputes the checksums; see contents.h. */
#include "contents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

/* Walk of the links: counts the data sets, and names them once there are entries. */
typedef struct listing {
    cr_checkpoint_entry *entries;
    int count;
} listing;

static herr_t visit(hid_t root, const char *name, const H5L_info_t *link, void *data)
{
    listing *list = data;
    (void)link;
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (object < 0)
        return -1;
    if (H5Iget_type(object) == H5I_DATASET) {
        if (list->entries != NULL)
            (void)snprintf(list->entries[list->count].name, sizeof list->entries->name, "/%s",
                           name); /* write refuses longer ones */
        list->count++;
    }
    return H5Oclose(object);
}

static cr_status find_type(cr_blob_type *out, hid_t set)
{
    hid_t found = H5Dget_type(set);
    bool known = false;
    for (int type = CR_BLOB_F32; type <= CR_BLOB_I64; type++)
        if (H5Tequal(found, hdf_type((cr_blob_type)type)) > 0) {
            *out = (cr_blob_type)type;
            known = true;
        }
    (void)H5Tclose(found); /* only read from */
    CR_CHECK(known, CR_BAD_DATA, "expected float32, float64 or int64, found another type");
    return CR_OK;
}

static cr_status find_shape(cr_checkpoint_entry *entry, hid_t set)
{
    hsize_t dims[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(set);
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    (void)H5Sclose(space); /* only read from */
    CR_CHECK(rank >= 1 && rank <= 4, CR_BAD_DATA, "expected 1 to 4 dimensions, found %d", rank);
    entry->rank = rank;
    for (int d = 0; d < rank; d++)
        entry->dims[d] = (int64_t)dims[d];
    return CR_OK;
}

static cr_status describe(cr_checkpoint_entry *entry, hid_t file)
{
    cr_status status = CR_OK;
    char *dimensions = NULL;
    hid_t set = H5Dopen2(file, entry->name, H5P_DEFAULT);
    CR_TRY(hdf_was_read(set, entry->name));
    CR_TRY_GOTO(find_type(&entry->type, set));
    CR_TRY_GOTO(find_shape(entry, set));
    CR_TRY_GOTO(hdf_get_text(set, "dimensions", &dimensions));
    CR_TRY_GOTO(hdf_get(set, "xxh64", H5T_STD_U64LE, &entry->xxh64));
    (void)snprintf(entry->dimensions, sizeof entry->dimensions, "%s", dimensions); /* fits: write */
done:
    CR_FREE(dimensions);
    (void)H5Dclose(set); /* only read from */
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s", entry->name);
}

static int by_name(const void *a, const void *b)
{
    const cr_checkpoint_entry *left = a;
    const cr_checkpoint_entry *right = b;
    return strcmp(left->name, right->name);
}

cr_status contents_list(cr_checkpoint_entry **entries, int *count, hid_t file)
{
    cr_status status = CR_OK;
    listing list = {NULL, 0};
    CR_TRY(hdf_was_read(H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &list), "/"));
    CR_TRY(cr_alloc((void **)&list.entries, (size_t)list.count * sizeof *list.entries));
    list.count = 0;
    CR_TRY_GOTO(hdf_was_read(H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &list), "/"));
    qsort(list.entries, (size_t)list.count, sizeof *list.entries, by_name);
    for (int i = 0; i < list.count; i++)
        CR_TRY_GOTO(describe(&list.entries[i], file));
    *entries = list.entries;
    *count = list.count;
    list.entries = NULL;
done:
    CR_FREE(list.entries);
    return status;
}

/* ---- hash ---- */

static uint64_t hash_text(const char *text, uint64_t hash)
{
    return cr_hash(text, strlen(text) + 1, hash);
}

static uint64_t hash_entry(const cr_checkpoint_entry *entry, uint64_t hash)
{
    int64_t numbers[6] = {entry->type, entry->rank};
    memcpy(numbers + 2, entry->dims, sizeof entry->dims);
    hash = hash_text(entry->name, hash);
    hash = cr_hash(numbers, sizeof numbers, hash);
    hash = hash_text(entry->dimensions, hash);
    return cr_hash(&entry->xxh64, sizeof entry->xxh64, hash);
}

/* Walk of the attributes of /run. */
typedef struct run_walk {
    uint64_t hash;
    cr_status status;
} run_walk;

static uint64_t hash_value(const cr_attribute *attribute, uint64_t hash)
{
    const void *values[] = {
        [CR_ATTRIBUTE_I64] = &attribute->i64,
        [CR_ATTRIBUTE_F64] = &attribute->f64,
    };
    if (attribute->type == CR_ATTRIBUTE_TEXT)
        return hash_text(attribute->text, hash);
    return cr_hash(values[attribute->type], 8, hash);
}

static cr_status hash_attribute(uint64_t *hash, hid_t run, const char *name)
{
    cr_attribute attribute = {.name = name};
    CR_TRY(hdf_attribute_type(run, name, &attribute.type));
    CR_TRY(hdf_get_attribute(run, &attribute));
    int64_t type = attribute.type;
    *hash = hash_text(name, *hash);
    *hash = cr_hash(&type, sizeof type, *hash);
    *hash = hash_value(&attribute, *hash);
    CR_FREE(attribute.text);
    return CR_OK;
}

static herr_t visit_attribute(hid_t run, const char *name, const H5A_info_t *info, void *data)
{
    run_walk *walk = data;
    (void)info;
    walk->status = hash_attribute(&walk->hash, run, name);
    return walk->status == CR_OK ? 0 : -1;
}

static cr_status hash_run(uint64_t *hash, hid_t file)
{
    run_walk walk = {*hash, CR_OK};
    hid_t run = H5Gopen2(file, "/run", H5P_DEFAULT);
    CR_TRY(hdf_was_read(run, "/run"));
    herr_t walked = H5Aiterate2(run, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &walk);
    (void)H5Gclose(run); /* only read from */
    if (walk.status != CR_OK)
        return cr_fail_prefix(walk.status, "/run");
    CR_TRY(hdf_was_read(walked, "/run"));
    *hash = walk.hash;
    return CR_OK;
}

static cr_status hash_all(uint64_t *out, hid_t file, const cr_checkpoint_entry *entries, int count)
{
    uint64_t hash = 0;
    int64_t format = CR_CHECKPOINT_FORMAT;
    for (int i = 0; i < count; i++)
        hash = hash_entry(&entries[i], hash);
    CR_TRY(hash_run(&hash, file));
    *out = cr_hash(&format, sizeof format, hash);
    return CR_OK;
}

cr_status contents_hash(uint64_t *out, hid_t file)
{
    cr_checkpoint_entry *entries = NULL;
    int count = 0;
    CR_TRY(contents_list(&entries, &count, file));
    cr_status status = hash_all(out, file, entries, count);
    CR_FREE(entries);
    return status;
}

/* ---- check ---- */

cr_status contents_load(void *out, hid_t file, const char *name, cr_blob_type type)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    CR_TRY(hdf_was_read(set, name));
    herr_t read = H5Dread(set, hdf_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
    (void)H5Dclose(set); /* only read from */
    CR_TRY(hdf_was_read(read, name));
    return CR_OK;
}

static cr_status check_hash(const char *name, uint64_t expected, uint64_t found)
{
    CR_CHECK(expected == found, CR_BAD_DATA,
             "%s: damaged: expected xxh64 %016" PRIx64 ", found %016" PRIx64, name, expected,
             found);
    return CR_OK;
}

static cr_status check_entry(hid_t file, const cr_checkpoint_entry *entry)
{
    cr_status status = CR_OK;
    void *data = NULL;
    size_t bytes = 0;
    CR_TRY(hdf_bytes(&bytes, entry->type, entry->rank, entry->dims));
    CR_TRY(cr_alloc(&data, bytes));
    CR_TRY_GOTO(contents_load(data, file, entry->name, entry->type));
    CR_TRY_GOTO(check_hash(entry->name, entry->xxh64, cr_hash(data, bytes, 0)));
done:
    CR_FREE(data);
    return status;
}

cr_status contents_check(hid_t file)
{
    cr_status status = CR_OK;
    cr_checkpoint_entry *entries = NULL;
    int count = 0;
    int64_t format = 0;
    uint64_t expected = 0, found = 0;
    CR_TRY(hdf_get(file, "format_version", H5T_STD_I64LE, &format));
    CR_CHECK(format == CR_CHECKPOINT_FORMAT, CR_BAD_DATA,
             "format version %" PRId64 ", this program reads %d", format, CR_CHECKPOINT_FORMAT);
    CR_TRY(hdf_get(file, "xxh64_all", H5T_STD_U64LE, &expected));
    CR_TRY(contents_list(&entries, &count, file));
    for (int i = 0; i < count; i++)
        CR_TRY_GOTO(check_entry(file, &entries[i]));
    CR_TRY_GOTO(hash_all(&found, file, entries, count));
    CR_TRY_GOTO(check_hash("xxh64_all", expected, found));
done:
    CR_FREE(entries);
    return status;
}
