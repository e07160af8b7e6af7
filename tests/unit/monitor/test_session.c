/* What keeps a session within bounds: look-ups that keep a deadline, a guard that cuts a flood off.
 */
#include "pg_guard.h"
#include "resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static void numbers_are_looked_up_nowhere(void **state)
{
    (void)state;
    struct fg_resolver *resolver = fg_resolver_new(fg_env_real());
    struct fg_addresses addresses;
    const char *why;
    /* The deadline is over, and it does not matter. */
    assert_int_equal(fg_resolver_look_up(resolver, "::1", 0, &addresses, &why), 0);
    assert_int_equal(addresses.count, 1);
    assert_string_equal(addresses.text[0], "::1");
    char name[400];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = 0;
    assert_int_equal(fg_resolver_look_up(resolver, name, SECOND, &addresses, &why), FG_EINVALID);
    assert_int_equal(fg_resolver_look_up(resolver, "", SECOND, &addresses, &why), FG_EINVALID);
    fg_resolver_free(resolver);
}

static void a_late_look_up_is_left_and_taken_up_again(void **state)
{
    (void)state;
    struct fg_env *env = fg_env_real();
    struct fg_resolver *resolver = fg_resolver_new(env);
    struct fg_addresses addresses = {.count = 77};
    const char *why;
    uint64_t later = fg_env_mono_ns(env) + 60 * SECOND;
    int error = fg_resolver_look_up(resolver, "localhost", 1, &addresses, &why);
    assert_true(error == FG_ETIMEOUT || error == 0); /* it may have been that fast */
    assert_int_equal(fg_resolver_look_up(resolver, "localhost", later, &addresses, &why), 0);
    assert_true(addresses.count >= 1 && addresses.count <= FG_RESOLVE_ADDRESSES_MAX);
    /* Another name than the one that was left behind; freed while one is out. */
    (void)!fg_resolver_look_up(resolver, "localhost", 1, &addresses, &why);
    assert_int_equal(fg_resolver_look_up(resolver, "127.0.0.1", 1, &addresses, &why), 0);
    (void)!fg_resolver_look_up(resolver, "localhost", 1, &addresses, &why);
    fg_resolver_free(resolver);
    fg_resolver_free(NULL);
}

/* Two ends of a connection of TCP on the loopback. */
static void connect_pair(int ret_ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ret_ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ret_ends[0], (struct sockaddr *)&address, size), 0);
    ret_ends[1] = accept(listener, NULL, NULL);
    assert_true(ret_ends[1] >= 0);
    close(listener);
}

/* Reads until the end that only the guard can make. */
static void read_to_end(int socket)
{
    static char data[65536];
    while (recv(socket, data, sizeof data, 0) > 0)
        continue;
}

static void a_flood_is_cut_off(void **state)
{
    (void)state;
    static char data[100000];
    int ends[2];
    struct fg_pg_guard guard = {0};
    uint64_t later = fg_env_mono_ns(fg_env_real()) + 600 * SECOND;
    connect_pair(ends);
    assert_int_equal(fg_pg_guard_begin(&guard, fg_env_real(), ends[0], 200000, later), 0);
    assert_int_equal(send(ends[1], data, sizeof data, 0), sizeof data);
    assert_int_equal(recv(ends[0], data, sizeof data, MSG_WAITALL), sizeof data);
    assert_int_equal(fg_pg_guard_begin(&guard, fg_env_real(), ends[0], 200000, later), 0);
    assert_int_equal(send(ends[1], data, sizeof data, 0), sizeof data);
    assert_int_equal(send(ends[1], data, 100, 0), 100);
    read_to_end(ends[0]);
    assert_int_equal(fg_pg_guard_end(&guard), FG_PG_GUARD_LARGE);
    assert_int_equal(fg_pg_guard_end(&guard), FG_PG_GUARD_QUIET); /* it has ended already */
    close(ends[0]);
    close(ends[1]);
}

static void what_is_late_is_cut_off_and_what_is_not_is_left(void **state)
{
    (void)state;
    int ends[2];
    struct fg_pg_guard guard = {0};
    uint64_t now = fg_env_mono_ns(fg_env_real());
    connect_pair(ends);
    assert_int_equal(fg_pg_guard_begin(&guard, fg_env_real(), ends[0], 10, now + 600 * SECOND), 0);
    assert_int_equal(fg_pg_guard_end(&guard), FG_PG_GUARD_QUIET);
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    char byte;
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1); /* the connection lives on */
    assert_int_equal(fg_pg_guard_begin(&guard, fg_env_real(), ends[0], 10, now), 0);
    read_to_end(ends[0]);
    assert_int_equal(fg_pg_guard_end(&guard), FG_PG_GUARD_LATE);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_looked_up_nowhere),
        cmocka_unit_test(a_late_look_up_is_left_and_taken_up_again),
        cmocka_unit_test(a_flood_is_cut_off),
        cmocka_unit_test(what_is_late_is_cut_off_and_what_is_not_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
