#define PCRE2_CODE_UNIT_WIDTH 8
#include "key_rule.h"

#include "base/limits.h"

#include <pcre2.h>
#include <stdio.h>

int fg_key_rule_compile(struct fg_key_rule *rule, char *ret_message)
{
    int code;
    PCRE2_SIZE offset;
    PCRE2_UCHAR message[160] = "";
    pcre2_code *compiled =
        pcre2_compile(rule->pattern.data, rule->pattern.size, PCRE2_UTF, &code, &offset, NULL);
    if (!compiled) {
        pcre2_get_error_message(code, message, sizeof message);
        snprintf(ret_message, 200, "%s (at character %zu)", (const char *)message, offset + 1);
        return FG_EINVALID;
    }
    /* Without it the interpreter does the same, slower. */
    (void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    rule->compiled = compiled;
    return 0;
}

struct fg_slice fg_key_rule_value(const struct fg_key_rule *rule, struct fg_slice text)
{
    struct fg_slice none = {0}, value = none;
    if (!rule->compiled)
        return text;
    if (text.size == 0 || text.size > FG_ATTR_VALUE_SIZE_MAX)
        return none;
    pcre2_match_data *match = pcre2_match_data_create(2, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (match && context) {
        pcre2_set_match_limit(context, FG_REGEX_STEPS_MAX);
        int groups = pcre2_match(rule->compiled, text.data, text.size, 0, PCRE2_NO_UTF_CHECK, match,
                                 context);
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(match);
        unsigned group = groups == 0 || groups > 1 ? 1 : 0;
        if (groups >= 0 && ends[2 * group] != PCRE2_UNSET && ends[2 * group + 1] >= ends[2 * group])
            value = fg_slice(text.data + ends[2 * group], ends[2 * group + 1] - ends[2 * group]);
    }
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    return value;
}

void fg_flows_free(struct fg_flows *flows)
{
    for (uint32_t i = 0; i < flows->key_rule_count; i++)
        pcre2_code_free(flows->key_rules[i].compiled);
    *flows = (struct fg_flows){0};
}
