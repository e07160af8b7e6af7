/* Out of memory at each allocation of net, once and for ever, in each exchange of the fuzz corpus:
 * the one request is refused or the one connection cut, and nothing is left behind (tests/fuzz/
 * net_conn.c asserts it, and LeakSanitizer). */
#include "fail_alloc.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_each(const uint8_t *data, size_t size, bool for_ever, unsigned *ret_runs)
{
    for (uint64_t n = 1;; n++) {
        fail_alloc_at(n, for_ever);
        LLVMFuzzerTestOneInput(data, size);
        ++*ret_runs;
        if (!fail_alloc_off())
            return; /* it has fewer allocations than that */
    }
}

static void every_allocation(void **state)
{
    (void)state;
    DIR *dir = opendir(FG_CORPUS_DIR);
    const struct dirent *entry;
    unsigned files = 0, runs = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        static uint8_t data[100000];
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", FG_CORPUS_DIR, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        fail_each(data, size, false, &runs);
        fail_each(data, size, true, &runs);
        files++;
    }
    closedir(dir);
    assert_true(files >= 10);
    assert_true(runs > 4 * files); /* there were allocations to fail */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
