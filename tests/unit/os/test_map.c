/* os/map.h: files in memory, who holds them, and what a wrong one gets. */
#include "os/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE ((size_t)64 << 10)

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-map-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void a_file_is_claimed_once_its_owner_is_gone(void **state)
{
    (void)state;
    struct fg_map map, other, third;
    struct stat st;
    assert_int_equal(fg_map_create(path, SIZE, NULL, &map), 0);
    assert_int_equal(fg_map_create(path, SIZE, NULL, &other), FG_EEXIST);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true((size_t)st.st_blocks * 512 >= SIZE);
    memcpy(map.data, "text", 4);
    assert_int_equal(fg_map_claim(path, SIZE, &other), FG_EBUSY);
    fg_map_release(&map);
    assert_int_equal(fg_map_claim(path, SIZE - 1, &other), FG_ELIMIT);
    assert_int_equal(fg_map_claim(path, SIZE, &other), 0);
    assert_memory_equal(other.data, "text", 4);
    assert_int_equal(fg_map_claim(path, SIZE, &third), FG_EBUSY);
    fg_map_close(&other);
    unlink(path);
    assert_int_equal(fg_map_claim(path, SIZE, &third), FG_ENOTFOUND);
    FILE *empty = fopen(path, "w");
    assert_non_null(empty);
    fclose(empty);
    assert_int_equal(fg_map_claim(path, SIZE, &third), FG_ENOTFOUND);
    assert_int_equal(access(path, F_OK), -1);
    fg_map_close(&map);
}

static void a_child_gives_up_the_map_and_not_the_lock(void **state)
{
    (void)state;
    struct fg_map map, other;
    assert_int_equal(fg_map_create(path, SIZE, NULL, &map), 0);
    memcpy(map.data, "text", 4);
    pid_t child = fork();
    if (child == 0) {
        int r = fg_map_detach(&map);
        bool is_empty = map.data[0] == 0;
        map.data[0] = 'X';
        _exit(r == 0 && is_empty ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_equal(map.data, "text", 4);
    assert_int_equal(fg_map_claim(path, SIZE, &other), FG_EBUSY);
    fg_map_close(&map);
    unlink(path);
}

static void a_file_past_the_limit_is_no_signal(void **state)
{
    (void)state;
    struct rlimit before, small = {4096, 4096};
    struct fg_map map;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = fg_map_create(path, SIZE, NULL, &map);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, FG_ENOSPACE);
    assert_int_equal(access(path, F_OK), -1);
}

static void folders_of_others_are_refused(void **state)
{
    (void)state;
    char inner[128];
    snprintf(inner, sizeof inner, "%s/inner", folder);
    assert_int_equal(fg_private_dir(inner), 0);
    assert_int_equal(fg_private_dir(inner), 0);
    assert_int_equal(chmod(inner, 0777), 0);
    assert_int_equal(fg_private_dir(inner), FG_EDENIED);
    rmdir(inner);
    assert_int_equal(symlink("/tmp", inner), 0);
    assert_int_equal(fg_private_dir(inner), FG_EDENIED);
    unlink(inner);
    assert_int_equal(fg_private_dir("/proc/none"), FG_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_claimed_once_its_owner_is_gone),
        cmocka_unit_test(a_child_gives_up_the_map_and_not_the_lock),
        cmocka_unit_test(a_file_past_the_limit_is_no_signal),
        cmocka_unit_test(folders_of_others_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
