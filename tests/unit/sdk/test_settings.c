/* Settings: OpenTelemetry's variables, options above them, and what is wrong. */
#include "collect.h"

static unsigned said;

static void hear(void *arg, const char *text)
{
    (void)arg, (void)text;
    said++;
}

static struct fg_settings read_settings(const fg_options *options)
{
    struct fg_settings settings;
    assert_int_equal(fg_settings_read(options, &settings), 0);
    return settings;
}

static void defaults_are_opentelemetrys(void **state)
{
    (void)state;
    struct fg_settings settings = read_settings(NULL);
    assert_string_equal(settings.outlet.url, "http://localhost:4318/v1/traces");
    assert_string_equal(settings.service, "unknown_service:test_sdk_settings");
    assert_int_equal(settings.batch_size, 512);
    assert_int_equal(settings.limits.attributes, 128);
    assert_int_equal(settings.outlet.timeout_ms, 10000);
    assert_true(settings.sampler.parent_based && settings.sampler.root == FG_SAMPLING_ALL);
    assert_true(settings.recorder);
    fg_settings_free(&settings);
}

static void variables_are_read_and_options_win(void **state)
{
    (void)state;
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/base/", 1);
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x,a=b", 1);
    setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=from.attributes,team=gold%2Csmiths", 1);
    setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
    struct fg_settings settings = read_settings(NULL);
    assert_string_equal(settings.outlet.url, "http://collector:4318/base/v1/traces");
    assert_string_equal(settings.outlet.headers.items[0], "authorization: Bearer x");
    assert_int_equal(settings.outlet.headers.count, 2);
    assert_string_equal(settings.service, "from.attributes");
    assert_non_null(memmem(settings.resource.data, settings.resource.size, "gold,smiths", 11));
    assert_int_equal(settings.sampler.root, FG_SAMPLING_RATIO);
    assert_false(settings.sampler.parent_based);
    assert_int_equal(settings.sampler.ratio_bound, UINT64_C(1) << 61);
    assert_true(settings.outlet.gzip);
    fg_settings_free(&settings);
    setenv("OTEL_SERVICE_NAME", "from.variable", 1);
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/exactly", 1);
    fg_options options = FG_OPTIONS_INIT;
    options.sampler = "always_on";
    settings = read_settings(&options);
    assert_string_equal(settings.service, "from.variable");
    assert_string_equal(settings.outlet.url, "http://traces:1/exactly");
    assert_int_equal(settings.sampler.root, FG_SAMPLING_ALL);
    fg_settings_free(&settings);
    options.protocol = "grpc";
    options.endpoint = "https://grpc:4317";
    settings = read_settings(&options);
    assert_string_equal(
        settings.outlet.url,
        "https://grpc:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    fg_settings_free(&settings);
}

static void wrong_variables_are_said_and_passed_over(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"OTEL_BSP_MAX_QUEUE_SIZE", "many"},     {"OTEL_BSP_SCHEDULE_DELAY", "-1"},
        {"OTEL_TRACES_SAMPLER", "sometimes"},    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://x"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "smtp"}, {"OTEL_SPAN_LINK_COUNT_LIMIT", "1e9"},
        {"FILIGREE_REDACT_VALUES", "card,face"}, {"FILIGREE_REDACT_KEYS", "a*b"},
    };
    fg_notice_start(hear, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        said = 0;
        setenv(wrong[i][0], wrong[i][1], 1);
        struct fg_settings settings = read_settings(NULL);
        assert_int_equal(said, 1);
        fg_settings_free(&settings);
        unsetenv(wrong[i][0]);
    }
    fg_notice_start(NULL, NULL);
}

static void wrong_options_end_the_start(void **state)
{
    (void)state;
    struct fg_settings settings;
    for (int i = 0; i < 6; i++) {
        fg_options options = FG_OPTIONS_INIT;
        options.endpoint = i == 0 ? "nonsense" : NULL;
        options.sampler = i == 1 ? "x" : NULL;
        options.protocol = i == 2 ? "x" : NULL;
        options.queue_size = i == 3 ? 1 : 0;
        options.redact_values = i == 4 ? "x" : NULL;
        options.size = i == 5 ? 3 : sizeof options;
        assert_int_equal(fg_settings_read(&options, &settings), FG_EINVALID);
        assert_int_not_equal(fg_tracing_start(&options), 0);
        assert_null(atomic_load(&fg_sdk.active));
    }
}

static void disabled_is_off(void **state)
{
    (void)state;
    setenv("OTEL_SDK_DISABLED", "true", 1);
    assert_int_equal(fg_tracing_start(NULL), 0);
    assert_null(atomic_load(&fg_sdk.active));
    assert_false(fg_span_is_valid(fg_span_start("off", NULL)));
    fg_tracing_stop(0);
    unsetenv("OTEL_SDK_DISABLED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_opentelemetrys),
        cmocka_unit_test(variables_are_read_and_options_win),
        cmocka_unit_test(wrong_variables_are_said_and_passed_over),
        cmocka_unit_test(wrong_options_end_the_start),
        cmocka_unit_test(disabled_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
