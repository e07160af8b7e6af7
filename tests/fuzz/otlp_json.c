/* OTLP in JSON: any bytes are refused, or taken and written back alike, in both formats. */
#include "transcode.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_slice body = fg_slice(data, size);
    transcode_twice(fg_otlp_decode_traces_json, body, FG_OTLP_JSON);
    transcode_twice(fg_otlp_decode_traces_json, body, FG_OTLP_PROTOBUF);
    return 0;
}
