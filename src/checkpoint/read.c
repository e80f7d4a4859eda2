/*
 * read: the file is read whole and checked before HDF5 sees it; what it holds is compared with
 * what was asked for before any of it is given out.
 */
#include "contents.h"
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint being read. */
typedef struct reading {
    unsigned char *image; /* owned */
    hdf_file file;        /* lives on the image */
} reading;

static void end(reading *in)
{
    hdf_close(&in->file);
    CR_FREE(in->image);
}

/* On failure there is nothing to end. */
static cr_status begin(reading *in, const char *path)
{
    size_t bytes = 0;
    *in = (reading){.file = {.id = H5I_INVALID_HID}};
    CR_TRY(image_read(&in->image, &bytes, path));
    cr_status status = hdf_open(&in->file, in->image, bytes);
    if (status == CR_OK)
        return CR_OK;
    end(in);
    return cr_fail_prefix(status, "%s", path);
}

/* End reading; a failure gets the path before its message. */
static cr_status finish(cr_status status, reading *in, const char *path)
{
    end(in);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s", path);
}

cr_status cr_checkpoint_verify(const char *path)
{
    reading in;
    CR_TRY(begin(&in, path));
    return finish(contents_check(in.file.id), &in, path);
}

static cr_status read_attributes(hid_t file, cr_attribute *attributes, int count)
{
    cr_status status = CR_OK;
    int done_count = 0;
    hid_t run = H5Gopen2(file, "/run", H5P_DEFAULT);
    CR_TRY(hdf_was_read(run, "/run"));
    for (; done_count < count; done_count++)
        CR_TRY_GOTO(hdf_get_attribute(run, &attributes[done_count]));
done:
    (void)H5Gclose(run); /* only read from */
    if (status == CR_OK)
        return CR_OK;
    for (int i = 0; i < done_count; i++)
        if (attributes[i].type == CR_ATTRIBUTE_TEXT)
            CR_FREE(attributes[i].text);
    return cr_fail_prefix(status, "/run");
}

cr_status cr_checkpoint_attributes(const char *path, cr_attribute *attributes, int count)
{
    reading in;
    CR_TRY(begin(&in, path));
    return finish(read_attributes(in.file.id, attributes, count), &in, path);
}

/* ---- what was asked for against what is there ---- */

enum { SHAPE_MAX = 128 };

/* "784 x 500" */
static const char *shape_text(char out[SHAPE_MAX], int rank, const int64_t dims[4])
{
    size_t used = 0;
    for (int d = 0; d < rank; d++)
        used += (size_t)snprintf(out + used, SHAPE_MAX - used, "%s%" PRId64, d > 0 ? " x " : "",
                                 dims[d]); /* 4 x 23 characters at most */
    return out;
}

static int by_name(const void *name, const void *entry)
{
    return strcmp(name, ((const cr_checkpoint_entry *)entry)->name);
}

static cr_status match(const cr_blob *blob, const cr_checkpoint_entry *entries, int count)
{
    char expected[SHAPE_MAX], found[SHAPE_MAX];
    const cr_checkpoint_entry *entry =
        bsearch(blob->name, entries, (size_t)count, sizeof *entries, by_name);
    (void)shape_text(expected, blob->rank, blob->dims);
    CR_CHECK(entry != NULL, CR_BAD_DATA,
             "%s: expected %s, found nothing: of another network or optimizer?", blob->name,
             expected);
    CR_CHECK(entry->type == blob->type, CR_BAD_DATA, "%s: expected %s, found %s", blob->name,
             hdf_type_word(blob->type), hdf_type_word(entry->type));
    (void)shape_text(found, entry->rank, entry->dims);
    CR_CHECK(strcmp(expected, found) == 0, CR_BAD_DATA,
             "%s: expected %s, found %s: of another network or optimizer?", blob->name, expected,
             found);
    return CR_OK;
}

/* Is `name` below one of the comma-separated groups? */
static bool is_within(const char *name, const char *scope)
{
    for (const char *group = scope; *group != '\0';) {
        size_t length = strcspn(group, ",");
        if (length > 0 && strncmp(name, group, length) == 0 && name[length] == '/')
            return true;
        group += length + (group[length] == ',');
    }
    return false;
}

static bool is_asked_for(const char *name, const cr_blob *blobs, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(blobs[i].name, name) == 0)
            return true;
    return false;
}

static cr_status match_all(const cr_blob *blobs, int blob_count, const char *scope,
                           const cr_checkpoint_entry *entries, int count)
{
    char found[SHAPE_MAX];
    for (int i = 0; i < blob_count; i++)
        CR_TRY(match(&blobs[i], entries, count));
    for (int i = 0; i < count; i++)
        CR_CHECK(!is_within(entries[i].name, scope) ||
                     is_asked_for(entries[i].name, blobs, blob_count),
                 CR_BAD_DATA, "%s: expected nothing, found %s: of another network or optimizer?",
                 entries[i].name, shape_text(found, entries[i].rank, entries[i].dims));
    return CR_OK;
}

static cr_status read_blobs(hid_t file, const cr_blob *blobs, int count, const char *scope)
{
    cr_status status = CR_OK;
    cr_checkpoint_entry *entries = NULL;
    int entry_count = 0;
    CR_TRY(contents_check(file));
    CR_TRY(contents_list(&entries, &entry_count, file));
    CR_TRY_GOTO(match_all(blobs, count, scope, entries, entry_count));
    for (int i = 0; i < count; i++)
        CR_TRY_GOTO(contents_load(blobs[i].data, file, blobs[i].name, blobs[i].type));
done:
    CR_FREE(entries);
    return status;
}

cr_status cr_checkpoint_read(const char *path, const cr_blob *blobs, int count, const char *scope)
{
    reading in;
    CR_TRY(begin(&in, path));
    return finish(read_blobs(in.file.id, blobs, count, scope), &in, path);
}

cr_status cr_checkpoint_list(cr_checkpoint_entry **entries, int *count, const char *path)
{
    reading in;
    CR_TRY(begin(&in, path));
    return finish(contents_list(entries, count, in.file.id), &in, path);
}
