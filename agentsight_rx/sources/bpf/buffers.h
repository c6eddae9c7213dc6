/* The bytes of one read or write, out of as many buffers as they lie in, into segments of one size.
 *
 * Switches: BUFFERS (of one call). */

/* Where the bytes of a call lie: in one buffer, in an array of them, in the array of a message; the process does not have them. */
enum { PLAIN, VECTOR, MESSAGE, HIDDEN };

/* Of a call with this number. */
static inline int form_of(u32 number)
{
    switch (number) {
    case NR_read:
    case NR_write:
    case NR_sendto:
    case NR_recvfrom:
        return PLAIN;
    case NR_readv:
    case NR_writev:
        return VECTOR;
    case NR_sendmsg:
    case NR_recvmsg:
        return MESSAGE;
    }
    return HIDDEN; /* recvmmsg, sendmmsg, sendfile, splice */
}

static inline int is_write(u32 number)
{
    return number == NR_write || number == NR_writev || number == NR_sendto || number == NR_sendmsg || number == NR_sendmmsg;
}

#define SEGMENT 16384

struct buffer_t { /* struct iovec */
    u64 at;
    u64 size;
};

struct message_t { /* struct user_msghdr, up to what is read */
    u64 name;
    u64 name_size;
    u64 buffers;
    u64 buffers_count;
};

struct copying_t {
    u64 left;  /* bytes still to be copied */
    u64 from;  /* in the buffer at hand */
    u64 space; /* bytes left in it */
    u64 next;  /* its successor in the array */
    u64 more;  /* so many successors */
    u32 fill;  /* bytes in the segment */
    u32 taken; /* so many buffers of the array */
};

/* `at` and `size` are those of the call: of the buffer, or of the array. */
static inline void begin_copying(struct copying_t *copying, u64 bytes, u64 at, u64 size, int form)
{
    copying->left = bytes;
    copying->fill = copying->taken = 0;
    copying->from = at;
    copying->space = form == PLAIN ? size : 0;
    copying->next = at;
    copying->more = form == PLAIN ? 0 : size;
    if (form == MESSAGE) {
        struct message_t message = {};
        bpf_probe_read_user(&message, sizeof(message), (void *)at);
        copying->next = message.buffers;
        copying->more = message.buffers_count;
    }
}

enum { COPIED, FULL, OVER };

/* One turn of a loop, into `data` of 2 * SEGMENT bytes. COPIED: another turn may follow. FULL: the segment is to be sent, which
 * then begins anew. OVER: nothing is left, or it cannot be read. */
static inline int copy_on(struct copying_t *copying, char *data)
{
    /* kept in memory and read again: the verifier would follow every value that they can have together */
    u64 left = *(volatile u64 *)&copying->left, space = *(volatile u64 *)&copying->space;
    u32 fill = *(volatile u32 *)&copying->fill;
    if (!left)
        return OVER;
    if (fill >= SEGMENT) {
        *(volatile u32 *)&copying->fill = 0;
        return FULL;
    }
    if (!space) {
        struct buffer_t buffer = {};
        if (!copying->more || copying->taken == BUFFERS || bpf_probe_read_user(&buffer, sizeof(buffer), (void *)copying->next))
            return OVER;
        copying->more--;
        copying->taken++;
        copying->next += sizeof(buffer);
        copying->from = buffer.at;
        *(volatile u64 *)&copying->space = buffer.size;
        return COPIED;
    }
    u64 part = left < space ? left : space;
    if (part > SEGMENT - fill)
        part = SEGMENT - fill;
    part = AT_MOST(part, SEGMENT);
    if (bpf_probe_read_user(data + AT_MOST(fill, SEGMENT), part, (void *)copying->from))
        return OVER;
    copying->from += part;
    *(volatile u64 *)&copying->left = left - part;
    *(volatile u64 *)&copying->space = space - part;
    *(volatile u32 *)&copying->fill = fill + part;
    return COPIED;
}

/* Bytes in the segment, for the verifier at most its size. */
static inline u64 filled(struct copying_t *copying) { return AT_MOST(*(volatile u32 *)&copying->fill, SEGMENT); }
