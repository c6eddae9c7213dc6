/* Plaintext of SSL_read and SSL_write of tracked processes -> the ring.
 *
 * A call is known by (thread, stack pointer), so nested calls (TLS inside TLS) do not disturb each other, and a function that
 * tail-calls another (SSL_write_ex -> SSL_write_ex2) is seen once.
 *
 * Switches besides those of track.h: BY_FILE, who runs or maps a file of `chosen` is tracked; CPUS, one more than the highest number
 * of one. */

enum { CHUNK = 1, HANDSHAKE = 2, CLOSE = 3, GONE = 4, STARTED = 5, MAPPED = 6, OPENED = 7, TCP = 8, SEALED = 9, SENT = 10, SOCKET = 12 };

/* The low byte of a probe's cookie: the shape of the function, see tls/records.py. The rest is the number of the library. */
enum {
    READ = 1, WRITE = 2, READ_EX = 3, WRITE_EX = 4, WRITE_EX2 = 5, DO_HANDSHAKE = 6, FREE = 7,
    SEAL = 8, OPEN = 9, SEAL_SCATTER = 10, OPEN_GATHER = 11,
    GO_WRITE = 12, GO_READ = 13, NSS_IMPORT = 14, NSS_READ = 15, NSS_WRITE = 16, GO_CLOSE = 17,
};

enum { IN = 0, OUT = 1 };

#define PROT_EXEC 4
#define MAP_ANONYMOUS 32
#define IPPROTO_TCP 6

#define SEGMENT 16384
#define SEGMENTS 32 /* 512 KiB: what the verifier allows one program */
#define ROUNDS 33   /* programs that may follow one another (MAX_TAIL_CALL_CNT): 16.5 MiB of one call */

struct call_key_t {
    u64 sp;
    u32 tid;
    u32 pad;
};

struct ssl_call_t {
    u64 ssl;
    u64 buffer;
    u64 size_at; /* where the _ex functions store how much they did */
    u64 time_ns;
    u32 function;
    u32 pad;
};

struct side_key_t {
    u64 ssl;
    u32 pid;
    u32 direction;
};

struct side_t {
    u64 offset; /* bytes that this direction carried so far, captured or not */
    u64 seq;
    u64 time_ns; /* of its newest record */
    u64 sock; /* that this object receives from, at the incoming direction; 0: not known */
    u32 sure; /* see learn_socket() */
    u32 ports; /* of that socket, see is_still() */
};

struct chunk_t {
    struct head_t head;
    u64 ssl;
    u64 offset;
    u64 seq;
    u64 latency_ns;
    u64 sock; /* that the thread received from before it read this; 0: not known */
    u32 size;
    u32 lost; /* bytes of this call behind the data that were not captured */
    u32 direction;
    u32 library;
    char data[SEGMENT];
};

/* A file as the kernel knows it, whatever its path. The size tells when one was overwritten in place. */
struct file_t {
    u64 inode;
    u64 size;
    u32 device;
    u32 generation;
};

BPF_TABLE("lru_hash", struct call_key_t, struct ssl_call_t, calls, 16384);
BPF_TABLE("lru_hash", struct side_key_t, struct side_t, sides, 65536);

/* The call that a thread is in, found by its number in a table of fixed places: a hash takes four times as long. Where the place
 * is taken, by another thread or by the call around this one, `calls` has it. */
#define INSIDE_MOST 4096

struct inside_t {
    u64 tid; /* 0: free */
    u64 sp;
    struct ssl_call_t call;
};

BPF_ARRAY(inside, struct inside_t, INSIDE_MOST);

/* Files of NSPR that speak TLS, of all that PR_Read and PR_Write work on; the direction is 0. */
BPF_TABLE("lru_hash", struct side_key_t, u8, imported, 16384);

/* The TCP socket that a thread received from last, and when. */
struct received_t {
    u64 sock;
    u64 time_ns;
    u32 ports; /* its own and the peer's */
    u32 pad;
};

BPF_TABLE("lru_hash", u32, struct received_t, received, 16384);

/* Files that user space has searched: their users are not reported again. */
BPF_TABLE("lru_hash", struct file_t, u8, known, 16384);

#ifdef BY_FILE
BPF_HASH(chosen, struct file_t, u8, 256);
BPF_ARRAY(teacher, u32, 1); /* a thread of ours: what it maps as code is chosen */
#endif

/* A TCP connection that a tracked process opened. What it carries is compared with the plaintext that was seen: where the one
 * is there and the other is not, a TLS library was not read. */
struct tcp_t {
    struct head_t head;
    u64 sock;
    u64 sent, received;
    u64 in_offset, out_offset; /* at its end: plaintext that was seen, where the socket stands for the TLS object */
    u32 ended;
    u16 family, port;
    u8 peer[16]; /* IPv4 in its first four bytes */
    u16 local; /* port; 0 until it is established */
    u16 pad[3];
    u64 process; /* in the keys of `sides` */
    u64 ssl; /* the TLS object that receives from it; 0: not known */
};

BPF_HASH(connections, u64, struct tcp_t, 65536);

/* How user space asks what a connection has carried so far: the thread that asks maps memory, and finds the answer here. */
struct question_t {
    u64 sock, sent, received;
    u64 moved; /* bytes that the process has written and read, modulo 2^32 */
    u32 thread;
    u32 local; /* port; 0 where it has ended, or is not established */
};

BPF_ARRAY(question, struct question_t, 1);

/* What of a call is still to be sent, by the next program. */
struct rest_t {
    u64 ssl, from, left, time_ns, latency_ns, sock;
    u32 direction, library, rounds, pad;
};

BPF_TABLE("lru_hash", u32, struct rest_t, rests, 1024);
BPF_PROG_ARRAY(next_programs, 1);

/* Where segments are put together. A uprobe can be preempted by another on its CPU, so a room belongs to who has claimed it. */
#define ROOMS (CPUS < 4 ? 64 : CPUS < 16 ? CPUS * 16 : 256) /* more than threads are in these programs at once */
#define TRIES 8

struct room_t {
    u64 taken;
    u64 over; /* all bits where no program may follow this one, else none */
    struct chunk_t chunk;
};

BPF_ARRAY(rooms, struct room_t, ROOMS);

static inline struct process_t *wanted(void)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    return process && fits_now() ? process : 0;
}

/* A room for the current thread, with what the thread before left there: its claimer fills in each field. */
static inline struct room_t *enter_room(void)
{
    u32 tid = current_key();
#pragma clang loop unroll(disable)
    for (u32 i = 0; i < TRIES; i++) {
        u32 place = (tid + i) % ROOMS;
        struct room_t *room = rooms.lookup(&place);
        if (room && !__sync_val_compare_and_swap(&room->taken, 0, 1))
            return room;
    }
    count(LOST);
    return 0;
}

static inline void leave_room(struct room_t *room)
{
    *(volatile u64 *)&room->taken = 0;
}

/* A record without data. */
static inline void send_mark(u32 kind, struct process_t *process, u64 ssl, u32 library, u64 offset, u64 latency_ns)
{
    struct {
        struct head_t head;
        u64 ssl, offset, seq, latency_ns, sock;
        u32 size, lost, direction, library;
    } mark = {};
    fill_head(&mark.head, kind, process);
    mark.ssl = ssl;
    mark.offset = offset;
    mark.latency_ns = latency_ns;
    mark.library = library;
    SEND(&mark, sizeof(mark), kind == STARTED || kind == MAPPED ? BPF_RB_FORCE_WAKEUP : 0); /* its file is looked into */
}

/* A TLS object that carries nothing yet is known from its first call on, so that a handshake that fails is not taken for
 * traffic that was not read. */
static inline void meet(struct process_t *process, u64 ssl, u32 library)
{
    struct side_key_t in = {.ssl = ssl, .pid = current_key() >> 32, .direction = IN};
    struct side_key_t out = {.ssl = ssl, .pid = in.pid, .direction = OUT};
    struct side_t fresh = {};
    if (sides.lookup(&in) || sides.lookup(&out))
        return;
    sides.update(&in, &fresh);
    send_mark(OPENED, process, ssl, library, 0, 0);
}

enum { DOUBTFUL = 1, SURE = 2, MIXED = 3, ENDED = 4 };

/* Behind the end of a connection its ports are 0, or another connection is in its place. */
static inline int is_still(u64 sock, u32 ports)
{
    u32 now = 0;
    FIELD(now, sock, sock_common_skc_portpair);
    return now == ports;
}

/* Which socket an object receives from: the one that its thread received from during this call is SURE, and stays so. Where the
 * object is fed by its user, the one that the thread received from before is DOUBTFUL, and MIXED once it is another that has not
 * ended. One that has ENDED is learnt again only where another connection is at its address. */
static inline void learn_socket(struct process_t *process, u64 ssl, u32 library, u64 since_ns)
{
    u64 id = current_key();
    u32 tid = id;
    struct received_t *last = received.lookup(&tid);
    struct side_key_t key = {.ssl = ssl, .pid = id >> 32, .direction = IN};
    struct side_t fresh = {}, *side = last ? sides.lookup_or_try_init(&key, &fresh) : 0;
    if (!last || !side)
        return;
    u64 sock = last->sock;
    if (!is_still(sock, last->ports))
        return;
    u32 sure = ssl == sock || last->time_ns >= since_ns ? SURE : DOUBTFUL;
    if (side->sock == sock && side->sure >= sure && (side->sure != ENDED || !connections.lookup(&sock)))
        return;
    u64 before = side->sock;
    if (before && before != sock && sure == DOUBTFUL && (side->sure == SURE || is_still(before, side->ports))) {
        if (side->sure != DOUBTFUL)
            return;
        sure = MIXED;
    }
    struct tcp_t *tcp = connections.lookup(&sock);
    side->sock = sock;
    side->sure = sure;
    side->ports = last->ports;
    if (tcp && sure != MIXED)
        tcp->ssl = ssl;
    struct {
        struct head_t head;
        u64 ssl, offset, seq, latency_ns, sock;
        u32 size, lost, direction, library;
        struct end_t local, peer;
    } mark = {};
    fill_head(&mark.head, SOCKET, process);
    u16 family = 0;
    FIELD(family, sock, sock_common_skc_family);
    read_local(&mark.local, sock, family);
    read_peer(&mark.peer, sock, family);
    mark.ssl = ssl;
    mark.sock = sock;
    mark.direction = sure;
    mark.library = library;
    SEND(&mark, sizeof(mark), 0);
}

static inline u64 leave_side(struct side_key_t *key)
{
    struct side_t *side = sides.lookup(key);
    u64 offset = side ? side->offset : 0;
    sides.delete(key);
    return offset;
}

/* The object is gone: its place in memory may become another connection. */
static inline void forget(struct process_t *process, u64 ssl, u32 library)
{
    struct side_key_t in = {.ssl = ssl, .pid = current_key() >> 32, .direction = IN};
    struct side_key_t out = {.ssl = ssl, .pid = in.pid, .direction = OUT};
    if (!sides.lookup(&in) && !sides.lookup(&out))
        return;
    u64 in_offset = leave_side(&in), out_offset = leave_side(&out);
    send_mark(CLOSE, process, ssl, library, in_offset, out_offset);
}

static inline struct inside_t *place_of(u32 tid)
{
    u32 place = tid % INSIDE_MOST;
    return inside.lookup(&place);
}

static inline void begin_call(struct call_key_t *key, struct ssl_call_t *call)
{
    struct inside_t *place = place_of(key->tid);
    if (place) {
        u64 owner = __sync_val_compare_and_swap(&place->tid, 0, (u64)key->tid);
        if (!owner || (owner == key->tid && place->sp == key->sp)) {
            place->sp = key->sp;
            place->call = *call;
            return;
        }
    }
    if (calls.update(key, call))
        count(UNTRACKED);
}

/* The call of this function that began at this place of the stack; 0 if none did. */
static inline int end_call(struct call_key_t *key, u32 function, struct ssl_call_t *call)
{
    struct inside_t *place = place_of(key->tid);
    if (place && place->tid == key->tid && place->sp == key->sp) {
        if (place->call.function != function)
            return 0;
        *call = place->call;
        *(volatile u64 *)&place->tid = 0;
        return 1;
    }
    struct ssl_call_t *found = calls.lookup(key);
    if (!found || found->function != function)
        return 0;
    *call = *found;
    calls.delete(key);
    return 1;
}

/* A thread ends, perhaps inside a call. */
static inline void forget_call(void)
{
    u32 tid = current_key();
    struct inside_t *place = place_of(tid);
    if (place && place->tid == tid)
        *(volatile u64 *)&place->tid = 0;
}

static inline int enter(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u64 id = current_key();
    u32 function = cookie & 0xff;
    /* all at once: the verifier allows no computed access to the registers, and a choice between two would become one */
    u64 ssl = PT_REGS_PARM1(ctx), buffer = PT_REGS_PARM2(ctx), fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
    asm volatile("" : "+r"(fourth), "+r"(fifth));
    struct side_key_t imported_key = {.ssl = ssl, .pid = id >> 32};
    if (function == FREE) {
        imported.delete(&imported_key);
        forget(process, ssl, cookie >> 8);
        return 0;
    }
    if ((function == NSS_READ || function == NSS_WRITE) && !imported.lookup(&imported_key))
        return 0;
    struct call_key_t key = {.sp = PT_REGS_SP(ctx) + RETURN_ADDRESS, .tid = id};
    struct ssl_call_t call = {.ssl = ssl, .buffer = buffer, .time_ns = bpf_ktime_get_ns(), .function = function};
    if (function == READ_EX || function == WRITE_EX)
        call.size_at = fourth;
    else if (function == WRITE_EX2)
        call.size_at = fifth;
    begin_call(&key, &call);
    return 0;
}

/* Segments from `rest->from` on, at most `segments`. `later`: programs went before. 1 where the next one has to go on. */
static inline int send_segments(struct process_t *process, struct rest_t *rest, const int segments, const int later)
{
    u64 id = current_key(), over = segments == SEGMENTS ? 0 : -1;
    u32 tid = id;
    struct side_key_t key = {.ssl = rest->ssl, .pid = id >> 32, .direction = rest->direction};
    struct side_t fresh = {}, *side = sides.lookup_or_try_init(&key, &fresh);
    struct room_t *room = enter_room();
    struct chunk_t *chunk = room ? &room->chunk : 0;
    u64 left = rest->left, from = rest->from;
    if (!side)
        count(UNTRACKED);
    if (side && !room) {
        side->offset += left;
        side->seq++;
    }
    if (!side || !room)
        goto out;
    if (side->time_ns < rest->time_ns)
        side->time_ns = rest->time_ns;
    if (later) { /* into memory and back: the verifier would look at each turn for both answers */
        *(volatile u64 *)&room->over = rest->rounds + 1 < ROUNDS ? 0 : -1;
        over = *(volatile u64 *)&room->over;
    }
    fill_head_at(&chunk->head, CHUNK, process, side->time_ns);
    chunk->ssl = rest->ssl;
    chunk->latency_ns = rest->latency_ns;
    chunk->direction = rest->direction;
    chunk->library = rest->library;
    chunk->sock = rest->sock;
#pragma clang loop unroll(disable)
    for (TURNS(i, segments)) {
        if (!left)
            break;
        u64 part = left < SEGMENT ? left : SEGMENT; /* first, or what is `left` is another range at each turn of the loop */
        part = AT_MOST(part, SEGMENT);
        chunk->offset = side->offset;
        chunk->seq = side->seq;
        left -= part;
        u64 last = i == segments - 1 ? -1 : 0, lost = left & over & UNKNOWN(last);
        chunk->lost = lost;
        chunk->size = part;
        if (bpf_probe_read_user(chunk->data, part, (void *)from))
            count(LOST);
        else
            SEND(chunk, sizeof(*chunk) - SEGMENT + part, 0);
        from += part;
        side->offset += part + lost;
        side->seq++;
    }
out:
    if (room)
        leave_room(room);
    if (!side || !room || !left || over)
        return 0;
    struct rest_t next = *rest;
    next.left = left;
    next.from = from;
    next.rounds++;
    if (!rests.update(&tid, &next))
        return 1;
    side->offset += left;
    count(LOST);
    return 0;
}

/* The CPU is not held: the kernel takes no call of another program meanwhile. */
static inline int go_on(struct pt_regs *ctx, int is_left)
{
    if (!is_left)
        return 0;
    next_programs.call(ctx, 0);
    u64 id = current_key();
    u32 tid = id;
    struct rest_t *rest = rests.lookup(&tid);
    if (!rest)
        return 0;
    struct side_key_t key = {.ssl = rest->ssl, .pid = id >> 32, .direction = rest->direction};
    struct side_t *side = sides.lookup(&key);
    if (side) /* it did not go on: the gap shows in the positions */
        side->offset += rest->left;
    rests.delete(&tid);
    count(LOST);
    return 0;
}

/* A write has the time of its begin, since the other side may read it, and answer, before the write returns. */
static inline int send_data(struct process_t *process, struct ssl_call_t *call, u64 did, u32 direction, u32 library,
                            const int segments)
{
    u32 tid = current_key();
    struct received_t *last = direction == IN ? received.lookup(&tid) : 0;
    u64 now = bpf_ktime_get_ns();
    struct rest_t rest = {
        .ssl = call->ssl,
        .from = call->buffer,
        .left = did,
        .time_ns = direction == IN ? now : call->time_ns,
        .latency_ns = now - call->time_ns,
        .sock = last ? last->sock : 0,
        .direction = direction,
        .library = library,
    };
    return send_segments(process, &rest, segments, 0);
}

static inline int more(void)
{
    u32 tid = current_key();
    struct rest_t *found = rests.lookup(&tid);
    struct process_t *process = wanted();
    if (!found)
        return 0;
    struct rest_t rest = *found;
    rests.delete(&tid);
    return process ? send_segments(process, &rest, SEGMENTS, 1) : 0;
}

static inline int leave(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    u64 id = current_key();
    struct call_key_t key = {.sp = PT_REGS_SP(ctx), .tid = id};
    struct ssl_call_t call;
    u32 function = cookie & 0xff;
    if (!process || !end_call(&key, function, &call))
        return 0;
    int result = PT_REGS_RC(ctx);
    u32 library = cookie >> 8;
    if (function == NSS_IMPORT) {
        struct side_key_t object = {.ssl = PT_REGS_RC(ctx), .pid = id >> 32};
        u8 one = 1;
        if (object.ssl && imported.update(&object, &one))
            count(UNTRACKED);
        return 0;
    }
    u32 reads = function == READ || function == READ_EX || function == NSS_READ;
    if (result <= 0 || function == DO_HANDSHAKE)
        meet(process, call.ssl, library);
    if (reads || result <= 0 || function == DO_HANDSHAKE)
        learn_socket(process, call.ssl, library, call.time_ns);
    if (result <= 0)
        return 0;
    if (function == DO_HANDSHAKE) {
        if (result == 1)
            send_mark(HANDSHAKE, process, call.ssl, library, 0, bpf_ktime_get_ns() - call.time_ns);
        return 0;
    }
    u64 did = result;
    if (call.size_at) {
        did = 0;
        bpf_probe_read_user(&did, sizeof(did), (void *)call.size_at);
    }
    return did ? send_data(process, &call, did, reads ? IN : OUT, library, SEGMENTS) : 0;
}

/* The program that goes on with what its thread left. */
int on_more(struct pt_regs *ctx) { return go_on(ctx, HELD(more())); }

int on_enter(struct pt_regs *ctx) { return HELD(enter(ctx, bpf_get_attach_cookie(ctx))); }
int on_leave(struct pt_regs *ctx) { return go_on(ctx, HELD(leave(ctx, bpf_get_attach_cookie(ctx)))); }

static inline int identify(u64 file, struct file_t *into)
{
    u64 inode = 0, super = 0;
    FIELD(inode, file, file_f_inode);
    if (!inode)
        return 0;
    FIELD(into->inode, inode, inode_i_ino);
    FIELD(into->size, inode, inode_i_size);
    FIELD(into->generation, inode, inode_i_generation);
    FIELD(super, inode, inode_i_sb);
    FIELD(into->device, super, super_block_s_dev);
    return 1;
}

static inline int is_chosen(struct file_t *file)
{
#ifdef BY_FILE
    return chosen.lookup(file) != 0;
#else
    return 0;
#endif
}

static inline void choose(void)
{
    u32 tgid = current_tgid();
    if (tgid && !tracked.lookup(&tgid))
        track(tgid, leader_of(bpf_get_current_task()));
}

/* This process uses code of a file that user space has not looked into. */
static inline void report_file(u32 kind, struct file_t *file)
{
    struct process_t *process = wanted();
    if (process && is_to_do(0) && !known.lookup(file))
        send_mark(kind, process, file->inode, 0, file->size, (u64)file->device << 32 | file->generation);
}

static inline int executed(u64 binprm)
{
    u64 opened = 0;
    struct file_t file = {};
    FIELD(opened, binprm, linux_binprm_file);
    identify(opened, &file);
    if (is_chosen(&file))
        choose();
    report_file(STARTED, &file);
    return 0;
}

PART_AT(at_exec, AT_EXEC, executed(ctx->args[2]))

/* -- what connections carry -- */

/* Of a connection that the process opened, in this state: without the SYN and the FINs. */
static inline void read_bytes(u64 sock, u64 *sent, u64 *received, int state)
{
    struct moved_t moved = moved_of(sock);
    int half_closed = state == FIN_WAIT1 || state == FIN_WAIT2 || state == CLOSING;
    s64 out = moved.written - 1 - half_closed, in = moved.read;
    if (state == CLOSE_WAIT && !moved.unread) /* it has read to the end */
        in--;
    if (state == FIN_WAIT2 || state == CLOSING) /* the end has come, and it will read up to there */
        in += moved.unread - 1;
    *sent = out > 0 ? out : 0;
    *received = in > 0 ? in : 0;
}

/* In the thread that receives, once for each buffer of the kernel that it empties: so system calls need not be watched. */
static inline int receives(u64 sock)
{
    u32 tid = current_key();
    if (!wanted())
        return 0;
    struct received_t now = {.sock = sock, .time_ns = bpf_ktime_get_ns()}, *before = received.lookup(&tid);
    FIELD(now.ports, sock, sock_common_skc_portpair);
    if (before)
        *before = now; /* a third of the time of an update */
    else
        received.update(&tid, &now);
    return 0;
}

RAW_TRACEPOINT_PROBE(tcp_rcv_space_adjust) { return RUN(receives(ctx->args[0])); }

/* In connect() the process is the current one; later it may be any, so the connection is known by the socket. */
static inline int changes(u64 sock, int before, int after)
{
    u16 protocol = 0;
    if (after == SYN_SENT) {
        struct process_t *process = wanted();
        FIELD(protocol, sock, sock_sk_protocol);
        if (!process || protocol != IPPROTO_TCP || !is_to_do(1))
            return 0;
        struct tcp_t fresh = {};
        fill_head(&fresh.head, TCP, process);
        fresh.sock = sock;
        fresh.process = current_key() >> 32;
        FIELD(fresh.family, sock, sock_common_skc_family);
        FIELD(fresh.port, sock, sock_common_skc_dport);
        fresh.port = __builtin_bswap16(fresh.port);
        if (fresh.family == 10)
            FIELD(fresh.peer, sock, sock_common_skc_v6_daddr);
        else
            bpf_probe_read_kernel(fresh.peer, 4, (void *)sock + O_sock_common_skc_daddr);
        if (connections.update(&sock, &fresh))
            count(UNTRACKED);
        struct side_key_t in = {.ssl = sock, .pid = fresh.process, .direction = IN};
        struct side_key_t out = {.ssl = sock, .pid = fresh.process, .direction = OUT};
        sides.delete(&in);
        sides.delete(&out);
        SEND(&fresh, sizeof(fresh), 0);
        return 0;
    }
    if (after == ESTABLISHED) { /* now it has a port, which it gives back before it is closed */
        struct tcp_t *begun = connections.lookup(&sock);
        if (begun)
            FIELD(begun->local, sock, sock_common_skc_num);
        return 0;
    }
    if ((after != FIN_WAIT1 || may_read_on(sock)) && after != CLOSED && after != LAST_ACK)
        return 0;
    struct tcp_t *known = connections.lookup(&sock), ended;
    if (!known)
        return 0;
    __builtin_memcpy(&ended, known, sizeof(ended));
    if (connections.delete(&sock))
        return 0;
    if (ended.local) /* else it was refused */
        read_bytes(sock, &ended.sent, &ended.received, before);
    struct side_key_t in = {.ssl = sock, .pid = ended.process, .direction = IN};
    struct side_key_t out = {.ssl = sock, .pid = ended.process, .direction = OUT};
    struct side_t *in_side = sides.lookup(&in), *out_side = sides.lookup(&out);
    struct side_key_t user = {.ssl = ended.ssl, .pid = ended.process, .direction = IN};
    struct side_t *user_side = ended.ssl ? sides.lookup(&user) : 0;
    if (user_side && user_side->sock == sock)
        user_side->sure = ENDED;
    ended.in_offset = in_side ? in_side->offset : 0;
    ended.out_offset = out_side ? out_side->offset : 0;
    ended.ended = 1;
    ended.head.time_ns = bpf_ktime_get_ns();
    SEND(&ended, sizeof(ended), 0);
    return 0;
}

RAW_TRACEPOINT_PROBE(inet_sock_set_state) { return RUN(changes(ctx->args[0], ctx->args[1], ctx->args[2])); }

/* At the end of mmap: now the file shows in the maps of the process. */
static inline int maps(struct call_t *call)
{
    u32 first = 0;
    struct question_t *asked = question.lookup(&first);
    if (asked && asked->thread && asked->thread == current_tid()) {
        u32 written = 0, read = 0;
        u8 state = 0;
        FIELD(state, asked->sock, sock_common_skc_state);
        FIELD(written, asked->sock, tcp_sock_write_seq);
        FIELD(read, asked->sock, tcp_sock_copied_seq);
        asked->moved = (u32)(written + read);
        u64 sock = asked->sock;
        struct tcp_t *known = connections.lookup(&sock);
        if (!known || !known->local)
            return 0;
        read_bytes(sock, &asked->sent, &asked->received, state);
        asked->local = known->local;
        return 0;
    }
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task);
    u64 protection = ARGUMENT(registers, 3), flags = ARGUMENT(registers, 4), number = ARGUMENT(registers, 5);
    struct file_t file = {};
    if (!(protection & PROT_EXEC) || flags & MAP_ANONYMOUS || (call->result < 0 && call->result > -4096))
        return 0;
#ifndef BY_FILE
    if (!wanted())
        return 0;
#endif
    if (!identify(file_of(task, number), &file))
        return 0;
#ifdef BY_FILE
    u32 zero = 0, *who = teacher.lookup(&zero);
    u8 one = 1;
    if (who && *who && *who == current_tid()) {
        chosen.update(&file, &one);
        return 0;
    }
#endif
    if (is_chosen(&file))
        choose();
    report_file(MAPPED, &file);
    return 0;
}

int on_mapped(struct call_t *call) { return RUN(maps(call)); }

static inline int ends(void)
{
    struct process_t *process = ending();
    forget_call();
    if (process && fits_now())
        send_mark(GONE, process, 0, 0, 0, 0);
    return 0;
}

PART_AT(at_exit, AT_EXIT, ends())
