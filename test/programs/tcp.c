/*
 * TCP connections of known number and size between processes of known names.
 *
 *   tcp serve NAME ADDRESS PORT MODE COUNT IN OUT    accepts COUNT connections; on each reads IN bytes, writes OUT bytes, closes
 *   tcp connect NAME ADDRESS PORT COUNT OUT IN       makes COUNT connections; on each writes OUT bytes, reads IN bytes, closes
 *   tcp refused NAME ADDRESS PORT COUNT              tries to connect COUNT times, to where nobody listens
 *
 * MODE: `plain`; `fork`, a child for each connection; `prefork`, a child accepts them all; `idle`, a connection is closed
 * without a word. ADDRESS is IPv4 or IPv6; PORT 0 is one that the kernel chooses. `serve` writes `ready PORT`, each program
 * `done BYTES_SENT BYTES_RECEIVED` at its end. With COUNT -n there are n connections that stay, and an exchange over each of
 * them for each line of stdin, answered with `done ...`, until that ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 16

static char buffer[1 << 20];
static long sent, received;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_all(int fd, long bytes) {
    for (long left = bytes; left > 0;) {
        ssize_t n = send(fd, buffer, left < (long)sizeof buffer ? left : (long)sizeof buffer, MSG_NOSIGNAL);
        if (n < 0) fail("send");
        left -= n;
        sent += n;
    }
}

/* Returns 0 where the other end has closed. */
static int receive_all(int fd, long bytes) {
    for (long left = bytes; left > 0;) {
        ssize_t n = read(fd, buffer, left < (long)sizeof buffer ? left : (long)sizeof buffer);
        if (n < 0) fail("read");
        if (n == 0) return 0;
        left -= n;
        received += n;
    }
    return 1;
}

static socklen_t address(struct sockaddr_storage *storage, const char *text, int port) {
    struct sockaddr_in *four = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)storage;
    memset(storage, 0, sizeof *storage);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1) fail("inet_pton");
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof *six;
}

static void done(void) {
    printf("done %ld %ld\n", sent, received);
    fflush(stdout);
}

static void answer(int listener, const char *mode, long in, long out) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    if (strcmp(mode, "fork") != 0 || fork() == 0) {
        if (strcmp(mode, "idle") != 0 && receive_all(fd, in)) send_all(fd, out);
        if (strcmp(mode, "fork") == 0) {
            /* The parent may still have it open. */
            shutdown(fd, SHUT_WR);
            _exit(0);
        }
    }
    close(fd);
}

static void serve(const char *text, int port, const char *mode, long count, long in, long out) {
    struct sockaddr_storage own;
    socklen_t length = address(&own, text, port);
    int on = 1;
    int listener = socket(own.ss_family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&own, length) < 0) fail("bind");
    if (listen(listener, 128) < 0) fail("listen");
    getsockname(listener, (struct sockaddr *)&own, &length);
    printf("ready %d\n", ntohs(((struct sockaddr_in *)&own)->sin_port));
    fflush(stdout);
    if (strcmp(mode, "prefork") == 0 && fork() != 0) {
        wait(NULL);
        return;
    }
    if (count < 0) {
        int fds[MOST], kept = -count;
        for (int i = 0; i < kept; i++) fds[i] = accept(listener, NULL, NULL);
        for (int i = 0; receive_all(fds[i], in); i = (i + 1) % kept) send_all(fds[i], out);
        for (int i = 0; i < kept; i++) close(fds[i]);
    }
    for (long i = 0; i < count; i++) answer(listener, mode, in, out);
    while (wait(NULL) > 0) continue;
}

static int connected(const char *text, int port) {
    struct sockaddr_storage other;
    socklen_t length = address(&other, text, port);
    int fd = socket(other.ss_family, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&other, length) == 0) return fd;
    if (errno != ECONNREFUSED) fail("connect");
    close(fd);
    return -1;
}

static void exchange(int fd, long out, long in) {
    send_all(fd, out);
    receive_all(fd, in);
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    const char *role = argv[1], *text = argv[3];
    int port = atoi(argv[4]);
    prctl(PR_SET_NAME, argv[2]);
    if (strcmp(role, "serve") == 0) {
        serve(text, port, argv[5], atol(argv[6]), atol(argv[7]), atol(argv[8]));
    } else {
        long count = atol(argv[5]);
        if (count < 0) {
            char line[64];
            int fds[MOST], kept = -count;
            for (int i = 0; i < kept; i++) fds[i] = connected(text, port);
            done();
            while (fgets(line, sizeof line, stdin) != NULL) {
                for (int i = 0; i < kept; i++) exchange(fds[i], atol(argv[6]), atol(argv[7]));
                done();
            }
            for (int i = 0; i < kept; i++) close(fds[i]);
        }
        for (long i = 0; i < count; i++) {
            int fd = connected(text, port);
            if (fd < 0) continue;
            exchange(fd, atol(argv[6]), atol(argv[7]));
            close(fd);
        }
    }
    done();
    return 0;
}
