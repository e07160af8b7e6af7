/* Targets and thresholds of the scorecard, as they are configured. */
#include "base/limits.h"
#include "base/units.h"
#include "journey/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define THRESHOLDS_MAX       256u
#define THRESHOLD_DEFAULT_NS (500 * FG_NS_PER_MS)
#define NUMBER_SIZE_MAX      32u

struct threshold {
    struct fg_slice service; /* "*": all others; the configuration's */
    uint64_t ns;
};

struct fg_score_rules {
    struct fg_score_target targets[FG_SCORE_MEASURE_COUNT];
    struct threshold thresholds[THRESHOLDS_MAX];
    uint32_t threshold_count;
};

const char *fg_score_measure_name(enum fg_score_measure measure)
{
    static const char *const names[FG_SCORE_MEASURE_COUNT] = {
        [FG_SCORE_MTTR] = "mttr",
        [FG_SCORE_SUCCESS_RATE] = "success_rate",
        [FG_SCORE_RESPONSE_P50] = "response_p50",
        [FG_SCORE_RESPONSE_P95] = "response_p95",
        [FG_SCORE_RESPONSE_P99] = "response_p99",
        [FG_SCORE_ERROR_RATE] = "error_rate",
        [FG_SCORE_APDEX] = "apdex",
    };
    return names[measure];
}

static bool is_time(enum fg_score_measure measure)
{
    return measure != FG_SCORE_SUCCESS_RATE && measure != FG_SCORE_ERROR_RATE &&
           measure != FG_SCORE_APDEX;
}

static bool is_more_better(enum fg_score_measure measure)
{
    return measure == FG_SCORE_SUCCESS_RATE || measure == FG_SCORE_APDEX;
}

/* NAME=VALUE; the last '=' parts them, since a service's name may hold one. */
static bool cut(const char *text, struct fg_slice *ret_name, const char **ret_value)
{
    const char *at = strrchr(text, '=');
    if (!at || at == text || at[1] == 0)
        return false;
    *ret_name = fg_slice(text, (size_t)(at - text));
    *ret_value = at + 1;
    return true;
}

/* A number with what stands behind it; false where it is none. */
static bool read_number(const char *text, double *ret_number, const char **ret_rest)
{
    char *end;
    if (strlen(text) > NUMBER_SIZE_MAX || strspn(text, "+-.0123456789") == 0)
        return false;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number))
        return false;
    while (*end == ' ')
        end++;
    *ret_number = number;
    *ret_rest = end;
    return true;
}

static bool read_target(enum fg_score_measure measure, const char *text,
                        struct fg_score_target *ret_target)
{
    const char *rest;
    double number;
    uint64_t ns;
    enum fg_score_target_kind level =
        is_more_better(measure) ? FG_SCORE_AT_LEAST : FG_SCORE_AT_MOST;
    if (strcmp(text, "none") == 0) {
        *ret_target = (struct fg_score_target){FG_SCORE_NO_TARGET, 0};
        return true;
    }
    bool is_signed = *text == '+' || *text == '-';
    bool is_number = read_number(text, &number, &rest);
    if (is_number && is_signed && strcmp(rest, "%") == 0) {
        *ret_target = (struct fg_score_target){FG_SCORE_CHANGE, number / 100};
        return true;
    }
    if (is_number && is_signed && strcmp(rest, "pt") == 0 && !is_time(measure)) {
        *ret_target = (struct fg_score_target){FG_SCORE_POINTS, number / 100};
        return true;
    }
    if (is_signed)
        return false;
    if (is_time(measure)) {
        if (fg_duration_parse(fg_slice_from_string(text), &ns) < 0 || ns == 0)
            return false;
        *ret_target = (struct fg_score_target){level, (double)ns};
        return true;
    }
    if (!is_number || (*rest && strcmp(rest, "%") != 0))
        return false;
    number = *rest ? number / 100 : number;
    *ret_target = (struct fg_score_target){level, number};
    return number >= 0 && number <= 1;
}

static bool add_target(struct fg_score_rules *rules, const char *text)
{
    struct fg_slice name;
    const char *value;
    if (!cut(text, &name, &value))
        return false;
    for (unsigned i = 0; i < FG_SCORE_MEASURE_COUNT; i++) {
        enum fg_score_measure measure = (enum fg_score_measure)i;
        if (fg_slice_equal(name, fg_slice_from_string(fg_score_measure_name(measure))))
            return read_target(measure, value, &rules->targets[i]);
    }
    return false;
}

static bool add_threshold(struct fg_score_rules *rules, const char *text)
{
    struct threshold threshold;
    const char *value;
    if (rules->threshold_count == THRESHOLDS_MAX || !cut(text, &threshold.service, &value) ||
        fg_duration_parse(fg_slice_from_string(value), &threshold.ns) < 0 || threshold.ns == 0 ||
        threshold.ns > FG_NS_PER_DAY)
        return false;
    rules->thresholds[rules->threshold_count++] = threshold;
    return true;
}

int fg_score_rules_new(const char *const *apdex, size_t apdex_count, const char *const *targets,
                       size_t target_count, char *message, size_t message_size,
                       struct fg_score_rules **ret_rules)
{
    struct fg_score_rules *rules = calloc(1, sizeof *rules);
    if (!rules)
        return FG_ENOMEM;
    rules->targets[FG_SCORE_MTTR] = (struct fg_score_target){FG_SCORE_CHANGE, -0.20};
    rules->targets[FG_SCORE_SUCCESS_RATE] = (struct fg_score_target){FG_SCORE_POINTS, 0.01};
    for (unsigned i = FG_SCORE_RESPONSE_P50; i <= FG_SCORE_ERROR_RATE; i++)
        rules->targets[i] = (struct fg_score_target){FG_SCORE_CHANGE, -0.10};
    rules->targets[FG_SCORE_APDEX] = (struct fg_score_target){FG_SCORE_AT_LEAST, 0.85};
    bool is_right = true;
    for (size_t i = 0; is_right && i < apdex_count; i++) {
        is_right = add_threshold(rules, apdex[i]);
        if (!is_right)
            snprintf(message, message_size,
                     "apdex: '%.80s' is no threshold; expected SERVICE=TIME or *=TIME, like "
                     "mes-api=2s",
                     apdex[i]);
    }
    for (size_t i = 0; is_right && i < target_count; i++) {
        is_right = add_target(rules, targets[i]);
        if (!is_right)
            snprintf(message, message_size,
                     "targets: '%.80s' is no target; expected MEASURE=CHANGE or MEASURE=LEVEL, "
                     "like mttr=-20%%, success_rate=+1pt, response_p95=300ms, apdex=0.9, mttr=none",
                     targets[i]);
    }
    if (!is_right) {
        free(rules);
        return FG_EINVALID;
    }
    *ret_rules = rules;
    return 0;
}

void fg_score_rules_free(struct fg_score_rules *rules)
{
    free(rules);
}

uint64_t fg_score_threshold(const struct fg_score_rules *rules, struct fg_slice service)
{
    uint64_t ns = THRESHOLD_DEFAULT_NS;
    bool is_own = false;
    for (uint32_t i = 0; i < rules->threshold_count; i++) {
        const struct threshold *threshold = &rules->thresholds[i];
        bool fits = fg_slice_equal(threshold->service, service);
        if (fits || (!is_own && fg_slice_equal(threshold->service, FG_SLICE("*"))))
            ns = threshold->ns;
        is_own |= fits;
    }
    return ns;
}

struct fg_score_target fg_score_target_of(const struct fg_score_rules *rules,
                                          enum fg_score_measure measure)
{
    return rules->targets[measure];
}
