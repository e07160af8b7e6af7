/* redact/redactor.h: which rule decides, what stands for what is taken, what a wrong rule is told.
 */
#include "redact/redactor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_arena arena;
static struct fg_redact_rules *rules;
static struct fg_redactor *redactor;
static const uint8_t hash_key[FG_REDACT_HASH_KEY_SIZE] = {1, 2, 3};

static void begin(const struct fg_redact_rule *list, size_t count, const uint8_t *key)
{
    const char *message = NULL;
    fg_arena_init(&arena, 1 << 20);
    assert_int_equal(fg_redact_rules_new(list, count, key, &arena, &message, &rules), 0);
    assert_int_equal(fg_redactor_new(rules, &redactor), 0);
}

static void begin_default(void)
{
    begin(fg_redact_default_rules, fg_redact_default_rule_count, hash_key);
}

static void end(void)
{
    fg_redactor_free(redactor);
    fg_redact_rules_unref(rules);
    fg_arena_free(&arena);
}

/* What is kept of a text under a key; NULL where the attribute goes. */
static const char *kept(const char *key, const char *text)
{
    const struct fg_redact_verdict *verdict =
        fg_redactor_verdict(redactor, fg_slice_from_string(key));
    struct fg_slice out;
    bool keeps = fg_redactor_keeps(redactor, verdict, fg_slice_from_string(text));
    int r = fg_redactor_text(redactor, verdict, fg_slice_from_string(text), &arena, &out);
    assert_true(r >= 0);
    /* What is said to be kept is. */
    assert_true(!keeps || r == FG_REDACTION_NONE);
    return r == FG_REDACTION_DROPPED ? NULL : fg_arena_string(&arena, out);
}

static void default_rules_take_what_they_name(void **state)
{
    (void)state;
    begin_default();
    assert_null(kept("http.request.header.authorization", "x"));
    assert_null(kept("db_password", "x"));
    assert_null(kept("Card.Number", "4111"));
    assert_string_equal(kept("note", "pay 4111111111111111 to a@example.org"),
                        kept("note", "pay 4111 1111 1111 1111 to a@example.org"));
    assert_string_equal(kept("db.query.text", "SELECT 1 FROM t WHERE mail='a@b.cc'"),
                        "SELECT ? FROM t WHERE mail=?");
    assert_string_equal(kept("url.full", "https://h/x?mail=a@b.cc"), "https://h/x?mail=?");
    assert_string_equal(kept("url.query", "a=1&b=2"), "a=?&b=?");
    assert_string_equal(kept("messaging.message.id", "<1@mq.example.org>"), "<1@mq.example.org>");
    assert_string_equal(kept("db.query.parameter.0", "Bob"), "[redacted]");
    /* A mark is not taken again; what only looks like one is. */
    assert_string_equal(kept("user.email", "[hash:0123456789abcdef]"), "[hash:0123456789abcdef]");
    assert_string_equal(kept("db.query.parameter.0", "[redacted]"), "[redacted]");
    static const char *const no_marks[] = {"[hash:0123456789abcde]",   "[hash:0123456789abcdeg]",
                                           "[hash:0123456789ABCDEF]",  "[hash:0123456789abcdef",
                                           "[hash:0123456789abcdef]a", "[redacted] Bob"};
    for (size_t i = 0; i < sizeof no_marks / sizeof *no_marks; i++) {
        assert_string_not_equal(kept("user.email", no_marks[i]), no_marks[i]);
        assert_string_equal(kept("db.query.parameter.0", no_marks[i]), "[redacted]");
    }
    assert_null(kept("password", "[redacted]"));
    assert_string_equal(kept("input_tokens", "17"), "17");
    assert_string_equal(kept("http.route", "/orders/{id}"), "/orders/{id}");
    assert_string_equal(kept("order.id", "ORD-4711"), "ORD-4711");
    end();
}

static void equal_values_hash_alike_and_only_under_one_key(void **state)
{
    (void)state;
    char first[80];
    begin_default();
    snprintf(first, sizeof first, "%s", kept("user.email", "a@example.org"));
    assert_memory_equal(first, "[hash:", 6);
    assert_int_equal(strlen(first), strlen("[hash:0123456789abcdef]"));
    assert_string_equal(kept("user.email", "a@example.org"), first);
    assert_string_not_equal(kept("user.email", "b@example.org"), first);
    assert_null(strstr(kept("text", "to a@example.org"), "example"));
    end();
    const uint8_t other[FG_REDACT_HASH_KEY_SIZE] = {9};
    begin(fg_redact_default_rules, fg_redact_default_rule_count, other);
    assert_string_not_equal(kept("user.email", "a@example.org"), first);
    end();
    begin(fg_redact_default_rules, fg_redact_default_rule_count, NULL);
    assert_string_equal(kept("text", "to a@example.org"), "to [email]");
    end();
}

static void the_first_rule_decides(void **state)
{
    (void)state;
    static const char *const mailbox[] = {"support.mailbox"}, *const customer[] = {"customer.*"},
                             *const id[] = {"customer.id"};
    const struct fg_redact_rule list[] = {
        {.name = "support", .keys = mailbox, .key_count = 1, .kinds = FG_REDACT_EMAIL},
        {.name = "customer-id", .keys = id, .key_count = 1, .action = FG_REDACT_KEEP},
        {.name = "customer", .keys = customer, .key_count = 1, .action = FG_REDACT_DROP},
        {.name = "employee", .pattern = "EMP-[0-9]{6}", .action = FG_REDACT_MASK},
        {.name = "email", .kinds = FG_REDACT_EMAIL, .action = FG_REDACT_MASK},
        {.name = "card", .kinds = FG_REDACT_CARD, .action = FG_REDACT_DROP},
    };
    begin(list, sizeof list / sizeof *list, hash_key);
    assert_string_equal(kept("support.mailbox", "help@example.org"), "help@example.org");
    assert_string_equal(kept("other", "help@example.org"), "[email]");
    assert_null(kept("customer.name", "Bob"));
    assert_string_equal(kept("customer.id", "a@example.org"), "a@example.org");
    assert_string_equal(kept("note", "EMP-123456, EMP-654321: a@example.org"),
                        "[employee], [employee]: [email]");
    assert_null(kept("note", "4111111111111111"));
    assert_int_equal(fg_redact_rules_hits(rules, 3), 2);
    assert_int_equal(fg_redact_rules_hits(rules, 4), 2);
    assert_int_equal(fg_redact_rules_hits(rules, 0), 0);
    end();
}

/* A key that holds a value goes with its attribute. */
static void keys_are_looked_at(void **state)
{
    (void)state;
    begin_default();
    assert_null(kept("seen.by.bob@example.org", "yes"));
    assert_null(kept("4111111111111111", "yes"));
    char key[200];
    memset(key, 'k', sizeof key);
    snprintf(key + 100, 100, ".bob@example.org");
    assert_null(kept(key, "yes"));
    end();
}

static void whole_numbers_may_be_cards(void **state)
{
    (void)state;
    begin_default();
    struct fg_slice out;
    const struct fg_redact_verdict *verdict = fg_redactor_verdict(redactor, FG_SLICE("n"));
    uint64_t card = 4111111111111111, other = 4111111111111112;
    assert_int_equal(fg_redactor_scalar(redactor, verdict, card, fg_slice(&card, 8), &arena, &out),
                     FG_REDACTION_CHANGED);
    assert_true(fg_slice_equal(out, FG_SLICE("[card]")));
    assert_int_equal(
        fg_redactor_scalar(redactor, verdict, other, fg_slice(&other, 8), &arena, &out),
        FG_REDACTION_NONE);
    end();
}

/* More keys than are remembered, and texts again and again: each gets its own verdict. */
static void what_is_remembered_is_right(void **state)
{
    (void)state;
    begin_default();
    char key[40], text[60];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 5000; i++) {
            snprintf(key, sizeof key, i % 5 ? "attribute.%d" : "a%d.password", i);
            snprintf(text, sizeof text, i % 7 ? "plain 0123456789012 %d" : "x%d@example.org", i);
            const char *is = kept(key, text);
            if (i % 5 == 0)
                assert_null(is);
            else if (i % 7 == 0)
                assert_null(strstr(is, "example"));
            else
                assert_string_equal(is, text);
        }
    /* The same text under a key that asks for more. */
    assert_string_equal(kept("note", "select 4711 from t where a = 'x'"),
                        "select 4711 from t where a = 'x'");
    assert_string_equal(kept("db.statement", "select 4711 from t where a = 'x'"),
                        "select ? from t where a = ?");
    /* A shape that came before: what it holds beside the literals is found each time. */
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "select \"a@b.example\" from t where a = %d", i);
        const char *is = kept("db.statement", text);
        assert_null(strstr(is, "b.example"));
        assert_non_null(strstr(is, "where a = ?"));
        snprintf(text, sizeof text, "select a from t where a = %d", i);
        assert_string_equal(kept("db.statement", text), "select a from t where a = ?");
    }
    end();
}

static void a_pattern_that_takes_too_long_takes_all(void **state)
{
    (void)state;
    const struct fg_redact_rule slow = {
        .name = "slow", .pattern = "(a+)+$", .action = FG_REDACT_MASK};
    char text[64];
    begin(&slow, 1, NULL);
    memset(text, 'a', sizeof text);
    text[sizeof text - 2] = 'b';
    text[sizeof text - 1] = 0;
    assert_string_equal(kept("x", text), "[slow]");
    end();
}

static void wrong_rules_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const star[] = {"a*b"};
    const struct {
        struct fg_redact_rule rule;
        const char *message;
    } wrong[] = {
        {{.name = "Big", .kinds = FG_REDACT_CARD},
         "rule 'Big': a name is 1 to 40 lower-case letters, digits, '-' and '_'"},
        {{.name = "x"}, "rule 'x': give keys, values or a pattern"},
        {{.name = "x", .kinds = 1, .pattern = "a"}, "rule 'x': give either values or a pattern"},
        {{.name = "x", .keys = star, .key_count = 1},
         "rule 'x': a * may stand only at one end of a key, and not alone"},
        {{.name = "x", .pattern = "("},
         "rule 'x': its pattern is wrong at character 1: missing "
         "closing parenthesis"},
    };
    fg_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *message = NULL;
        assert_int_equal(fg_redact_rules_new(&wrong[i].rule, 1, NULL, &arena, &message, &rules),
                         FG_EINVALID);
        assert_string_equal(message, wrong[i].message);
    }
    fg_arena_free(&arena);
}

static void counts_go_on_when_rules_change(void **state)
{
    (void)state;
    struct fg_redact_rules *next;
    const char *message;
    begin_default();
    (void)kept("note", "a@example.org");
    assert_int_equal(
        fg_redact_rules_new(&fg_redact_default_rules[11], 1, NULL, &arena, &message, &next), 0);
    assert_string_equal(fg_redact_rules_at(next, 0)->name, "email");
    fg_redact_rules_adopt(next, rules);
    assert_int_equal(fg_redact_rules_hits(next, 0), 1);
    fg_redact_rules_unref(next);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_rules_take_what_they_name),
        cmocka_unit_test(equal_values_hash_alike_and_only_under_one_key),
        cmocka_unit_test(the_first_rule_decides),
        cmocka_unit_test(keys_are_looked_at),
        cmocka_unit_test(whole_numbers_may_be_cards),
        cmocka_unit_test(what_is_remembered_is_right),
        cmocka_unit_test(a_pattern_that_takes_too_long_takes_all),
        cmocka_unit_test(wrong_rules_are_refused_with_a_sentence),
        cmocka_unit_test(counts_go_on_when_rules_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
