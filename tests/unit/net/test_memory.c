/* Out of memory at each allocation of net, once and for ever, in each exchange of the fuzz corpus:
 * the one request is refused or the one connection cut, and nothing is left behind (tests/fuzz/
 * net_conn.c asserts it, and LeakSanitizer). */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);

static bool is_armed, is_for_ever;
static unsigned fail_at, allocations;

static bool fails(void)
{
    if (!is_armed)
        return false;
    unsigned number = ++allocations;
    return is_for_ever ? number >= fail_at : number == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *data, size_t size)
{
    return fails() ? NULL : __real_realloc(data, size);
}

static void fail_each(const uint8_t *data, size_t size, bool for_ever, unsigned *ret_runs)
{
    is_for_ever = for_ever;
    for (fail_at = 1;; fail_at++) {
        allocations = 0;
        is_armed = true;
        LLVMFuzzerTestOneInput(data, size);
        is_armed = false;
        ++*ret_runs;
        if (allocations < fail_at)
            return; /* it got by without the one that would have failed */
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
