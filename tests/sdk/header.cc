/* The header is C++, too: its structs, its initialisers, its guarded calls, its callbacks. */
#include <filigree.h>

#include <string>

namespace
{
const char *get(void *carrier, const char *name)
{
    return std::string(name) == "traceparent" ? static_cast<const char *>(carrier) : nullptr;
}

int put(void *carrier, const char *name, const char *value)
{
    *static_cast<std::string *>(carrier) += std::string(name) + "=" + value + ";";
    return 0;
}
} // namespace

int main()
{
    fg_options options = FG_OPTIONS_INIT;
    fg_span_options span_options = FG_SPAN_OPTIONS_INIT;
    options.service_name = "cpp";
    options.recorder = FG_RECORDER_OFF;
    options.endpoint = "http://127.0.0.1:1";
    /* Before the start nothing is recorded; the calls are there by name as well. */
    fg_span early = fg_span_start("early", nullptr);
    void (*end)(fg_span) = &fg_span_end;
    end(early);
    if (options.size != sizeof(fg_options) || fg_span_is_valid(early) || fg_tracing_start(&options) != 0)
        return 1;
    char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    fg_context *context = fg_context_extract(get, parent);
    const fg_attr attrs[] = {fg_attr_string("a", "text"), fg_attr_int("b", 1), fg_attr_double("c", 0.5),
                             fg_attr_bool("d", 1)};
    span_options.kind = FG_SPAN_CLIENT;
    span_options.parent = context;
    span_options.attrs = attrs;
    span_options.attr_count = 4;
    fg_span span = fg_span_start("from.cpp", &span_options);
    fg_scope scope = fg_span_enter(span);
    fg_span_set_string(span, "key", "value");
    fg_span_set_string_n(span, "part", "value", 3);
    fg_span_set_int(span, "int", 1);
    fg_span_set_double(span, "double", 0.5);
    fg_span_set_bool(span, "bool", true);
    std::string headers;
    fg_context_inject(nullptr, put, &headers);
    fg_scope_leave(&scope);
    bool is_recording = fg_span_is_recording(span) != 0;
    end(span);
    bool is_over = !fg_span_is_recording(span);
    fg_context_free(context);
    fg_tracing_stop(0);
    return is_recording && is_over && headers.find("4bf92f3577b34da6a3ce929d0e0e4736") != std::string::npos ? 0 : 1;
}
