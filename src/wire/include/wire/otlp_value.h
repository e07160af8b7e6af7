/* OTLP's AnyValue (opentelemetry/proto/common/v1/common.proto): the value of an attribute.
 *
 * Arrays and maps stay in their protobuf encoding: `encoded` is an AnyValue message, whole and
 * checked, whatever the format that it came in. Its strings may hold ill-formed UTF-8. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "wire/protobuf.h"

/* The numbers are those of AnyValue's fields. */
enum fg_otlp_value_type {
    FG_OTLP_EMPTY = 0, /* an AnyValue with nothing set, or with a kind that is not known here */
    FG_OTLP_STRING = 1,
    FG_OTLP_BOOL = 2,
    FG_OTLP_INT = 3,
    FG_OTLP_DOUBLE = 4,
    FG_OTLP_ARRAY = 5,
    FG_OTLP_KVLIST = 6,
    FG_OTLP_BYTES = 7,
};

struct fg_otlp_value {
    enum fg_otlp_value_type type;
    union {
        struct fg_slice string; /* UTF-8 unchecked */
        struct fg_slice bytes;
        struct fg_slice encoded; /* ARRAY, KVLIST: an AnyValue message */
        bool boolean;
        int64_t integer;
        double number;
    };
};

static inline struct fg_otlp_value fg_otlp_string(struct fg_slice string)
{
    return (struct fg_otlp_value){.type = FG_OTLP_STRING, .string = string};
}

static inline struct fg_otlp_value fg_otlp_int(int64_t integer)
{
    return (struct fg_otlp_value){.type = FG_OTLP_INT, .integer = integer};
}

static inline struct fg_otlp_value fg_otlp_bool(bool boolean)
{
    return (struct fg_otlp_value){.type = FG_OTLP_BOOL, .boolean = boolean};
}

static inline struct fg_otlp_value fg_otlp_double(double number)
{
    return (struct fg_otlp_value){.type = FG_OTLP_DOUBLE, .number = number};
}

/* Decodes an AnyValue message and checks all that lies in it. Of several set fields the last one
 * counts, as proto3 has it for a oneof. The value's slices lie in message. FG_EINVALID; FG_ELIMIT
 * for arrays and maps nested deeper than FG_VALUE_DEPTH_MAX. */
FG_MUST_CHECK int fg_otlp_value_decode(struct fg_slice message, struct fg_otlp_value *ret_value);

/* Writes the AnyValue message (without tag and length of its own). Arrays and maps are copied as
 * they are. */
void fg_otlp_value_encode(struct fg_buffer *buffer, const struct fg_otlp_value *value);

/* Walks the elements of an array or the entries of a map, one level:
 *     struct fg_otlp_items items = fg_otlp_items(&value);
 *     while (fg_otlp_items_next(&items, &key, &element)) ...
 * A value of another type has no items. */
struct fg_otlp_items {
    struct fg_pb_reader outer; /* the AnyValue's fields */
    struct fg_pb_reader inner; /* the ArrayValue's or KeyValueList's */
    enum fg_otlp_value_type type;
};

struct fg_otlp_items fg_otlp_items(const struct fg_otlp_value *value);

/* False at the end, and at bytes that fg_otlp_value_decode() would refuse. *ret_key is empty for an
 * array. */
bool fg_otlp_items_next(struct fg_otlp_items *items, struct fg_slice *ret_key,
                        struct fg_otlp_value *ret_value);
