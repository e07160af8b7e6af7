/* The kernel's counter of processes killed for want of memory, and how much there is of it, in
 * folders that stand for control groups of version 1, version 2, and both. */
#include "os/memory.h"
#include "os/oom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/filigree-oom-XXXXXX";

static const char *at(const char *path)
{
    static char whole[4096];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    return whole;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(at(path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) && mkdir(at("memory"), 0700) == 0 && mkdir(at("memory/shop"), 0700) == 0 &&
                   mkdir(at("shop"), 0700) == 0 && mkdir(at("unified"), 0700) == 0
               ? 0
               : -1;
}

static int remove_root(void **state)
{
    (void)state;
    static const char *const files[] = {"memory/shop/memory.oom_control",
                                        "memory/shop/memory.limit_in_bytes",
                                        "memory/memory.limit_in_bytes",
                                        "shop/memory.max",
                                        "memory.max",
                                        "memory/shop",
                                        "memory",
                                        "shop/memory.events",
                                        "shop/pipe",
                                        "shop",
                                        "groups",
                                        "unified/memory.events",
                                        "unified"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void)remove(at(files[i]));
    return rmdir(root);
}

static int find(const char *groups, char path[FG_OOM_PATH_SIZE])
{
    char file[4096];
    put("groups", groups);
    snprintf(file, sizeof file, "%s", at("groups"));
    return fg_oom_find(file, root, path);
}

static void the_counter_is_found(void **state)
{
    (void)state;
    char path[FG_OOM_PATH_SIZE] = "";
    struct fg_oom_count count;
    assert_int_equal(find("0::/shop\n", path), FG_ENOTFOUND);
    put("shop/memory.events", "low 0\nhigh 2\nmax 41\noom 3\noom_kill 7\noom_group_kill 1\n");
    assert_int_equal(find("0::/shop\n", path), 0);
    assert_string_equal(path, "shop/memory.events");
    assert_int_equal(fg_oom_read(root, path, &count), 0);
    assert_int_equal(count.kills, 7);
    /* Version 1, and version 2 beside it. */
    put("memory/shop/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    assert_int_equal(find("5:cpu,cpuacct:/shop\n4:hugetlb,memory:/shop\n0::/\n", path), 0);
    assert_string_equal(path, "memory/shop/memory.oom_control");
    assert_int_equal(fg_oom_read(root, path, &count), 0);
    assert_int_equal(count.kills, 2);
    put("unified/memory.events", "oom_kill 1\n");
    assert_int_equal(find("1:name=systemd:/\n0::/\n", path), 0);
    assert_string_equal(path, "unified/memory.events");
    assert_int_equal(find("4:memory_other:/shop\n", path), FG_ENOTFOUND);
    assert_int_equal(find("nonsense\n::\n0:\n0::shop", path), FG_ENOTFOUND);
    assert_int_equal(find("", path), FG_ENOTFOUND);
}

/* A path comes from a ring, which a stranger may have written. */
static void nothing_else_is_read(void **state)
{
    (void)state;
    struct fg_oom_count count;
    char path[FG_OOM_PATH_SIZE];
    put("shop/memory.events", "oom_kill 7\n");
    assert_int_equal(fg_oom_read(root, "shop/memory.events", &count), 0);
    assert_int_equal(fg_oom_read(root, "", &count), FG_EINVALID);
    assert_int_equal(fg_oom_read(root, "/etc/passwd", &count), FG_EINVALID);
    assert_int_equal(fg_oom_read(root, "..", &count), FG_EINVALID);
    assert_int_equal(fg_oom_read(root, "shop/../shop/memory.events", &count), FG_EINVALID);
    assert_int_equal(fg_oom_read(root, "shop/none", &count), FG_ENOTFOUND);
    assert_int_equal(fg_oom_read(root, "shop", &count), FG_EIO);
    assert_int_equal(mkfifo(at("shop/pipe"), 0600), 0);
    assert_int_equal(fg_oom_read(root, "shop/pipe", &count), FG_EIO);
    put("shop/memory.events", "oom 3\n");
    assert_int_equal(fg_oom_read(root, "shop/memory.events", &count), FG_ENOTFOUND);
    char groups[2048] = "0::/";
    memset(groups + 4, 'x', 1000);
    assert_int_equal(find(groups, path), FG_ENOTFOUND);
}

static uint64_t memory_of(const char *groups)
{
    char file[4096];
    put("groups", groups);
    snprintf(file, sizeof file, "%s", at("groups"));
    return fg_memory_bytes(file, root);
}

static void the_least_bound_holds(void **state)
{
    (void)state;
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    assert_true(memory_of("") == machine);
    put("shop/memory.events", "oom_kill 0\n");
    assert_true(memory_of("0::/shop\n") == machine);
    put("shop/memory.max", "max\n");
    assert_true(memory_of("0::/shop\n") == machine);
    put("shop/memory.max", "536870912\n");
    assert_true(memory_of("0::/shop\n") == 536870912);
    put("memory.max", "268435456\n"); /* of the group above */
    assert_true(memory_of("0::/shop\n") == 268435456);
    put("memory.max", "18446744073709551615\n"); /* more than there is */
    put("shop/memory.max", "18446744073709551615\n");
    assert_true(memory_of("0::/shop\n") == machine);
    put("memory/shop/memory.oom_control", "oom_kill 0\n");
    put("memory/shop/memory.limit_in_bytes", "1048576\n");
    assert_true(memory_of("4:memory:/shop\n0::/\n") == 1048576);
    put("memory/memory.limit_in_bytes", "65536\n");
    assert_true(memory_of("4:memory:/shop\n0::/\n") == 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_is_found),
        cmocka_unit_test(the_least_bound_holds),
        cmocka_unit_test(nothing_else_is_read),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
