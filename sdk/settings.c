#include "settings.h"

#include "base/hex.h"
#include "base/limits.h"
#include "notice.h"
#include "os/guest.h"
#include "os/tick.h"
#include "redact/redact.h"
#include "redact/value.h"
#include "ring.h"
#include "wire/otlp_value.h"
#include "wire/w3c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GRPC_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/* Where options are read: an option that is there wins over the variable. */
struct source {
    const fg_options *options;
    int error; /* of the options; sticky */
};

static bool is_set(const char *text)
{
    return text && *text;
}

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return is_set(text) ? text : NULL;
}

/* OTEL_EXPORTER_OTLP_TRACES_X, then OTEL_EXPORTER_OTLP_X. */
static const char *exporter_variable(const char *suffix, bool *ret_is_general)
{
    char name[96];
    snprintf(name, sizeof name, "OTEL_EXPORTER_OTLP_TRACES_%s", suffix);
    const char *text = variable(name);
    if (ret_is_general)
        *ret_is_general = !text;
    if (text)
        return text;
    snprintf(name, sizeof name, "OTEL_EXPORTER_OTLP_%s", suffix);
    return variable(name);
}

/* A wrong text: an option's ends the start, a variable's is said. */
static void wrong(struct source *source, bool is_option, const char *what, const char *text)
{
    if (is_option)
        source->error = FG_EINVALID;
    fg_notice(FG_NOTICE_SETTING, "filigree: %s \"%.100s\" is wrong; %s", what, text,
              is_option ? "tracing does not start" : "the default is taken");
}

static char *copy(struct source *source, const char *text)
{
    char *own = strdup(text);
    if (!own)
        source->error = FG_ENOMEM;
    return own;
}

static char *copy_if_set(struct source *source, const char *option, const char *text)
{
    const char *chosen = is_set(option) ? option : text;
    return chosen ? copy(source, chosen) : NULL;
}

/* A number of at least min and at most max; option 0 is none. */
static uint32_t number(struct source *source, unsigned option, const char *name, uint32_t preset,
                       uint32_t min, uint32_t max)
{
    const char *text = variable(name);
    if (option) {
        if (option < min || option > max) {
            char digits[16];
            snprintf(digits, sizeof digits, "%u", option);
            wrong(source, true, name, digits);
        }
        return option;
    }
    if (!text)
        return preset;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || value < (long long)min || value > (long long)max) {
        wrong(source, false, name, text);
        return preset;
    }
    return (uint32_t)value;
}

static uint64_t milliseconds(struct source *source, unsigned option, const char *name,
                             uint32_t preset)
{
    return number(source, option, name, preset, 0, 1u << 30) * FG_NS_PER_MS;
}

static bool truth(struct source *source, const char *name, bool preset)
{
    const char *text = variable(name);
    if (!text)
        return preset;
    if (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcasecmp(text, "on") == 0)
        return true;
    if (strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0 && strcasecmp(text, "off") != 0)
        wrong(source, false, name, text);
    return false;
}

/* Names with commas and blanks between them. */
static void read_list(struct source *source, const char *text, bool is_option, const char *what,
                      struct fg_texts *texts)
{
    while (*text) {
        size_t size = strcspn(text, ", \t");
        if (size && fg_texts_add(texts, fg_slice(text, size)) < 0)
            wrong(source, is_option, what, text);
        text += size + (text[size] != 0);
    }
}

/* -- The resource ---------------------------------------------------------------------------- */

static void put_resource(struct fg_settings *settings, struct fg_slice key,
                         const struct fg_otlp_value *value)
{
    size_t entry = fg_pb_begin(&settings->resource, FG_RING_SETTING_RESOURCE);
    fg_pb_put_bytes(&settings->resource, 1, key);
    size_t any = fg_pb_begin(&settings->resource, 2);
    fg_otlp_value_encode(&settings->resource, value);
    fg_pb_end(&settings->resource, any);
    fg_pb_end(&settings->resource, entry);
}

static void put_resource_text(struct fg_settings *settings, const char *key, const char *text)
{
    struct fg_otlp_value value = fg_otlp_string(fg_slice_from_string(text));
    put_resource(settings, fg_slice_from_string(key), &value);
}

/* The instance's id as a UUID of version 4 (RFC 4122). */
static void make_instance_id(struct fg_settings *settings, char text[37])
{
    uint64_t seed[4];
    fg_guest_seed(seed);
    memcpy(settings->instance_id, seed, sizeof settings->instance_id);
    settings->instance_id[6] = (uint8_t)((settings->instance_id[6] & 0x0f) | 0x40);
    settings->instance_id[8] = (uint8_t)((settings->instance_id[8] & 0x3f) | 0x80);
    static const uint8_t parts[] = {4, 2, 2, 2, 6};
    const uint8_t *from = settings->instance_id;
    for (size_t i = 0; i < sizeof parts; i++) {
        fg_hex_encode(fg_slice(from, parts[i]), text);
        from += parts[i];
        text += 2 * parts[i];
        *text++ = i + 1 < sizeof parts ? '-' : 0;
    }
}

/* "key=value,…" in the form of baggage (Resource SDK, "Specifying resource information via an
 * environment variable"). Of one key the first counts: options come first. */
static void read_attributes(struct source *source, struct fg_settings *settings, const char *text,
                            bool is_option, struct fg_slice *service, struct fg_slice *instance)
{
    struct fg_slice rest = fg_slice_from_string(text);
    struct fg_baggage_member member;
    struct fg_buffer value;
    int r;
    fg_buffer_init(&value, FG_RING_SETTINGS_SIZE);
    while ((r = fg_baggage_next(&rest, &member)) != 0) {
        if (r < 0) {
            wrong(source, is_option, "resource attributes", text);
            continue;
        }
        if (fg_slice_equal(member.key, FG_SLICE("service.name"))) {
            *service = member.value;
            continue;
        }
        if (fg_slice_equal(member.key, FG_SLICE("service.instance.id")))
            *instance = member.value;
        fg_buffer_reset(&value);
        fg_baggage_decode(&value, member.value);
        struct fg_otlp_value otlp = fg_otlp_string(fg_buffer_slice(&value));
        put_resource(settings, member.key, &otlp);
    }
    fg_buffer_free(&value);
}

static void choose_service(struct source *source, struct fg_settings *settings,
                           struct fg_slice found)
{
    const char *given = is_set(source->options->service_name) ? source->options->service_name
                                                              : variable("OTEL_SERVICE_NAME");
    struct fg_buffer name;
    fg_buffer_init(&name, FG_NAME_SIZE_MAX);
    if (given) {
        fg_buffer_append_string(&name, given);
    } else if (found.size) {
        fg_baggage_decode(&name, found);
    } else {
        fg_buffer_append_string(&name, "unknown_service:");
        fg_buffer_append_string(&name, program_invocation_short_name);
    }
    fg_buffer_append_byte(&name, 0);
    if (name.error)
        source->error = name.error == FG_ELIMIT ? FG_EINVALID : name.error;
    else
        settings->service = copy(source, (const char *)name.data);
    fg_buffer_free(&name);
}

static void read_resource(struct source *source, struct fg_settings *settings)
{
    struct fg_slice service = {0}, instance = {0};
    char id[37], host[256] = {0};
    fg_buffer_init(&settings->resource, FG_RING_SETTINGS_SIZE / 2);
    const char *text = variable("OTEL_RESOURCE_ATTRIBUTES");
    if (is_set(source->options->resource_attributes))
        read_attributes(source, settings, source->options->resource_attributes, true, &service,
                        &instance);
    if (text)
        read_attributes(source, settings, text, false, &service, &instance);
    choose_service(source, settings, service);
    if (settings->service)
        put_resource_text(settings, "service.name", settings->service);
    make_instance_id(settings, id);
    if (!instance.size)
        put_resource_text(settings, "service.instance.id", id);
    put_resource_text(settings, "telemetry.sdk.name", "filigree");
    put_resource_text(settings, "telemetry.sdk.language", "c");
    put_resource_text(settings, "telemetry.sdk.version", FG_VERSION);
    struct fg_otlp_value pid = fg_otlp_int((int64_t)fg_guest_pid());
    put_resource(settings, FG_SLICE("process.pid"), &pid);
    put_resource_text(settings, "process.executable.name", program_invocation_short_name);
    if (gethostname(host, sizeof host - 1) == 0 && host[0])
        put_resource_text(settings, "host.name", host);
    if (settings->resource.error)
        source->error = settings->resource.error == FG_ELIMIT ? FG_EINVALID : FG_ENOMEM;
}

/* -- The way out ----------------------------------------------------------------------------- */

static void read_protocol(struct source *source, struct fg_settings *settings)
{
    bool is_option = is_set(source->options->protocol);
    const char *text = is_option ? source->options->protocol : exporter_variable("PROTOCOL", NULL);
    settings->outlet.grpc = text && strcmp(text, "grpc") == 0;
    if (text && !settings->outlet.grpc && strcmp(text, "http/protobuf") != 0)
        wrong(source, is_option, "protocol", text);
}

static void read_compression(struct source *source, struct fg_settings *settings)
{
    bool is_option = is_set(source->options->compression);
    const char *text =
        is_option ? source->options->compression : exporter_variable("COMPRESSION", NULL);
    settings->outlet.gzip = text && strcmp(text, "gzip") == 0;
    if (text && !settings->outlet.gzip && strcmp(text, "none") != 0)
        wrong(source, is_option, "compression", text);
}

static bool is_url(const char *text)
{
    bool has_scheme = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    if (!has_scheme)
        return false;
    const char *host = strstr(text, "://") + 3;
    if (*host == 0 || *host == '/')
        return false;
    for (; *host; host++)
        if ((unsigned char)*host <= ' ')
            return false;
    return true;
}

/* OTLP exporter specification, "Endpoint URLs for OTLP/HTTP": the general endpoint is a base, that
 * of traces is taken as it is. gRPC endpoints may come without a scheme. */
static void read_endpoint(struct source *source, struct fg_settings *settings)
{
    bool is_option = is_set(source->options->endpoint), is_base = true,
         grpc = settings->outlet.grpc;
    const char *text = source->options->endpoint;
    if (!is_option)
        text = exporter_variable("ENDPOINT", &is_base);
    char with_scheme[2048];
    if (text && grpc && !strstr(text, "://")) {
        const char *insecure = exporter_variable("INSECURE", NULL);
        bool plain = insecure && strcasecmp(insecure, "true") == 0;
        snprintf(with_scheme, sizeof with_scheme, "%s://%s", plain ? "http" : "https", text);
        text = with_scheme;
    }
    if (text && (!is_url(text) || strlen(text) > 1900)) {
        wrong(source, is_option, "endpoint", text);
        text = NULL;
    }
    if (!text) {
        text = grpc ? "http://localhost:4317" : "http://localhost:4318";
        is_base = true;
    }
    size_t size = strlen(text);
    while (is_base && size && text[size - 1] == '/')
        size--;
    char url[2048];
    const char *path = grpc ? GRPC_PATH : is_base ? "/v1/traces" : "";
    snprintf(url, sizeof url, "%.*s%s", (int)size, text, path);
    settings->outlet.url = copy(source, url);
}

static bool is_header_value(struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return true;
}

static void read_headers(struct source *source, struct fg_settings *settings)
{
    bool is_option = is_set(source->options->headers);
    const char *text = is_option ? source->options->headers : exporter_variable("HEADERS", NULL);
    struct fg_slice rest = fg_slice_from_string(text);
    struct fg_baggage_member member;
    struct fg_buffer line;
    int r;
    fg_buffer_init(&line, FG_BAGGAGE_SIZE_MAX);
    while ((r = fg_baggage_next(&rest, &member)) != 0) {
        fg_buffer_reset(&line);
        if (r > 0) {
            fg_buffer_append_slice(&line, member.key);
            fg_buffer_append_string(&line, ": ");
            fg_baggage_decode(&line, member.value);
        }
        /* Not said which: a header is often a secret. */
        if (r < 0 || line.error || !is_header_value(fg_buffer_slice(&line)) ||
            fg_texts_add(&settings->outlet.headers, fg_buffer_slice(&line)) < 0)
            wrong(source, is_option, "one of the exporter's headers", "…");
    }
    fg_buffer_free(&line);
}

static void read_outlet(struct source *source, struct fg_settings *settings)
{
    const fg_options *options = source->options;
    struct fg_outlet_settings *outlet = &settings->outlet;
    read_protocol(source, settings);
    read_compression(source, settings);
    read_endpoint(source, settings);
    read_headers(source, settings);
    outlet->certificate =
        copy_if_set(source, options->certificate, exporter_variable("CERTIFICATE", NULL));
    outlet->client_certificate = copy_if_set(source, options->client_certificate,
                                             exporter_variable("CLIENT_CERTIFICATE", NULL));
    outlet->client_key =
        copy_if_set(source, options->client_key, exporter_variable("CLIENT_KEY", NULL));
    bool of_traces = variable("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") != NULL;
    outlet->timeout_ms =
        number(source, options->timeout_ms,
               of_traces ? "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT" : "OTEL_EXPORTER_OTLP_TIMEOUT",
               10000, 1, 1u << 30);
}

/* -- The rest ---------------------------------------------------------------------------------- */

static void read_sampler(struct source *source, struct fg_settings *settings)
{
    bool is_option = is_set(source->options->sampler);
    const char *text = is_option ? source->options->sampler : variable("OTEL_TRACES_SAMPLER");
    struct fg_sampler sampler = {.root = FG_SAMPLING_ALL, .parent_based = true};
    settings->sampler = sampler;
    if (!text)
        return;
    static const char prefix[] = "parentbased_";
    sampler.parent_based = strncmp(text, prefix, sizeof prefix - 1) == 0;
    const char *root = sampler.parent_based ? text + sizeof prefix - 1 : text;
    if (strcmp(root, "always_on") == 0) {
        sampler.root = FG_SAMPLING_ALL;
    } else if (strcmp(root, "always_off") == 0) {
        sampler.root = FG_SAMPLING_NONE;
    } else if (strcmp(root, "traceidratio") == 0) {
        sampler.root = FG_SAMPLING_RATIO;
    } else {
        wrong(source, is_option, "sampler", text);
        return;
    }
    if (sampler.root == FG_SAMPLING_RATIO) {
        bool arg_is_option = is_set(source->options->sampler_arg);
        const char *arg =
            arg_is_option ? source->options->sampler_arg : variable("OTEL_TRACES_SAMPLER_ARG");
        char *end = NULL;
        double ratio = arg ? strtod(arg, &end) : 1.0;
        if (arg && (end == arg || *end || !(ratio >= 0 && ratio <= 1))) {
            wrong(source, arg_is_option, "sampler's argument", arg);
            ratio = 1.0;
        }
        sampler.ratio_bound = (uint64_t)(ratio * 9223372036854775808.0);
    }
    settings->sampler = sampler;
}

static void read_limits(struct source *source, struct fg_settings *settings)
{
    struct fg_limits *limits = &settings->limits;
    uint32_t general = number(source, 0, "OTEL_ATTRIBUTE_COUNT_LIMIT", 128, 0, FG_ATTRS_MAX);
    uint32_t size = number(source, 0, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 16384, 0, 32768);
    limits->attributes =
        number(source, 0, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", general, 0, FG_ATTRS_MAX);
    limits->value_size =
        number(source, 0, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", size, 0, 32768);
    limits->events = number(source, 0, "OTEL_SPAN_EVENT_COUNT_LIMIT", 128, 0, FG_EVENTS_MAX);
    limits->links = number(source, 0, "OTEL_SPAN_LINK_COUNT_LIMIT", 128, 0, FG_LINKS_MAX);
    limits->event_attributes =
        number(source, 0, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", general, 0, FG_ATTRS_MAX);
    limits->link_attributes =
        number(source, 0, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", general, 0, FG_ATTRS_MAX);
}

static void read_batches(struct source *source, struct fg_settings *settings)
{
    const fg_options *options = source->options;
    /* A slot a span, and as many again for those that need more than one. */
    uint32_t queue = number(source, options->queue_size, "OTEL_BSP_MAX_QUEUE_SIZE", 8192, 16,
                            FG_RING_SLOTS_MAX / 2);
    settings->slot_count = 2 * queue;
    settings->batch_size =
        number(source, options->batch_size, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1, 65536);
    if (settings->batch_size > queue)
        settings->batch_size = queue;
    settings->delay_ns = milliseconds(source, options->delay_ms, "OTEL_BSP_SCHEDULE_DELAY", 1000);
    settings->exit_timeout_ns =
        milliseconds(source, options->exit_timeout_ms, "FILIGREE_EXIT_TIMEOUT", 2000);
    settings->announce_after_ns =
        milliseconds(source, options->announce_after_ms, "FILIGREE_ANNOUNCE_AFTER", 30000);
    settings->heartbeat_ns = milliseconds(source, 0, "FILIGREE_HEARTBEAT", 30000);
}

static void read_recorder(struct source *source, struct fg_settings *settings)
{
    const fg_options *options = source->options;
    settings->recorder = options->recorder == FG_RECORDER_DEFAULT
                             ? truth(source, "FILIGREE_RECORDER", true)
                             : options->recorder == FG_RECORDER_ON;
    settings->note_faults = truth(source, "FILIGREE_RECORDER_FAULTS", true);
    settings->fast_clock = truth(source, "FILIGREE_FAST_CLOCK", true) && fg_tick_is_usable();
    char preset[64];
    snprintf(preset, sizeof preset, "/dev/shm/filigree-%u", (unsigned)fg_guest_uid());
    const char *text = variable("FILIGREE_RECORDER_DIR");
    settings->recorder_dir = copy_if_set(source, options->recorder_dir, text ? text : preset);
}

static const char default_denied[] =
    "password,passwd,secret,token,api_key,apikey,authorization,cookie,set-cookie,"
    "http.request.header.authorization,http.request.header.cookie,http.response.header.set-cookie,"
    "http.request.header.x-api-key,db.password,enduser.password,card.number,card.cvc,cvv,cvc,pan";

static void read_redaction(struct source *source, struct fg_settings *settings)
{
    static const struct {
        const char *name;
        unsigned kind;
    } kinds[] = {{"card", FG_REDACT_CARD},
                 {"email", FG_REDACT_EMAIL},
                 {"token", FG_REDACT_TOKEN},
                 {"sql", FG_REDACT_SQL}};
    bool is_option = source->options->redact_keys != NULL;
    const char *text = is_option ? source->options->redact_keys : getenv("FILIGREE_REDACT_KEYS");
    read_list(source, text ? text : default_denied, is_option, "keys to redact",
              &settings->denied_keys);
    struct fg_redact *rules = NULL;
    if (fg_redact_new((const char *const *)settings->denied_keys.items, settings->denied_keys.count,
                      &rules) < 0) {
        wrong(source, is_option, "keys to redact", text ? text : "");
        fg_texts_free(&settings->denied_keys);
        read_list(source, default_denied, false, "keys to redact", &settings->denied_keys);
    }
    fg_redact_unref(rules);
    is_option = source->options->redact_values != NULL;
    text = is_option ? source->options->redact_values : getenv("FILIGREE_REDACT_VALUES");
    struct fg_texts names = {.count = 0};
    read_list(source, text ? text : "card,email,token,sql", is_option, "values to redact", &names);
    for (uint32_t i = 0; i < names.count; i++) {
        unsigned kind = 0;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            kind |= strcmp(names.items[i], kinds[k].name) == 0 ? kinds[k].kind : 0;
        if (!kind)
            wrong(source, is_option, "values to redact", names.items[i]);
        settings->redact_kinds |= kind;
    }
    fg_texts_free(&names);
}

static void read_journey_keys(struct source *source, struct fg_settings *settings)
{
    bool is_option = source->options->journey_keys != NULL;
    const char *text = is_option ? source->options->journey_keys : getenv("FILIGREE_JOURNEY_KEYS");
    read_list(source, text ? text : "order.id", is_option, "journey keys", &settings->journey_keys);
    for (uint32_t i = 0; i < settings->journey_keys.count; i++)
        if (!fg_baggage_key_valid(fg_slice_from_string(settings->journey_keys.items[i])))
            wrong(source, is_option, "journey keys", settings->journey_keys.items[i]);
}

int fg_settings_read(const fg_options *options, struct fg_settings *ret_settings)
{
    /* What an older program's struct does not have stays 0. */
    fg_options whole = {0};
    if (options && options->size < sizeof options->size)
        return FG_EINVALID;
    if (options)
        memcpy(&whole, options, options->size < sizeof whole ? options->size : sizeof whole);
    struct source source = {.options = &whole};
    struct fg_settings settings = {0};
    const char *exporter = variable("OTEL_TRACES_EXPORTER");
    settings.disabled =
        truth(&source, "OTEL_SDK_DISABLED", false) || (exporter && strcmp(exporter, "none") == 0);
    if (exporter && strcmp(exporter, "none") != 0 && strcmp(exporter, "otlp") != 0)
        wrong(&source, false, "OTEL_TRACES_EXPORTER", exporter);
    read_resource(&source, &settings);
    read_outlet(&source, &settings);
    read_sampler(&source, &settings);
    read_limits(&source, &settings);
    read_batches(&source, &settings);
    read_recorder(&source, &settings);
    read_redaction(&source, &settings);
    read_journey_keys(&source, &settings);
    if (source.error) {
        fg_settings_free(&settings);
        return source.error;
    }
    *ret_settings = settings;
    return 0;
}

void fg_settings_free(struct fg_settings *settings)
{
    free(settings->service);
    free(settings->recorder_dir);
    fg_outlet_settings_free(&settings->outlet);
    fg_buffer_free(&settings->resource);
    fg_texts_free(&settings->denied_keys);
    fg_texts_free(&settings->journey_keys);
    *settings = (struct fg_settings){0};
}

void fg_settings_encode(const struct fg_settings *settings, struct fg_buffer *buffer)
{
    fg_pb_put_bytes(buffer, FG_RING_SETTING_SERVICE, fg_slice_from_string(settings->service));
    fg_buffer_append_slice(buffer, fg_buffer_slice(&settings->resource));
    for (uint32_t i = 0; i < settings->denied_keys.count; i++)
        fg_pb_put_bytes(buffer, FG_RING_SETTING_DENIED_KEY,
                        fg_slice_from_string(settings->denied_keys.items[i]));
    for (uint32_t i = 0; i < settings->journey_keys.count; i++)
        fg_pb_put_bytes(buffer, FG_RING_SETTING_JOURNEY_KEY,
                        fg_slice_from_string(settings->journey_keys.items[i]));
    fg_pb_put_varint(buffer, FG_RING_SETTING_KINDS, settings->redact_kinds);
}
