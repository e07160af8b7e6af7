#include "time_range.h"

#include "base/units.h"

static enum fg_exit parse_moment(struct fg_cli *cli, const struct fg_arguments *arguments,
                                 const char *name, uint64_t *ret_ns)
{
    const char *text = fg_arguments_get(arguments, name);
    if (text && fg_time_parse(fg_slice_from_string(text), ret_ns) < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "--%s: '%s' is no moment; expected one like 2026-11-24T14:00:00Z or "
                           "seconds since 1970",
                           name, text);
    return FG_EXIT_OK;
}

enum fg_exit fg_time_range_parse(struct fg_cli *cli, const struct fg_arguments *arguments,
                                 struct fg_time_range *ret_range)
{
    struct fg_time_range range = {0, UINT64_MAX};
    const char *since = fg_arguments_get(arguments, "since");
    uint64_t age_ns = 0, now_ns = fg_env_wall_ns(cli->env);
    if (since && fg_arguments_has(arguments, "start"))
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "--since and --start say the same; give one of them");
    if (since && fg_duration_parse(fg_slice_from_string(since), &age_ns) < 0)
        return fg_cli_fail(cli, FG_EXIT_USAGE,
                           "--since: '%s' is no time; expected one like 30d, 2h or 90s", since);
    if (since)
        range.start_ns_min = age_ns < now_ns ? now_ns - age_ns : 0;
    enum fg_exit code = parse_moment(cli, arguments, "start", &range.start_ns_min);
    if (code == FG_EXIT_OK)
        code = parse_moment(cli, arguments, "end", &range.start_ns_max);
    if (code != FG_EXIT_OK)
        return code;
    if (range.start_ns_min >= range.start_ns_max)
        return fg_cli_fail(cli, FG_EXIT_USAGE, "the window of time ends before it starts");
    *ret_range = range;
    return FG_EXIT_OK;
}
