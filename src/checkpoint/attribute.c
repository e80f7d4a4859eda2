/*
 * attribute: scalars on HDF5 objects. Numbers are 64-bit little-endian; text is variable-length
 * UTF-8, which h5py shows as str and which knows no limit of 64 KiB.
 */
#include "hdf.h"

#include <string.h>

/* The HDF5 types of numbers, by cr_attribute_type. */
static hid_t number_type(cr_attribute_type type)
{
    const hid_t types[] = {
        [CR_ATTRIBUTE_I64] = H5T_STD_I64LE,
        [CR_ATTRIBUTE_F64] = H5T_IEEE_F64LE,
    };
    return types[type];
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        (void)H5Tclose(type); /* the failure before is what matters */
        return H5I_INVALID_HID;
    }
    return type;
}

cr_status hdf_put(hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    cr_status status = hdf_wrote(attribute, name);
    if (status == CR_OK) {
        status = hdf_wrote(H5Awrite(attribute, type, value), name);
        status = hdf_closed(status, H5Aclose(attribute), name);
    }
    return hdf_closed(status, H5Sclose(space), name);
}

cr_status hdf_put_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type();
    cr_status status = hdf_put(object, name, type, &text);
    return hdf_closed(status, H5Tclose(type), name);
}

cr_status hdf_put_attribute(hid_t object, const cr_attribute *attribute)
{
    const void *values[] = {
        [CR_ATTRIBUTE_I64] = &attribute->i64,
        [CR_ATTRIBUTE_F64] = &attribute->f64,
    };
    if (attribute->type == CR_ATTRIBUTE_TEXT)
        return hdf_put_text(object, attribute->name, attribute->text);
    return hdf_put(object, attribute->name, number_type(attribute->type), values[attribute->type]);
}

static cr_status open_attribute(hid_t *out, hid_t *type, hid_t object, const char *name)
{
    htri_t there = H5Aexists(object, name);
    CR_TRY(hdf_was_read(there, name));
    CR_CHECK(there > 0, CR_BAD_DATA, "%s: expected an attribute, found none", name);
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    CR_TRY(hdf_was_read(attribute, name));
    *type = H5Aget_type(attribute);
    *out = attribute;
    return CR_OK;
}

cr_status hdf_get(hid_t object, const char *name, hid_t type, void *value)
{
    cr_status status = CR_OK;
    hid_t attribute = H5I_INVALID_HID;
    hid_t found = H5I_INVALID_HID;
    CR_TRY(open_attribute(&attribute, &found, object, name));
    CR_CHECK_GOTO(H5Tequal(found, type) > 0, CR_BAD_DATA, "%s: attribute of an unexpected type",
                  name);
    CR_TRY_GOTO(hdf_was_read(H5Aread(attribute, type, value), name));
done:
    (void)H5Tclose(found); /* only read from */
    (void)H5Aclose(attribute);
    return status;
}

static cr_status copy_text(char **out, const char *text)
{
    size_t bytes = strlen(text) + 1;
    CR_TRY(cr_alloc((void **)out, bytes));
    memcpy(*out, text, bytes);
    return CR_OK;
}

cr_status hdf_get_text(hid_t object, const char *name, char **out)
{
    cr_status status = CR_OK;
    char *text = NULL; /* HDF5's; stays NULL when the text is empty */
    hid_t type = text_type();
    CR_TRY_GOTO(hdf_get(object, name, type, &text));
    CR_TRY_GOTO(copy_text(out, text != NULL ? text : ""));
done:
    (void)H5free_memory(text); /* accepts NULL */
    (void)H5Tclose(type);
    return status;
}

cr_status hdf_get_attribute(hid_t object, cr_attribute *attribute)
{
    void *values[] = {
        [CR_ATTRIBUTE_I64] = &attribute->i64,
        [CR_ATTRIBUTE_F64] = &attribute->f64,
    };
    if (attribute->optional && H5Aexists(object, attribute->name) == 0)
        return CR_OK;
    if (attribute->type == CR_ATTRIBUTE_TEXT)
        return hdf_get_text(object, attribute->name, &attribute->text);
    return hdf_get(object, attribute->name, number_type(attribute->type), values[attribute->type]);
}

cr_status hdf_attribute_type(hid_t object, const char *name, cr_attribute_type *out)
{
    hid_t attribute = H5I_INVALID_HID;
    hid_t found = H5I_INVALID_HID;
    CR_TRY(open_attribute(&attribute, &found, object, name));
    *out = CR_ATTRIBUTE_TEXT; /* what is of no type that we write fails when it is read as text */
    for (int type = CR_ATTRIBUTE_I64; type < CR_ATTRIBUTE_TEXT; type++)
        if (H5Tequal(found, number_type((cr_attribute_type)type)) > 0)
            *out = (cr_attribute_type)type;
    (void)H5Tclose(found); /* only read from */
    (void)H5Aclose(attribute);
    return CR_OK;
}
