/* What a row group's and a page's statistics, dictionaries and filters say of a predicate.
 *
 * Three answers: no row can match, some may, all must; the last is needed under NOT. They are given
 * class by class (group_build.h), as two sets: the classes whose rows may match, and those all of
 * whose rows match. So "name is a AND status is error" is ruled out where both are there but never
 * together. A page is ruled out when none of its classes is left. */
#pragma once

#include "local/segment_internal.h"
#include "number_test.h"

/* Sets of a row group's span classes; must is a part of may. */
struct fg_prune_set {
    uint64_t *may, *must;
};

/* A column that a leaf asks, in the row group at hand. */
struct fg_prune_column {
    uint32_t column;
    bool any, all;         /* of its values match, or may */
    uint64_t *codes;       /* those that match; NULL where the form has none */
    bool has_texts;        /* each page has its own, which can be looked at */
    uint32_t looks, finds; /* at them, so far */
    uint64_t *owners;      /* classes that have the column, or may have */
};

#define FG_PRUNE_COLUMNS_MAX 8u /* of one key: it has as many types at most */

struct fg_prune_leaf {
    const struct fg_predicate *predicate;
    struct fg_predicate shared_predicate, value_predicate;
    struct fg_matcher *shared; /* on classes, resources, scopes; made when it is needed */
    struct fg_matcher *value;  /* on a column's values */
    bool has_number;
    struct fg_number_test number;
    struct fg_number_range range;
    uint64_t hash; /* of the operand of EQ */
    bool has_hash;
    /* FG_FIELD_TRACE_ID: its rows */
    uint64_t row_begin, row_end;
    bool is_everywhere; /* where it is could not be read */

    /* of the row group at hand */
    int in_dictionary; /* the operand: 0 no, 1 maybe, -1 not asked yet */
    struct fg_prune_set rest;
    struct fg_prune_column columns[FG_PRUNE_COLUMNS_MAX];
    uint32_t column_count;
};

struct fg_pruner {
    struct fg_segment *segment;
    const struct fg_predicate *predicate;
    struct fg_codec *codec;
    struct fg_prune_leaf *leaves; /* in the order of a walk from the root, children in order */
    uint32_t leaf_count;
    uint64_t *bytes_read;

    /* of the row group at hand */
    struct fg_group *group;
    struct fg_arena arena;
    uint32_t class_count;
    size_t word_count;
    bool used_filter;           /* one said no */
    bool has_texts;             /* some column has */
    const struct fg_page *page; /* NULL: the whole row group is asked */
    bool reads_texts;           /* the page's own texts are looked at */
    struct fg_batch **texts;    /* by column, those of the page that were read; or NULL */
    struct fg_arena text_arena; /* of one page */
};

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_pruner_init(struct fg_pruner *pruner, struct fg_segment *segment,
                                 const struct fg_predicate *predicate, uint64_t *bytes_read);
/* To another segment, or the same one; what was compiled stays. */
FG_MUST_CHECK int fg_pruner_turn(struct fg_pruner *pruner, struct fg_segment *segment,
                                 uint64_t *bytes_read);
void fg_pruner_free(struct fg_pruner *pruner);

/* Turns to a row group, of which the columns are loaded (borrowed). */
void fg_pruner_begin(struct fg_pruner *pruner, struct fg_group *group);
/* Whether it may have a match, by columns and filters alone. */
FG_MUST_CHECK int fg_pruner_glance(struct fg_pruner *pruner, bool *ret_may);
/* The same by all that it has; its head must be loaded. */
FG_MUST_CHECK int fg_pruner_look(struct fg_pruner *pruner, bool *ret_may);
/* And one of its pages, after the look. */
FG_MUST_CHECK int fg_pruner_page(struct fg_pruner *pruner, const struct fg_page *page,
                                 bool *ret_may);

/* -- Between the files: leaves (prune_leaf.c), columns (prune_column.c) */

FG_MUST_CHECK int fg_prune_leaf_glance(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                       bool *ret_may);
/* Fills the leaf's state for the row group at hand. */
FG_MUST_CHECK int fg_prune_leaf_look(struct fg_pruner *pruner, struct fg_prune_leaf *leaf);
/* The leaf's sets for the row group or the page at hand. */
FG_MUST_CHECK int fg_prune_leaf_sets(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                     struct fg_prune_set *ret_set);
FG_MUST_CHECK int fg_prune_set_new(struct fg_pruner *pruner, bool may, bool must,
                                   struct fg_prune_set *ret_set);

/* Whether the operand of EQ may be one of the dictionary's strings; true for any other leaf. */
FG_MUST_CHECK int fg_prune_in_dictionary(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                         bool *ret_may);
/* Whether a value of the column may match, by its range and filter. */
FG_MUST_CHECK int fg_prune_column_glance(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                         const struct fg_group_column *column, bool *ret_may);
/* Which of the column's values match, or whether some may. */
FG_MUST_CHECK int fg_prune_column_look(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                       uint32_t number, struct fg_prune_column *ret_column);
/* Whether a value of the page's may match. */
FG_MUST_CHECK int fg_prune_column_page(struct fg_pruner *pruner, struct fg_prune_leaf *leaf,
                                       struct fg_prune_column *column, bool *ret_any);
/* Whether the level has attributes for which there was no column and of which one may be the
 * leaf's. */
FG_MUST_CHECK int fg_prune_overflow(struct fg_pruner *pruner, const struct fg_prune_leaf *leaf,
                                    int level, bool *ret_may);
/* Runs a matcher that is made of predicate where it is not there yet. A pattern that ran past its
 * limit matches. */
FG_MUST_CHECK int fg_prune_match(struct fg_matcher **matcher, const struct fg_predicate *predicate,
                                 const struct fg_batch *batch, uint64_t *bits);
