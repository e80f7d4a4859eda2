/*
 * write: builds the file in memory, seals it, and hands it to base as one piece. The disk is met
 * by cr_file_write alone, so a file is whole or absent and a full disk is told with its reason.
 */
#include "contents.h"
#include "image.h"

#include <string.h>

/* Room for HDF5's own: what a group, a data set and its attributes take, rounded up. */
enum { BYTES_A_FILE = 65536, BYTES_A_BLOB = 4096, BYTES_AN_ATTRIBUTE = 512 };

static cr_status check_blob(const cr_blob *blob)
{
    const cr_checkpoint_entry *entry = NULL; /* for its sizes */
    CR_CHECK(blob->name[0] == '/' && strlen(blob->name) < sizeof entry->name, CR_INTERNAL,
             "%s: expected an absolute name below %zu bytes", blob->name, sizeof entry->name);
    CR_CHECK(blob->rank >= 1 && blob->rank <= 4, CR_INTERNAL,
             "%s: expected 1 to 4 dimensions, found %d", blob->name, blob->rank);
    CR_CHECK(strlen(blob->dimensions) < sizeof entry->dimensions, CR_INTERNAL,
             "%s: expected dimension names below %zu bytes", blob->name, sizeof entry->dimensions);
    for (int d = 0; d < blob->rank; d++)
        CR_CHECK(blob->dims[d] >= 0, CR_INTERNAL, "%s: expected a size, found %lld", blob->name,
                 (long long)blob->dims[d]);
    return CR_OK;
}

/* About as many bytes as the file will have: HDF5's memory grows in steps of this. */
static cr_status estimate(size_t *out, const cr_blob *blobs, int blob_count,
                          const cr_attribute *attributes, int attribute_count)
{
    size_t total = BYTES_A_FILE;
    for (int i = 0; i < blob_count; i++) {
        size_t bytes = 0;
        CR_TRY(check_blob(&blobs[i]));
        CR_TRY(hdf_bytes(&bytes, blobs[i].type, blobs[i].rank, blobs[i].dims));
        total += bytes + BYTES_A_BLOB;
    }
    for (int i = 0; i < attribute_count; i++)
        total += BYTES_AN_ATTRIBUTE +
                 (attributes[i].type == CR_ATTRIBUTE_TEXT ? 2 * strlen(attributes[i].text) : 0);
    *out = total;
    return CR_OK;
}

/* A contiguous array without a time stamp, so that equal contents make equal files. */
static cr_status create_set(hid_t *out, hid_t file, const cr_blob *blob)
{
    hsize_t dims[4] = {0};
    for (int d = 0; d < blob->rank; d++)
        dims[d] = (hsize_t)blob->dims[d];
    hid_t space = H5Screate_simple(blob->rank, dims, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t options = H5Pcreate(H5P_DATASET_CREATE);
    hid_t set = H5I_INVALID_HID;
    if (H5Pset_create_intermediate_group(links, 1) >= 0 && H5Pset_obj_track_times(options, 0) >= 0)
        set =
            H5Dcreate2(file, blob->name, hdf_type(blob->type), space, links, options, H5P_DEFAULT);
    cr_status status = hdf_wrote(set, blob->name);
    (void)H5Pclose(options); /* only lists of wishes */
    (void)H5Pclose(links);
    (void)H5Sclose(space);
    *out = set;
    return status;
}

static cr_status write_blob(hid_t file, const cr_blob *blob)
{
    cr_status status = CR_OK;
    hid_t set = H5I_INVALID_HID;
    hid_t type = hdf_type(blob->type);
    size_t bytes = 0;
    CR_TRY(hdf_bytes(&bytes, blob->type, blob->rank, blob->dims));
    CR_TRY(create_set(&set, file, blob));
    uint64_t hash = cr_hash(blob->data, bytes, 0);
    CR_TRY_GOTO(
        hdf_wrote(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, blob->data), blob->name));
    CR_TRY_GOTO(hdf_put(set, "xxh64", H5T_STD_U64LE, &hash));
    CR_TRY_GOTO(hdf_put_text(set, "dimensions", blob->dimensions));
done:
    return hdf_closed(status, H5Dclose(set), blob->name);
}

static cr_status write_run(hid_t file, const cr_attribute *attributes, int count)
{
    cr_status status = CR_OK;
    hid_t run = H5Gcreate2(file, "/run", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CR_TRY(hdf_wrote(run, "/run"));
    for (int i = 0; i < count; i++)
        CR_TRY_GOTO(hdf_put_attribute(run, &attributes[i]));
done:
    return hdf_closed(status, H5Gclose(run), "/run");
}

static cr_status write_root(hid_t file)
{
    uint64_t hash = 0;
    int64_t format = CR_CHECKPOINT_FORMAT;
    CR_TRY(contents_hash(&hash, file));
    CR_TRY(hdf_put(file, "format_version", H5T_STD_I64LE, &format));
    CR_TRY(hdf_put(file, "xxh64_all", H5T_STD_U64LE, &hash));
    return CR_OK;
}

static cr_status fill(hid_t file, const cr_blob *blobs, int blob_count,
                      const cr_attribute *attributes, int attribute_count)
{
    for (int i = 0; i < blob_count; i++)
        CR_TRY(write_blob(file, &blobs[i]));
    CR_TRY(write_run(file, attributes, attribute_count));
    CR_TRY(write_root(file));
    return CR_OK;
}

cr_status cr_checkpoint_write(const char *path, const cr_blob *blobs, int blob_count,
                              const cr_attribute *attributes, int attribute_count)
{
    cr_status status = CR_OK;
    hdf_file file = {.id = H5I_INVALID_HID};
    unsigned char *image = NULL; /* the file's */
    size_t bytes = 0;
    CR_TRY_GOTO(estimate(&bytes, blobs, blob_count, attributes, attribute_count));
    CR_TRY_GOTO(hdf_create(&file, bytes));
    CR_TRY_GOTO(fill(file.id, blobs, blob_count, attributes, attribute_count));
    CR_TRY_GOTO(hdf_image(&image, &bytes, &file));
    image_seal(image, bytes);
    CR_TRY_GOTO(cr_file_write(path, image, bytes));
done:
    hdf_close(&file);
    return status == CR_OK ? CR_OK : cr_fail_prefix(status, "%s", path);
}
