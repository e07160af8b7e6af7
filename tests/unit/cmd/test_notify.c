/* notify.h: what a service manager hears, at a socket with a path and at one with an abstract name.
 */
#include "notify.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A manager that listens at name, where '@' stands for the NUL of an abstract name. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size);
    if (*name == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    return fd;
}

static void hears(int fd, const char *expected)
{
    char text[200];
    ssize_t size = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(size >= 0);
    text[size] = 0;
    assert_string_equal(text, expected);
}

static void test_path(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/filigree-notify-%d", (int)getpid());
    int fd = listen_at(path);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(fg_notify("READY=1\nSTATUS=ready"), 0);
    hears(fd, "READY=1\nSTATUS=ready");
    close(fd);
    unlink(path);
    assert_int_equal(fg_notify("STOPPING=1"), FG_EIO);
}

static void test_abstract_name(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@filigree-notify-%d", (int)getpid());
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(fg_notify("READY=1"), 0);
    hears(fd, "READY=1");
    close(fd);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(fg_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(fg_notify("READY=1"), 0);
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    char long_name[200];
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = 0;
    setenv("NOTIFY_SOCKET", long_name, 1);
    assert_int_equal(fg_notify("READY=1"), FG_EINVALID);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(fg_notify("READY=1"), FG_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract_name),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_names_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
