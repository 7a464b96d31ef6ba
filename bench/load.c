/* Load generator of the benchmarks: fixed request frames over raw sockets, cheap enough that the broker is what limits.
 *
 *   load rate    HOST PORT CONNECTIONS DEPTH SECONDS MAX_REQUESTS ERROR_AT FRAME
 *       keeps DEPTH requests in flight on each connection; stops after SECONDS or MAX_REQUESTS.
 *   load latency HOST PORT RATE SECONDS ERROR_AT PRODUCE_FRAME FETCH_FRAME OFFSET_AT
 *       one producer connection, RATE one-record batches a second; one consumer connection that long-polls (Fetch v11).
 *
 * FRAME files hold one request: 4 bytes of size, then the header, whose correlation id (at byte 8) is counted up here.
 * ERROR_AT is where a response (after its size) keeps an int16 error code that must be 0; -1: not looked at.
 * OFFSET_AT is where the fetch frame keeps its fetch offset. Prints one JSON object; any surprise ends with exit 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD 160 /* bytes of each response that are kept to be checked */

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void put32(unsigned char *at, uint32_t value) { value = htonl(value); memcpy(at, &value, 4); }
static uint32_t get32(const unsigned char *at) { uint32_t value; memcpy(&value, at, 4); return ntohl(value); }
static void put64(unsigned char *at, uint64_t value) { put32(at, value >> 32); put32(at + 4, (uint32_t)value); }
static uint64_t get64(const unsigned char *at) { return (uint64_t)get32(at) << 32 | get32(at + 4); }

static unsigned char *read_frame(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) die("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size);
    if (fread(data, 1, *size, file) != *size || get32(data) != *size - 4) die("%s is not one frame", path);
    fclose(file);
    return data;
}

static int dial(const char *host, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) die("not an IPv4 address: %s", host);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect %s:%d: %s", host, port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static double own_cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- rate ---- */

struct connection {
    int fd;
    unsigned char *out;   /* depth copies of the frame */
    size_t out_at, out_end;
    int owed;             /* requests answered but not yet sent again */
    uint32_t sent, answered;
    unsigned char head[HEAD];
    size_t got, size;     /* of the response under way; size counts its 4 bytes of length, 0: not known yet */
};

static uint64_t sent_total, sent_limit;
static size_t frame_size;
static long error_at;

static void flush_out(struct connection *c, int more) {
    if (c->out_at == c->out_end) {
        int n = 0;
        while (more && c->owed > 0 && sent_total < sent_limit) {
            put32(c->out + n * frame_size + 8, c->sent++);
            n++, c->owed--, sent_total++;
        }
        c->out_at = 0, c->out_end = n * frame_size;
    }
    while (c->out_at < c->out_end) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_end - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) die("send: %s", strerror(errno));
        c->out_at += n;
    }
}

static int take_answers(struct connection *c, const unsigned char *data, size_t n) {
    int answers = 0;
    while (n) {
        size_t want = c->size ? c->size : 4, take = want - c->got < n ? want - c->got : n;
        if (c->got < HEAD) memcpy(c->head + c->got, data, c->got + take <= HEAD ? take : HEAD - c->got);
        c->got += take, data += take, n -= take;
        if (!c->size && c->got == 4) c->size = 4 + (size_t)get32(c->head);
        if (c->size && c->got == c->size) {
            if (get32(c->head + 4) != c->answered) die("correlation id %u, not %u", get32(c->head + 4), c->answered);
            if (error_at >= 0 && (c->head[4 + error_at] || c->head[5 + error_at]))
                die("error code %d", (int16_t)(c->head[4 + error_at] << 8 | c->head[5 + error_at]));
            c->answered++, c->got = c->size = 0, answers++;
        }
    }
    return answers;
}

static int rate(char **a) {
    int connections = atoi(a[2]), depth = atoi(a[3]);
    double seconds = atof(a[4]);
    sent_limit = strtoull(a[5], 0, 10);
    error_at = atol(a[6]);
    unsigned char *frame = read_frame(a[7], &frame_size), *buffer = malloc(1 << 18);
    struct connection *all = calloc(connections, sizeof *all);
    int poller = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        c->fd = dial(a[0], atoi(a[1]));
        c->out = malloc(depth * frame_size);
        for (int d = 0; d < depth; d++) memcpy(c->out + d * frame_size, frame, frame_size);
        c->owed = depth;
        struct epoll_event e = {.events = EPOLLIN | (frame_size > 65536 ? EPOLLOUT | EPOLLET : 0), .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    }
    double begin = now(), end = begin + seconds, last = begin;
    uint64_t done = 0;
    for (int i = 0; i < connections; i++) flush_out(&all[i], 1);
    while (done < sent_total) {
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, 10000);
        if (n == 0) die("no answer for 10 s, %llu answered", (unsigned long long)done);
        double t = now();
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            for (;;) {
                ssize_t got = recv(c->fd, buffer, 1 << 18, MSG_DONTWAIT);
                if (got < 0 && errno == EAGAIN) break;
                if (got <= 0) die("the broker closed a connection after %llu answers", (unsigned long long)done);
                int answers = take_answers(c, buffer, got);
                done += answers, c->owed += answers;
                if (answers) last = t;
                if (got < 1 << 18) break;
            }
            flush_out(c, t < end);
        }
    }
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"client_cpu\": %.3f}\n", (unsigned long long)done, last - begin, own_cpu());
    return 0;
}

/* ---- latency ---- */

struct answer { unsigned char *data; size_t got, size, room; };

/* One response read without blocking into `r`; 1 when it is whole. */
static int pull(int fd, struct answer *r) {
    for (;;) {
        size_t want = r->size ? r->size : 4;
        if (want > r->room) r->data = realloc(r->data, r->room = want + 65536);
        ssize_t n = recv(fd, r->data + r->got, want - r->got, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) die("the broker closed a connection");
        r->got += n;
        if (r->got < want) continue;
        if (r->size) { r->got = r->size = 0; return 1; }
        r->size = 4 + (size_t)get32(r->data);
    }
}

static void send_all(int fd, const unsigned char *data, size_t n) {
    while (n) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent < 0) die("send: %s", strerror(errno));
        data += sent, n -= sent;
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int latency(char **a) {
    double interval = 1.0 / atof(a[2]), seconds = atof(a[3]);
    size_t produce_size, fetch_size, total = (size_t)(seconds / interval);
    error_at = atol(a[4]);
    unsigned char *produce = read_frame(a[5], &produce_size), *fetch = read_frame(a[6], &fetch_size);
    long offset_at = atol(a[7]);
    double *sent_at = calloc(total, sizeof(double)), *took = calloc(total, sizeof(double)), *acked = calloc(total, sizeof(double));
    int out = dial(a[0], atoi(a[1])), in = dial(a[0], atoi(a[1]));
    struct answer produced = {0}, fetched = {0};
    size_t sent = 0, acks = 0, seen = 0;
    uint32_t fetches = 0;
    prctl(PR_SET_TIMERSLACK, 1000);
    put32(fetch + 8, fetches++), put64(fetch + offset_at, 0);
    send_all(in, fetch, fetch_size);
    double begin = now() + 0.05, heard = begin;
    while (seen < total || acks < total) {
        double t = now(), due = begin + sent * interval;
        while (sent < total && due <= t) {
            put32(produce + 8, (uint32_t)sent);
            sent_at[sent] = now();
            send_all(out, produce, produce_size);
            sent++, due += interval;
        }
        struct pollfd both[2] = {{.fd = out, .events = POLLIN}, {.fd = in, .events = POLLIN}};
        double wait = sent < total ? due - now() : 1.0;
        if (wait < 0) wait = 0;
        struct timespec limit = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (time_t)wait) * 1e9)};
        if (ppoll(both, 2, &limit, 0) == 0 && now() - heard > 10) die("%zu of %zu seen, then nothing for 10 s", seen, total);
        if (both[1].revents && pull(in, &fetched)) {
            t = heard = now();
            const unsigned char *p = fetched.data + 8; /* throttle, error, session id, one topic, one partition */
            if (get32(fetched.data + 4) != fetches - 1 || p[4] || p[5]) die("a bad fetch answer");
            if (get32(p + 10)) { /* an incremental answer may carry no topic */
                p += 14;
                p += 2 + (p[0] << 8 | p[1]) + 4 + 4;
                if (p[0] || p[1]) die("fetch: error code %d", p[0] << 8 | p[1]);
                p += 2 + 8 + 8 + 8;
                uint32_t aborted = get32(p);
                p += 4 + (aborted == 0xffffffffu ? 0 : 16 * aborted) + 4;
                const unsigned char *end = p + 4 + (int32_t)get32(p);
                for (p += 4; p + 61 <= end; p += 12 + get32(p + 8)) {
                    uint64_t last = get64(p) + get32(p + 23);
                    for (; seen <= last && seen < total; seen++) took[seen] = t - sent_at[seen];
                }
            }
            put32(fetch + 8, fetches++), put64(fetch + offset_at, seen);
            if (seen < total) send_all(in, fetch, fetch_size);
        }
        if (both[0].revents)
            while (pull(out, &produced)) {
                heard = now();
                if (get32(produced.data + 4) != acks || produced.data[4 + error_at] || produced.data[5 + error_at]) die("a bad produce answer");
                acked[acks] = heard - sent_at[acks];
                acks++;
            }
    }
    size_t from = total / 10, n = total - from; /* the first tenth warms up */
    qsort(took + from, n, sizeof(double), ascending);
    qsort(acked + from, n, sizeof(double), ascending);
#define AT(v, q) v[from + (size_t)(q * (n - 1))] * 1e3
    printf("{\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f, \"ack_p50\": %.3f, \"ack_p99\": %.3f}\n", AT(took, 0.5), AT(took, 0.99),
           AT(took, 0.999), AT(took, 1), AT(acked, 0.5), AT(acked, 0.99));
    return 0;
}

int main(int count, char **arguments) {
    if (count == 10 && !strcmp(arguments[1], "rate")) return rate(arguments + 2);
    if (count == 10 && !strcmp(arguments[1], "latency")) return latency(arguments + 2);
    die("usage: see the top of load.c");
}
