/* The header is C++, too. */
#include <filigree.h>

int main()
{
    fg_options options = FG_OPTIONS_INIT;
    fg_span_options span_options = FG_SPAN_OPTIONS_INIT;
    options.service_name = "cpp";
    span_options.kind = FG_SPAN_CLIENT;
    fg_span span = fg_span_start("from.cpp", &span_options);
    fg_span_end(span);
    return options.size == sizeof(fg_options) && !fg_span_is_valid(span) ? 0 : 1;
}
