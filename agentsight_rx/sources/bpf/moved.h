/* What a process has written to and read from a TCP connection, by the counters of the kernel. Each byte counts once, however often
 * it was sent, and also before it is sent: so equal processes have equal figures, whenever they end. The counters have a SYN or a
 * FIN as one byte in places. */

#define ESTABLISHED 1
#define SYN_SENT 2
#define FIN_WAIT1 4
#define FIN_WAIT2 5
#define CLOSED 7
#define CLOSE_WAIT 8
#define LAST_ACK 9
#define LISTENING 10
#define CLOSING 11
#define RCV_SHUTDOWN 1

struct moved_t {
    s64 written, read;
    u32 unread; /* received, and not read yet */
};

/* The kernel may change two counters between our two reads: then a number is too small. */
static inline struct moved_t moved_of(u64 sock)
{
    u64 received = 0, acknowledged = 0;
    u32 expected = 0, copied = 0, oldest = 0, next = 0;
    FIELD(received, sock, tcp_sock_bytes_received);
    FIELD(expected, sock, tcp_sock_rcv_nxt);
    FIELD(copied, sock, tcp_sock_copied_seq);
    FIELD(acknowledged, sock, tcp_sock_bytes_acked);
    FIELD(oldest, sock, tcp_sock_snd_una);
    FIELD(next, sock, tcp_sock_write_seq);
    struct moved_t moved = {.unread = expected - copied};
    moved.read = received - moved.unread;
    moved.written = acknowledged + (u32)(next - oldest);
    return moved;
}

/* Is the writing half shut down, and the other one not: may the process still read? */
static inline int may_read_on(u64 sock)
{
    u8 shutdown = 0;
    FIELD(shutdown, sock, sock_sk_shutdown);
    return !(shutdown & RCV_SHUTDOWN);
}
