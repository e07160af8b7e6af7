/* Which of many traces can't be an answer, decided from the columns that the query reads, a page's
 * traces at a time: a hundred times as fast as reading each. What is left, those that answer and
 * those that lie in several places, is read whole. */
#pragma once

#include "query/query.h"
#include "query/search.h"

struct fg_sifter;

/* query has been planned and outlives it. FG_ENOMEM, FG_ELIMIT. One thread. */
FG_MUST_CHECK int fg_sifter_new(const struct fg_query *query, struct fg_sifter **ret_sifter);
void fg_sifter_free(struct fg_sifter *sifter);

/* Takes those of search's result that don't answer out of it; the others stay in their order.
 * *ret_decided: how many were decided so. Past search's deadline or budget, which counts from
 * result->stats on, what is not decided goes too, and result->cut says so. FG_ENOMEM, FG_EIO,
 * FG_ECANCELLED, FG_ELIMIT (a pattern ran past its match limit). */
FG_MUST_CHECK int fg_sifter_run(struct fg_sifter *sifter, struct fg_store *store,
                                const struct fg_search *search, struct fg_search_result *result,
                                uint32_t *ret_decided);
